"""Budgets by hour of the week: the calendar, and false alarms with a season and without."""

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.bets import binary
from detectors.bets.grid import log_mean_exp
from detectors.seasonal import HOUR_MS, SLOTS, WEEK_MS, SeasonalBudget, hour_of_week, slot_hours
from detectors.sequential.e_sr import step
from schemas.errors import ConfigurationError

MONDAY_MS = 1_704_067_200_000
RUNS, HOURS, EVENTS = 1_000, 1_000, 200
SEASON = 0.05 - 0.03 * np.sin(2 * np.pi * np.arange(SLOTS) / 24)


def alarms(rate: np.ndarray, m: np.ndarray, *, share: float, seed: int) -> np.ndarray:
    """Alarms of budgeted e-SR in each of `RUNS` runs of `HOURS` windows, reset after each."""
    rng = np.random.default_rng(seed)
    wealth = np.full((RUNS, 12), -np.inf)
    count = np.zeros(RUNS)
    for hour in range(HOURS):
        s = rng.binomial(EVENTS, rate[hour % SLOTS], size=RUNS)
        le = binary.increments(n=EVENTS, s=s, m=m[hour % SLOTS])
        wealth = step(wealth, le, log_share=math.log(share))
        over = log_mean_exp(wealth) >= 0
        count += over
        wealth[over] = -np.inf
    return count


def learned(weeks: int, tolerance: float) -> SeasonalBudget:
    """A budget from `weeks` weeks of hourly windows."""
    n = np.full(SLOTS, weeks * EVENTS)
    return SeasonalBudget.of(n, np.random.default_rng(71).binomial(n, SEASON), tolerance=tolerance)


def hourly(budget: SeasonalBudget) -> np.ndarray:
    """Limits of a week of one-hour windows."""
    starts = [MONDAY_MS + hour * HOUR_MS for hour in range(SLOTS)]
    return np.array([budget.limit(start, start + HOUR_MS) for start in starts])


@given(st.integers(min_value=-(2**40), max_value=2**42))
def test_hour_of_week_is_that_of_the_calendar(time_ms: int) -> None:
    """For any time, before 1970 too."""
    when = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=time_ms)
    assert int(hour_of_week(time_ms)) == when.weekday() * 24 + when.hour


@given(st.integers(0, 2 * WEEK_MS), st.integers(1, 3 * WEEK_MS), st.integers(0, 3 * WEEK_MS))
def test_hours_of_windows_add(start: int, first: int, second: int) -> None:
    """They sum to the length, and those of two windows in a row to those of both together."""
    hours = slot_hours(start, start + first)
    assert hours.sum() == pytest.approx(first / HOUR_MS)
    if second:
        rest = slot_hours(start + first, start + first + second)
        assert hours + rest == pytest.approx(slot_hours(start, start + first + second), abs=1e-9)


def test_hours_of_a_window_over_the_end_of_the_week() -> None:
    """Sunday 23:30 to Monday 01:00; and a week and a half hour."""
    hours = slot_hours(MONDAY_MS - HOUR_MS // 2, MONDAY_MS + HOUR_MS)
    assert (hours[167], hours[0], hours.sum()) == (0.5, 1.0, 1.5)
    longer = slot_hours(MONDAY_MS, MONDAY_MS + WEEK_MS + HOUR_MS // 2)
    assert (longer[0], longer[1]) == (1.5, 1.0)


def test_hours_are_shrunk_to_the_level_of_all() -> None:
    """(k + 50 p) / (n + 50), by hand; an hour without a reference takes the level."""
    n, s = np.full(SLOTS, 100.0), np.full(SLOTS, 5.0)
    n[3], s[3], n[4], s[4] = 0.0, 0.0, 50.0, 15.0
    level = s.sum() / n.sum()
    budget = SeasonalBudget.of(n, s)
    assert budget.rate[3] == pytest.approx(level)
    assert budget.rate[4] == pytest.approx((15 + 50 * level) / 100)


def test_a_window_over_several_hours_weighs_them_by_traffic() -> None:
    """A busy hour counts for more; halves of hours for half."""
    n, s = np.full(SLOTS, 999.0), np.full(SLOTS, 49.95)
    n[1], s[1] = 2_999.0, 599.8
    budget = SeasonalBudget.of(n, s, tolerance=0.01)
    a, b = budget.rate[:2]
    both = budget.expected(MONDAY_MS, MONDAY_MS + 2 * HOUR_MS)
    assert both == pytest.approx((a * 1_000 + b * 3_000) / 4_000)
    late = budget.expected(MONDAY_MS + HOUR_MS // 2, MONDAY_MS + 2 * HOUR_MS)
    assert late == pytest.approx((a * 500 + b * 3_000) / 3_500)
    assert budget.limit(MONDAY_MS, MONDAY_MS + HOUR_MS) == pytest.approx(a + 0.01)


def test_limit_stays_inside_zero_and_one() -> None:
    """So that a bet can be made."""
    full = np.full(SLOTS, 10.0)
    assert 0 < SeasonalBudget.of(full, 0 * full).limit(0, HOUR_MS) < 1e-5
    assert 1 - 1e-5 < SeasonalBudget.of(full, full, tolerance=0.5).limit(0, HOUR_MS) < 1


def test_known_season_keeps_the_budget() -> None:
    """1,000 windows at a share of .001: at most 1 alarm is expected."""
    count = alarms(SEASON, SEASON, share=0.001, seed=72)
    assert np.mean(count) <= 1 + 3 * np.std(count) / math.sqrt(RUNS)


def test_learned_season_with_tolerance_keeps_the_budget() -> None:
    """Eight weeks of reference and a tolerance of a hundredth."""
    count = alarms(SEASON, hourly(learned(8, 0.01)), share=0.001, seed=73)
    assert np.mean(count) <= 1 + 3 * np.std(count) / math.sqrt(RUNS)


def test_learned_season_finds_a_shift() -> None:
    """Twice the rate in every hour is found by all runs."""
    count = alarms(2 * SEASON, hourly(learned(8, 0.01)), share=0.001, seed=74)
    assert np.all(count >= 1)


def test_control_flat_budget_takes_the_season_for_a_fault() -> None:
    """The mean of the season as limit for every hour."""
    count = alarms(SEASON, np.full(SLOTS, 0.05), share=0.001, seed=75)
    assert np.mean(count) > 10


def test_contradictions_are_refused() -> None:
    """The message names shapes and values."""
    with pytest.raises(ConfigurationError, match="ends before it starts"):
        slot_hours(5, 5)
    with pytest.raises(ConfigurationError, match=r"need \(168,\)"):
        SeasonalBudget.of([1.0], [0.0])
    with pytest.raises(ConfigurationError, match="at least 1 event"):
        SeasonalBudget.of(np.zeros(SLOTS), np.zeros(SLOTS))
    with pytest.raises(ConfigurationError, match=r"tolerance is -0\.1"):
        SeasonalBudget.of(np.ones(SLOTS), np.ones(SLOTS), tolerance=-0.1)
