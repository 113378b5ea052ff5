"""Items of one list depend on each other: a list counts once, or the drift test breaks its word."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.bets import binary
from detectors.drift.witness import WitnessTest

RUNS, WINDOWS, LISTS, DEPTH = 1_000, 30, 60, 10
SHARE = 0.002
EPS = 0.05


def alarms(weight: float, seed: int) -> int:
    """Runs that ever alarm at the boundary; a list adds ``weight`` to the half it is drawn from.

    All ten items of a list come from one half of the catalogue, and that half's share has moved
    by exactly what is tolerated.
    """
    rng = np.random.default_rng(seed)
    reference = np.array([5e14, 5e14])
    first = rng.binomial(LISTS, 0.5 + EPS, (RUNS, WINDOWS))
    count = 0
    for run in first:
        test = WitnessTest(reference, EPS)
        count += any(
            test.update(weight * np.array([k, LISTS - k]), share=SHARE) for k in run.tolist()
        )
    return count


def test_lists_that_count_once_keep_the_budget() -> None:
    """Expected alarms are at most the sum of shares, and so is the chance of any."""
    budget = SHARE * WINDOWS
    found = alarms(1.0, seed=11) / RUNS
    assert found <= budget + 3 * math.sqrt(budget * (1 - budget) / RUNS)


def test_control_items_that_count_as_independent_break_it() -> None:
    """The same lists, each of ten items counted as ten events."""
    assert alarms(float(DEPTH), seed=11) / RUNS > 0.3


def test_a_divided_list_bets_as_its_items_over_their_number() -> None:
    """A part of a list in the witness is a part of a yes: a tenth of what its ten items win."""
    n, s = LISTS, LISTS * 0.62
    of_lists = binary.increments(n=n, s=s, m=0.55)
    of_items = binary.increments(n=DEPTH * n, s=DEPTH * s, m=0.55)
    assert of_lists == pytest.approx(of_items / DEPTH, rel=1e-12)
