"""The interval of a ratio of counts covers at every look, and closes in on it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.sequential import PoissonConfidenceSequence
from schemas.errors import ConfigurationError


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.3])
def test_it_covers_at_every_look(ratio: float) -> None:
    """Thirty looks in each of 300 runs, with an expectation that swings."""
    rng = np.random.default_rng(21)
    runs, missed = 300, 0
    mu = 50 + 30 * np.sin(np.arange(30) / 4)
    for _ in range(runs):
        sequence = PoissonConfidenceSequence()
        outside = False
        for expected in mu:
            sequence.update(count=float(rng.poisson(ratio * expected)), mu=float(expected))
            low, high = sequence.interval(alpha=0.05)
            outside |= not low <= ratio <= high
        missed += outside
    assert missed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_it_closes_in() -> None:
    """Within a tenth after 10,000 expected events, and the state goes on."""
    sequence = PoissonConfidenceSequence()
    sequence.update(count=12_000.0, mu=10_000.0)
    again = PoissonConfidenceSequence.restore(sequence.state())
    low, high = again.interval(alpha=0.05)
    assert (low, high) == sequence.interval(alpha=0.05)
    assert 1.1 < low < 1.2 < high < 1.3


def test_dispersion_widens_and_nothing_is_known_of_nothing() -> None:
    """Five times the variance, a wider interval; no expectation, the whole range."""
    plain, wide = PoissonConfidenceSequence(), PoissonConfidenceSequence(dispersion=5.0)
    assert plain.interval(alpha=0.05) == (0.0, math.inf)
    for sequence in (plain, wide):
        sequence.update(count=500.0, mu=500.0)
    narrow, broad = plain.interval(alpha=0.05), wide.interval(alpha=0.05)
    assert broad.low < narrow.low < 1.0 < narrow.high < broad.high
    with pytest.raises(ConfigurationError, match=r"dispersion is 0\.5"):
        PoissonConfidenceSequence(dispersion=0.5)
