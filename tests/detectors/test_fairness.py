"""Gaps between groups, and the tests for the 80 % rule and for gaps in error rates."""

import math

import numpy as np
import pytest

from detectors.bets import ArmCounts, TwoSampleBet
from detectors.bets.grid import log_mean_exp
from detectors.fairness.four_fifths import (
    GroupCounts,
    GroupTest,
    four_fifths,
    rate_deficit,
    rate_excess,
)
from detectors.fairness.gaps import LEAST, calibration_gaps, gaps, ratio
from detectors.intervals import newcombe
from detectors.sequential.e_sr import step
from schemas.errors import ConfigurationError

RUNS = 1_000
LIMIT = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def swinging(
    bet: TwoSampleBet, group: np.ndarray, reference: np.ndarray, seed: int, n: int = 20
) -> np.ndarray:
    """Log e-values, shape (RUNS, windows): `n` group members and 5 n others in each window."""
    rng = np.random.default_rng(seed)
    shape = (RUNS, len(group))
    k_b = rng.binomial(5 * n, reference, size=shape)
    before = np.cumsum(k_b, axis=1) - k_b
    count = 5 * n * np.arange(shape[1])
    arms = ArmCounts(
        n_c=np.full(shape, n),
        k_c=rng.binomial(n, group, size=shape),
        n_b=np.full(shape, 5 * n),
        k_b=k_b,
        b0=(before + 0.5) / (count + 1),
    )
    return log_mean_exp(np.cumsum(bet.increments(arms), axis=1))


def ever(log_e: np.ndarray) -> float:
    """Share of runs whose e-value ever reaches 20."""
    return float(np.mean(log_e.max(axis=1) >= math.log(20)))


LEVEL = 0.30 + 0.15 * np.sin(np.arange(100) / 5)
"""A rate that swings for everybody."""


def test_known_answer_of_the_ratio() -> None:
    """.18 of 200 against .30 of 1,000."""
    value, low, high = (float(x) for x in ratio(36, 200, 300, 1_000))
    assert (value, low, high) == pytest.approx((0.6, 0.4398, 0.8185), abs=5e-5)


def test_gaps_of_groups() -> None:
    """Difference, shrunk rate, and what is hidden, by hand."""
    result = gaps([300, 36, 9], [1_000, 200, LEAST - 1])
    assert result.difference.value == pytest.approx([0.0, -0.12, 9 / 29 - 0.3])
    low, high = newcombe(36, 200, 300, 1_000)
    assert (result.difference.low[1], result.difference.high[1]) == (float(low), float(high))
    everybody = 345 / 1_229
    assert result.rate == pytest.approx(
        [(300 + 20 * everybody) / 1_020, (36 + 20 * everybody) / 220, (9 + 20 * everybody) / 49]
    )
    assert result.shown.tolist() == [True, True, False]
    assert gaps([300, 36], [1_000, 200], reference=1).difference.value[0] == pytest.approx(0.12)


def test_a_small_reference_group_hides_every_comparison() -> None:
    """Each number would be about few people."""
    assert gaps([300, 3], [1_000, 10], reference=1).shown.tolist() == [False, False]


def test_intervals_cover() -> None:
    """Difference and ratio of .18 and .30, 200 and 1,000 rows; and a rare rate."""
    rng = np.random.default_rng(61)
    for p1, p2 in ((0.18, 0.30), (0.04, 0.05)):
        k1, k2 = rng.binomial(200, p1, 4 * RUNS), rng.binomial(1_000, p2, 4 * RUNS)
        number = ratio(k1, 200, k2, 1_000)
        assert 0.935 <= np.mean((number.low <= p1 / p2) & (p1 / p2 <= number.high)) <= 0.98
        low, high = newcombe(k1, 200, k2, 1_000)
        assert 0.935 <= np.mean((low <= p1 - p2) & (p1 - p2 <= high)) <= 0.98


def test_calibration_gap_covers() -> None:
    """A group whose truth lies .05 above its score, next to a calibrated one."""
    rng = np.random.default_rng(62)
    held = 0
    for _ in range(RUNS):
        sums = []
        for size, bias in ((1_000, 0.0), (200, 0.05)):
            p = rng.beta(2, 5, size)
            residual = (rng.random(size) < np.minimum(p + bias, 1)) - p
            sums.append((size, residual.sum(), (residual**2).sum()))
        number = calibration_gaps(*np.array(sums).T)
        held += bool(number.low[1] <= 0.05 <= number.high[1])
    assert 0.93 <= held / RUNS <= 0.97


def test_empty_groups_are_unknown() -> None:
    """NaN, not shown, and no warning; a group with no success keeps an interval."""
    result = gaps([300, 0, 0], [1_000, 0, 50])
    assert math.isnan(result.difference.value[1])
    assert not result.shown[1]
    assert float(result.ratio.value[2]) == 0.0
    assert 0.0 < float(result.ratio.high[2]) < 1.0
    assert math.isnan(ratio(3, 10, 0, 10).value)
    assert np.isnan(calibration_gaps([1_000, 1], [0.0, 0.5], [160.0, 0.25]).value[1])


