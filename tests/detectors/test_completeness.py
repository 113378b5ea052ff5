"""How complete late labels are, and rates where only positives are reported."""

import math

import numpy as np
import pytest
from scipy import stats

from detectors.estimation.completeness import (
    RiskSums,
    completeness,
    interval,
    maturity,
    seen_buckets,
)
from detectors.estimation.positive_only import positive_rate, reported_by
from detectors.outcomes.contract import DELAYS_MS
from schemas.errors import ConfigurationError

RUNS, BUCKETS, MEAN = 1_000, 12, 4.0
TRUE = 1 - np.exp(-np.arange(1, BUCKETS + 1) / MEAN)
"""Completeness of exponential delays with a mean of 4 buckets."""


def cohorts(rng: np.random.Generator, size: int, count: int, chance: float = 1.0) -> np.ndarray:
    """Labels by delay of `count` cohorts, shape (count, BUCKETS)."""
    law = chance * np.diff(np.r_[0.0, TRUE])
    return rng.multinomial(size, [*law, 1 - law.sum()], size=count)[:, :BUCKETS]


def known(labels: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """What cohorts of these ages show; the bucket under way is half filled."""
    place = np.arange(BUCKETS)
    partly = np.where(place == seen[:, None], labels // 2, 0)
    return np.where(place < seen[:, None], labels, partly)


def test_exponential_delays_are_recovered_from_cohorts_of_all_ages() -> None:
    """Buckets 1, 4 and 9 of delays with a mean of 4, within three standard errors."""
    seen = np.tile(np.arange(1, BUCKETS + 1), 10)
    labels = known(cohorts(np.random.default_rng(41), 200, len(seen)), seen)
    sums = RiskSums.of(labels, np.full(len(seen), 200), seen)
    assert TRUE[[1, 4, 9]] == pytest.approx([0.3935, 0.7135, 0.9179], abs=5e-5)
    low, high = interval(sums, alpha=0.0027)
    assert np.all((low < TRUE) & (high > TRUE))
    assert completeness(sums)[[1, 4, 9]] == pytest.approx(TRUE[[1, 4, 9]], abs=0.02)


def test_control_naive_share_is_biased_by_young_cohorts() -> None:
    """Labels seen over all predictions stays far below the truth."""
    seen = np.tile(np.arange(1, BUCKETS + 1), 10)
    labels = known(cohorts(np.random.default_rng(42), 200, len(seen)), seen)
    naive = labels[:, :10].sum() / (200 * len(seen))
    assert naive < TRUE[9] - 0.15


def test_estimate_and_interval_are_those_of_censored_rows() -> None:
    """Kaplan-Meier with the log-log interval on single rows."""
    labels, n, seen = np.array([[40, 30, 10], [50, 20, 0]]), [100, 100], [3, 2]
    sums = RiskSums.of(labels, n, seen)
    events = np.repeat([1, 2, 3, 1, 2], [40, 30, 10, 50, 20])
    censored = np.repeat([3, 2], [20, 30])
    curve = stats.ecdf(stats.CensoredData(uncensored=events, right=censored)).sf
    assert completeness(sums) == pytest.approx(1 - curve.probabilities, abs=1e-9)
    ends = curve.confidence_interval(0.95, method="log-log")
    low, high = interval(sums)
    assert low == pytest.approx(1 - ends.high.probabilities, abs=1e-9)
    assert high == pytest.approx(1 - ends.low.probabilities, abs=1e-9)


def test_interval_covers() -> None:
    """Cohorts of all ages, 1,000 runs, in every bucket."""
    rng, seen = np.random.default_rng(43), np.arange(1, BUCKETS + 1)
    held = np.zeros(BUCKETS)
    for _ in range(RUNS):
        sums = RiskSums.of(cohorts(rng, 100, BUCKETS), np.full(BUCKETS, 100), seen)
        low, high = interval(sums)
        held += (low <= TRUE) & (high >= TRUE)
    assert np.all((held / RUNS >= 0.93) & (held / RUNS <= 0.98))


def test_sums_of_cohorts_add() -> None:
    """In any order, and for halves of one cohort, bit for bit."""
    rng, seen = np.random.default_rng(44), np.arange(1, 9)
    first, second = cohorts(rng, 100, 8), cohorts(rng, 60, 8)
    parts = RiskSums.of(first, np.full(8, 100), seen) + RiskSums.of(second, np.full(8, 60), seen)
    whole = RiskSums.of(first + second, np.full(8, 160), seen)
    assert np.array_equal(parts.at_risk, whole.at_risk)
    assert np.array_equal(parts.events, whole.events)


def test_unseen_buckets_are_unknown_and_finished_ones_are_known() -> None:
    """Nobody has seen bucket 2; where all labels came early, the rest is complete."""
    young = completeness(RiskSums.of([[40, 30, 5]], [100], [2]))
    assert young[:2] == pytest.approx([0.4, 0.7])
    assert math.isnan(young[2])
    done = RiskSums.of([[60, 40, 0]], [100], [3])
    assert completeness(done) == pytest.approx([0.6, 1.0, 1.0])
    assert interval(done).low[1:].tolist() == [1.0, 1.0]


def test_maturity_asks_for_completeness_not_for_age() -> None:
    """Labels of which a fifth never comes do not mature."""
    assert maturity(TRUE, 0.9) == 10
    assert maturity(0.8 * TRUE, 0.9) == math.inf
    assert maturity([0.5, math.nan], 0.9) == math.inf


def test_ages_become_buckets() -> None:
    """The open bucket is never seen to its end."""
    day_ms = 86_400_000
    assert seen_buckets([0, 59_999, 60_000, day_ms, 100 * day_ms], DELAYS_MS).tolist() == [
        0,
        0,
        1,
        8,
        11,
    ]


def test_positive_only_rate_counts_what_could_be_known() -> None:
    """5 % fraud, reported late: right for all ages, where the naive rate is too low."""
    rng, seen = np.random.default_rng(45), np.tile(np.arange(2, BUCKETS + 1), 8)
    reported = TRUE / TRUE[-1]
    labels = cohorts(rng, 1_000, len(seen), chance=0.05 / TRUE[-1])
    labels = np.where(np.arange(BUCKETS) < seen[:, None], labels, 0)
    n = np.full(len(seen), 1_000)
    share = reported_by(completeness(RiskSums.of(labels, n, seen)), seen)
    assert share == pytest.approx(reported[seen - 1], abs=0.03)
    number = positive_rate(labels.sum(axis=1), n, share)
    naive = labels.sum() / n.sum()
    assert float(number.low) < 0.05 < float(number.high)
    assert float(number.value) == pytest.approx(0.05, abs=0.002)
    assert naive < 0.044


def test_positive_only_interval_covers() -> None:
    """For a known delay curve, 95 % within Wilson's usual error."""
    rng, seen = np.random.default_rng(46), np.arange(1, BUCKETS + 1)
    reported = TRUE / TRUE[-1]
    found = rng.binomial(400, 0.05 * reported[seen - 1], size=(4 * RUNS, BUCKETS))
    number = positive_rate(found, np.full(found.shape, 400), reported[seen - 1])
    assert 0.94 <= np.mean((number.low <= 0.05) & (number.high >= 0.05)) <= 0.965


def test_nothing_reported_yet_is_unknown() -> None:
    """A cohort that has seen no bucket says nothing."""
    assert reported_by([0.03, 0.05], [0]).tolist() == [0.0]
    assert math.isnan(positive_rate([0], [1_000], [0.0]).value)
    assert math.isnan(reported_by([0.0, 0.0], [2])[0])


def test_contradictions_are_refused() -> None:
    """The message names the cohort and its counts."""
    with pytest.raises(ValueError, match="cohort 1 has 120 labels for 100"):
        RiskSums.of([[40, 30], [60, 60]], [100, 100], [2, 2])
    with pytest.raises(ValueError, match="do not fit"):
        RiskSums.of([[40, 30]], [100, 100], [2])
    with pytest.raises(ValueError, match="seen is 3 buckets"):
        reported_by([0.5, 0.6], [3])
    with pytest.raises(ConfigurationError, match="must rise"):
        seen_buckets([1], [5, 5])
    with pytest.raises(ConfigurationError, match="target is 0"):
        maturity(TRUE, 0.0)
