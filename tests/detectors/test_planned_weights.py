"""Bets weighted for a planned difference: as honest as equal weights, and sooner there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.arrays import FloatArray
from detectors.bets import two_sample
from detectors.bets.grid import K, log_mean_exp, weights_around
from detectors.canary.three_way import Guardrail
from detectors.sequential.e_process import EProcess

RUNS, LOOKS, ALPHA = 1_000, 150, 0.05


def wealth(rate: FloatArray, rise: float, n_canary: FloatArray, *, seed: int) -> FloatArray:
    """Log-wealth (RUNS, LOOKS, K) of bets on harm in windows of 1,000; ``rate`` has (LOOKS,)."""
    rng = np.random.default_rng(seed)
    n_baseline = 1_000 - n_canary
    bad = rng.binomial(n_canary.astype(int), rate + rise, (RUNS, LOOKS))
    usual = rng.binomial(n_baseline.astype(int), rate, (RUNS, LOOKS))
    before = np.cumsum(usual, axis=1) - usual
    guess = (before + 5.0) / (np.cumsum(n_baseline) - n_baseline + 50.0)
    increments = two_sample.increments_binary(
        n_c=n_canary, k_c=bad, n_b=n_baseline, k_b=usual, b0=guess, d=0.0, side="harm"
    )
    return np.cumsum(increments, axis=1)


def found_by(path: FloatArray, weights: FloatArray | None, looks: int) -> float:
    """Share of runs in which harm is proven within so many looks."""
    return float((log_mean_exp(path[:, :looks], weights) >= -math.log(ALPHA)).any(axis=1).mean())


def test_planned_weights_keep_the_level() -> None:
    """The level and the split swing, the arms are equal, and every window is looked at."""
    swing = np.arange(LOOKS)
    path = wealth(0.05 + 0.04 * np.sin(swing / 9), 0.0, 300 + 150 * np.sin(swing / 23), seed=1)
    bound = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)
    assert found_by(path, two_sample.WEIGHTS, LOOKS) <= bound


@pytest.mark.parametrize("rise", [0.07, 0.10, 0.13])
def test_a_rise_near_the_planned_one_is_found_sooner(rise: float) -> None:
    """Within twice what one fixed look needs for power .8: in eight of ten, against two thirds."""
    rate = 0.17
    fixed = 2 * rate * (1 - rate) * 6.18 / (rate * rise) ** 2
    looks = min(math.ceil(2 * fixed / 500), LOOKS)
    path = wealth(np.full(LOOKS, rate), rate * rise, np.full(LOOKS, 500.0), seed=2)
    planned, equal = (found_by(path, weights, looks) for weights in (two_sample.WEIGHTS, None))
    assert planned >= 0.78
    assert planned >= equal + 0.05


def test_control_weights_that_see_the_outcome_break_the_level() -> None:
    """All weight on the bet that did best is no mixture: it alarms far too often."""
    path = wealth(np.full(LOOKS, 0.1), 0.0, np.full(LOOKS, 500.0), seed=3)
    best = path.max(axis=-1)
    assert (best >= -math.log(ALPHA)).any(axis=1).mean() > ALPHA + 0.02


def test_weights_sum_to_one_and_spare_no_bet() -> None:
    """Every size of bet keeps its part of the spread."""
    weights = weights_around(4.3, octaves=1.25)
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() >= 0.1 / K


def test_a_process_goes_on_with_its_weights() -> None:
    """The weights are no part of the state; given again, the evidence is the same."""
    steps = np.linspace(-0.1, 0.4, K)
    process = EProcess(weights=two_sample.WEIGHTS)
    process.update(steps)
    again = EProcess.restore(process.state(), two_sample.WEIGHTS)
    assert again.update(steps) == process.update(steps)
    rail = Guardrail("error_rate", two_sample.WEIGHTS)
    rail.update(harm=steps, benefit=steps)
    known = Guardrail.restore("error_rate", rail.state(), two_sample.WEIGHTS)
    assert known.harm.log_e == rail.harm.log_e != EProcess.restore(rail.harm.state()).log_e