@pytest.mark.parametrize(
    ("bet", "group"),
    [
        (four_fifths(), 0.8 * LEVEL),
        (rate_deficit(0.05), LEVEL - 0.05),
        (rate_excess(0.05), LEVEL + 0.05),
    ],
    ids=["four fifths", "deficit", "excess"],
)
def test_bets_keep_their_level_at_their_limit(bet: TwoSampleBet, group: np.ndarray) -> None:
    """Exactly at the tolerated gap, while the level swings for both groups."""
    assert ever(swinging(bet, group, LEVEL, seed=63)) <= LIMIT


def test_four_fifths_finds_three_fifths() -> None:
    """.18 against .30: half of the runs within 500 members of the group, nine in ten in 1,500."""
    flat = np.full(100, 0.30)
    found = swinging(four_fifths(), 0.6 * flat, flat, seed=64) >= math.log(20)
    members = np.where(found.any(axis=1), 20 * (1 + np.argmax(found, axis=1)), np.inf)
    assert np.median(members) <= 500
    assert np.mean(members <= 1_500) >= 0.9


def test_gap_tests_find_twice_the_tolerated_gap_and_more() -> None:
    """.15 apart at a tolerance of .05, in 2,000 members of the group."""
    flat = np.full(100, 0.30)
    assert ever(swinging(rate_deficit(0.05), flat - 0.15, flat, seed=65)) >= 0.9
    assert ever(swinging(rate_excess(0.05), flat + 0.15, flat, seed=66)) >= 0.9


def test_control_peeked_interval() -> None:
    """An interval for one look, looked at after every window, breaks its level."""
    rng = np.random.default_rng(67)
    k = np.cumsum(rng.binomial(20, 0.24, size=(RUNS, 100)), axis=1)
    k_reference = np.cumsum(rng.binomial(100, 0.30, size=(RUNS, 100)), axis=1)
    n = 20.0 * np.arange(1, 101)
    with np.errstate(divide="ignore", invalid="ignore"):
        high = ratio(k, n, k_reference, 5 * n, alpha=0.10).high
    assert np.mean((high < 0.8).any(axis=1)) > 0.2


def test_group_test_is_the_simulated_rule() -> None:
    """Learns the reference rate from earlier windows; alarms on .6 and resumes bit for bit."""
    rng = np.random.default_rng(68)
    windows = [
        GroupCounts(float(n), float(rng.binomial(n, 0.18)), 500.0, float(rng.binomial(500, 0.3)))
        for n in rng.integers(20, 200, size=12)
    ]
    whole, first = GroupTest(four_fifths()), GroupTest(four_fifths())
    alarms = [whole.update(window, share=0.001) for window in windows]
    assert any(alarms)
    for window in windows[:5]:
        first.update(window, share=0.001)
    second = first.resume(first.state())
    assert [second.update(window, share=0.001) for window in windows[5:]] == alarms[5:]
    assert second.state() == whole.state()
    assert len(whole.state()) * 8 <= 128
    whole.reset()
    assert whole.log_m == -math.inf


def test_monitoring_at_the_limit_keeps_its_budget() -> None:
    """Budgeted e-SR at ratio .8: 200 windows at a share of .01 expect at most 2 alarms."""
    rng, bet = np.random.default_rng(69), four_fifths()
    wealth, count = np.full((RUNS, bet.bets), -np.inf), np.zeros(RUNS)
    for _ in range(200):
        k, k_reference = rng.binomial(20, 0.24, RUNS), rng.binomial(100, 0.30, RUNS)
        full = np.ones(RUNS)
        arms = ArmCounts(n_c=20 * full, k_c=k, n_b=100 * full, k_b=k_reference, b0=0.3 * full)
        wealth = step(wealth, bet.increments(arms), log_share=math.log(0.01))
        over = log_mean_exp(wealth) >= 0
        count += over
        wealth[over] = -np.inf
    assert np.mean(count) <= 2 + 3 * np.std(count) / math.sqrt(RUNS)


def test_a_window_without_a_group_changes_nothing() -> None:
    """Neither wealth nor the memory of the reference group."""
    test = GroupTest(four_fifths())
    test.update(GroupCounts(20.0, 3.0, 100.0, 30.0), share=0.01)
    before = test.state()
    assert not test.update(GroupCounts(0.0, 0.0, 100.0, 50.0), share=0.01)
    assert not test.update(GroupCounts(20.0, 0.0, 0.0, 0.0), share=0.01)
    assert test.state() == before


def test_settings_and_counts_are_checked() -> None:
    """The message names the value."""
    with pytest.raises(ConfigurationError, match=r"r is 1\.2"):
        four_fifths(1.2)
    with pytest.raises(ConfigurationError, match=r"d is -0\.1"):
        rate_excess(-0.1)
    with pytest.raises(ConfigurationError, match="d is 1"):
        rate_deficit(1.0)
    with pytest.raises(ConfigurationError, match="reference group 2 does not exist"):
        gaps([1, 2], [3, 4], reference=2)
    with pytest.raises(ValueError, match="0 <= k <= n"):
        gaps([5, 2], [3, 4])
    with pytest.raises(ValueError, match="k is 21 of 20"):
        GroupTest(four_fifths()).update(GroupCounts(20.0, 21.0, 100.0, 30.0), share=0.01)
    with pytest.raises(ValueError, match="nan"):
        GroupTest(four_fifths()).update(GroupCounts(20.0, math.nan, 100.0, 30.0), share=0.01)
