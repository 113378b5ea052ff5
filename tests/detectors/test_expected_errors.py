"""The bet on errors that scores let expect keeps its level, map learned from few labels or many."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from detectors.bets import bounded
from detectors.bets.grid import K, log_mean_exp
from detectors.estimation.cbpe import error_budget, estimate
from detectors.estimation.expected_errors import allowance, expected_errors
from detectors.estimation.score_map import ScoreMap
from detectors.sequential import e_sr

RUNS, WINDOWS, ROWS, SHARE = 1_000, 50, 300, 0.001
ALPHA = 0.01
TENTHS = np.arange(10)

GRID = stats.beta(0.8, 0.8).ppf((np.arange(100_000) + 0.5) / 100_000)
BIN = np.minimum((GRID * 10).astype(int), 9)
MIX = np.bincount(BIN) / GRID.size
RATE = np.bincount(BIN, GRID) / np.bincount(BIN)
"""Share of positives of each tenth, where a score is the chance of a positive."""
LEVEL = float(np.minimum(GRID, 1.0 - GRID).mean())
"""Share of wrong decisions at a threshold of one half."""


def learned(rng: np.random.Generator, size: int) -> ScoreMap:
    """A map of each run's own reference."""
    n = rng.multinomial(size, MIX, RUNS)
    pos = rng.binomial(n, RATE)
    decided = TENTHS >= 5
    return ScoreMap.learn(n, pos, n1=n * decided, tp=pos * decided)


def alarmed(rng: np.random.Generator, size: int, *, allowed: bool, level: float) -> float:
    """Share of runs that ever alarm, looked at after every window."""
    score_map = learned(rng, size)
    wealth = np.full((RUNS, K), -np.inf)
    ever = np.zeros(RUNS, bool)
    for _ in range(WINDOWS):
        n = rng.multinomial(ROWS, MIX, RUNS)
        n1 = n * (TENTHS >= 5)
        rows, s, q = expected_errors(n, n1, score_map)
        m = level + (allowance(n, n1, score_map, alpha=ALPHA) if allowed else 0.0)
        le = bounded.increments(n=rows, s=s, q=q, m=m)
        wealth = e_sr.step(wealth, le, log_share=math.log(SHARE))
        ever |= log_mean_exp(wealth) >= 0.0
    return float(ever.mean())


@pytest.mark.parametrize("size", [500, 20_000])
def test_false_alarms_are_within_the_shares_and_the_chance_of_a_bad_map(size: int) -> None:
    """The true mix stands exactly at its budget for 50 windows."""
    nominal = WINDOWS * SHARE + ALPHA
    limit = nominal + 3 * math.sqrt(nominal * (1 - nominal) / RUNS)
    assert alarmed(np.random.default_rng(41), size, allowed=True, level=LEVEL) <= limit


def test_control_a_map_taken_for_the_truth_alarms_falsely() -> None:
    """Without the allowance, the error of a map from 500 labels is taken for trouble."""
    assert alarmed(np.random.default_rng(41), 500, allowed=False, level=LEVEL) > 0.2


def test_errors_above_the_budget_are_found() -> None:
    """A budget of three quarters of what the scores let expect is found crossed."""
    rng = np.random.default_rng(42)
    assert alarmed(rng, 20_000, allowed=True, level=0.75 * LEVEL) > 0.99


def test_sums_agree_with_the_estimate() -> None:
    """The mean is the estimated error rate, and the highest explained rate lies above it."""
    score_map = ScoreMap.learn([500, 300], [50, 240], n1=[20, 290], tp=[10, 235])
    n, s, q = expected_errors([80, 40], [5, 38], score_map)
    rate = float(estimate([80, 40], [5, 38], score_map).error_rate.value)
    assert float(s / n) == pytest.approx(rate, abs=1e-12)
    assert q < s
    more = float(allowance([80, 40], [5, 38], score_map, alpha=ALPHA))
    budget = error_budget([80, 40], [5, 38], score_map, alpha=ALPHA)
    assert float(budget) == pytest.approx(rate + more, abs=1e-12)


def test_another_number_of_bins_is_refused() -> None:
    """Bins that are not those of the map."""
    score_map = ScoreMap.known([0.1, 0.5, 0.9])
    with pytest.raises(ValueError, match="2 score bins and the map 3"):
        expected_errors([1, 1], [0, 0], score_map)
    with pytest.raises(ValueError, match="2 score bins and the map 3"):
        allowance([1, 1], [0, 0], score_map, alpha=ALPHA)
