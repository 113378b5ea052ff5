"""Many witnesses at once are the same tests, to the bit."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.drift.witness import WitnessTest, reference_slack
from detectors.drift.witness_bank import Witnesses, update
from detectors.sequential.bank import log_shares


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    bins=st.integers(2, 40),
    dispersion=st.sampled_from([1.0, 1.0, 2.7]),
)
def test_a_bank_gives_what_each_test_gives(seed, bins, dispersion):
    """Over several windows, with drift in some of them and rows that depend on each other."""
    rng, size = np.random.default_rng(seed), 7
    references = rng.multinomial(5_000, rng.dirichlet(np.ones(bins)), size) / dispersion
    eps, decay = rng.uniform(0.0, 0.2, size), rng.choice([0.5, 0.8], size)
    tests = [WitnessTest(r, e, d) for r, e, d in zip(references, eps, decay, strict=True)]
    shares = rng.choice([0.0, 1e-4, 0.01], size)
    known = Witnesses(np.zeros((size, bins)), np.full((size, 12), -np.inf))
    for _ in range(4):
        counts = rng.multinomial(300, rng.dirichlet(np.ones(bins)), size) / dispersion
        known, found = update(
            known,
            counts,
            shares=references / references.sum(axis=1, keepdims=True),
            allowance=np.array(
                [e + reference_slack(r) for e, r in zip(eps, references, strict=True)]
            ),
            decay=decay,
            log_share=log_shares(shares)[:, 0],
        )
        for row, test in enumerate(tests):
            alarm = test.update(counts[row], share=shares[row])
            assert (found.alarm[row], found.log_m[row]) == (alarm, test.log_m)
            assert found.made[row] == (not math.isnan(test.bound))
            assert known.ewma[row].tolist() == test.state()["ewma"]
