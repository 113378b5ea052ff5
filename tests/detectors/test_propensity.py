"""Labels chosen with known chances: unbiased means, and bets that keep their level."""

import math

import numpy as np
import pytest

from detectors.bets.grid import log_mean_exp
from detectors.estimation.propensity import CAP, WeightedBet, WeightSums, hajek_mean
from detectors.sequential.betting import BettingTest
from schemas.errors import ConfigurationError

RUNS = 1_000
LIMIT = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)
CHANCES, RATES = np.array([0.76, 0.24]), np.array([0.0731, 0.2269])
"""Two equal halves: the easy one fails rarely and is labelled often. Mean rate .15."""


def windows(
    rng: np.random.Generator,
    count: int,
    size: int,
    *,
    chances: np.ndarray = CHANCES,
    rates: np.ndarray = RATES,
    cap: float = CAP,
) -> tuple[WeightSums, np.ndarray]:
    """Sums of `RUNS` x `count` windows of `size` predictions, and their naive rates."""
    shape = (RUNS, count, len(chances))
    labels = rng.binomial(size // len(chances), chances, size=shape)
    hits = rng.binomial(labels, rates)
    w = np.minimum(1 / chances, cap)
    sums = WeightSums(
        n=np.full(shape[:2], float(size)),
        w=labels @ w,
        wx=hits @ w,
        w2=labels @ w**2,
        w2x=hits @ w**2,
        w2x2=hits @ w**2,
        lost=labels @ (1 / chances - w),
    )
    return sums, hits.sum(axis=-1) / np.maximum(labels.sum(axis=-1), 1)


def ever_alarms(bet: WeightedBet, sums: WeightSums) -> float:
    """Share of runs whose wealth ever reaches 20."""
    log_e = log_mean_exp(np.cumsum(bet.increments(sums), axis=1))
    return float(np.mean(log_e.max(axis=1) >= math.log(20)))


def test_known_answer_of_chosen_labels() -> None:
    """Expected sums of two halves: naive .110, weighted .15, effective share .73."""
    labels = 1_000 * CHANCES
    hits, w = labels * RATES, 1 / CHANCES
    sums = WeightSums(2_000, labels @ w, hits @ w, labels @ w**2, hits @ w**2, hits @ w**2, 0)
    assert hits.sum() / labels.sum() == pytest.approx(0.110, abs=1e-4)
    assert float(hajek_mean(sums).value) == pytest.approx(0.15, abs=1e-12)
    assert float(sums.effective_size) / labels.sum() == pytest.approx(0.7296, abs=1e-4)


def test_sums_of_rows() -> None:
    """By hand, with one weight clipped; windows add."""
    sums = WeightSums.of(x=[1, 0, 0.5], propensity=[0.5, 1.0, 0.04], predictions=30)
    assert (sums.n, sums.w, sums.wx) == (30.0, 23.0, 12.0)
    assert (sums.w2, sums.w2x, sums.w2x2) == (405.0, 204.0, 104.0)
    assert float(sums.clipped_mass) == pytest.approx(5 / 28)
    assert float((sums + sums).effective_size) == pytest.approx(46**2 / 810)


def test_weighted_mean_is_unbiased_and_covered_and_the_naive_one_is_not() -> None:
    """Windows of 2,000 predictions."""
    sums, naive = windows(np.random.default_rng(51), 1, 2_000)
    number = hajek_mean(sums)
    assert float(np.mean(number.value)) == pytest.approx(0.15, abs=0.002)
    assert float(np.mean(naive)) == pytest.approx(0.110, abs=0.002)
    assert 0.93 <= np.mean((number.low <= 0.15) & (number.high >= 0.15)) <= 0.97


@pytest.mark.parametrize(("side", "m"), [("above", 0.15), ("below", 0.15)])
def test_bet_keeps_its_level_at_its_limit(side: str, m: float) -> None:
    """A mean exactly at the limit, with a look after each of 100 windows."""
    sums, _ = windows(np.random.default_rng(52), 100, 100)
    assert ever_alarms(WeightedBet(m=m, side=side), sums) <= LIMIT


@pytest.mark.parametrize("side", ["above", "below"])
def test_bet_keeps_its_level_where_weights_are_clipped(side: str) -> None:
    """Propensities of .02 under a cap of 20 lose weight, which must never alarm."""
    chances, rates = np.array([0.9, 0.02]), np.array([0.05, 0.25])
    sums, _ = windows(np.random.default_rng(53), 100, 200, chances=chances, rates=rates)
    assert float(np.mean(sums.clipped_mass)) > 0.2
    assert ever_alarms(WeightedBet(m=0.15, side=side), sums) <= LIMIT


def test_bet_finds_a_worse_mean() -> None:
    """10,000 predictions at .15: nine in ten runs find it above .10, eight in ten below .20."""
    sums, _ = windows(np.random.default_rng(54), 50, 200, cap=5.0)
    assert ever_alarms(WeightedBet(m=0.10, cap=5.0), sums) >= 0.9
    assert ever_alarms(WeightedBet(m=0.20, cap=5.0, side="below"), sums) >= 0.8


def test_control_counting_labels_instead_of_predictions() -> None:
    """Weighted sums over the number of labels look far too high."""
    sums, _ = windows(np.random.default_rng(55), 100, 100)
    labels = WeightSums(
        n=np.asarray(sums.n) * CHANCES.mean(),
        w=sums.w,
        wx=sums.wx,
        w2=sums.w2,
        w2x=sums.w2x,
        w2x2=sums.w2x2,
        lost=sums.lost,
    )
    assert ever_alarms(WeightedBet(m=0.15), labels) > 0.5


def test_expected_wealth_of_one_prediction_is_at_most_one() -> None:
    """Exactly, for every bet, limit and side, over a law of two chances and two outcomes."""
    for m in (0.05, 0.15, 0.5):
        rates = np.array([0.5 * m, 1.5 * m])
        outcomes = [
            (0.5 * c * p, x, c)
            for c, r in zip(CHANCES, rates, strict=True)
            for x, p in ((1, r), (0, 1 - r))
        ]
        for side in ("above", "below"):
            bet = WeightedBet(m=m, side=side)
            unlabelled = WeightSums(1, 0, 0, 0, 0, 0, 0)
            mean = (1 - CHANCES.mean()) * np.exp(bet.increments(unlabelled))
            for chance, x, c in outcomes:
                row = WeightSums.of([x], [c], predictions=1)
                mean = mean + chance * np.exp(bet.increments(row))
            assert np.all(mean <= 1 + 1e-12)


def test_bet_makes_a_sequential_test() -> None:
    """A window without predictions changes nothing; one with few labels is bet on."""
    test = BettingTest(WeightedBet(m=0.1))
    assert not test.update(WeightSums.of([], [], predictions=0), share=0.001)
    assert test.log_m == -math.inf
    test.update(WeightSums.of([1], [0.5], predictions=10), share=0.001)
    assert math.isfinite(test.log_m)


def test_contradictions_are_refused() -> None:
    """The message names the value."""
    with pytest.raises(ValueError, match="propensity 0"):
        WeightSums.of([1], [0.0], predictions=10)
    with pytest.raises(ValueError, match="2 labels for 1 predictions"):
        WeightSums.of([1, 0], [0.5, 0.5], predictions=1)
    with pytest.raises(ConfigurationError, match="m is 1"):
        WeightedBet(m=1.0)
    with pytest.raises(ConfigurationError, match=r"cap is 0\.5"):
        WeightedBet(m=0.1, cap=0.5)
    with pytest.raises(ConfigurationError, match="side is 'up'"):
        WeightedBet(m=0.1, side="up")
