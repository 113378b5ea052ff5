"""The calls of the bank example stand on a calendar that agrees with the data."""

from __future__ import annotations

import doctest
import importlib
import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from examples.bank.timeline import MONTHS, WEEKDAYS, Call, day_groups, load, read_rows

MODULES = ("timeline", "model", "fit", "simulate", "events", "prepare")


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return load()


def easter(year: int) -> date:
    """Easter Sunday (Meeus, Jones and Butcher's algorithm)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    offset = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * offset) // 451
    month, day = divmod(h + offset - 7 * m + 114, 31)
    return date(year, month, day + 1)


@pytest.mark.parametrize("name", MODULES)
def test_every_docstring_example_holds(name: str) -> None:
    """The examples in the docstrings of the bank example are true, and there are some."""
    results = doctest.testmod(importlib.import_module(f"examples.bank.{name}"))
    assert results.attempted > 0
    assert results.failed == 0


def test_times_rise_strictly(calls: list[Call]) -> None:
    """Order in the data is order in time, and no two calls share a time."""
    assert all(a.time_ms < b.time_ms for a, b in itertools.pairwise(calls))


def test_dates_agree_with_month_and_weekday_of_the_data(calls: list[Call]) -> None:
    """Each inferred date has the month and the weekday that the row states."""
    stated = [(row["month"], row["day_of_week"]) for row in read_rows()]
    found = [(MONTHS[call.day.month - 1], WEEKDAYS[call.day.weekday()]) for call in calls]
    assert found == stated


def test_calls_fall_in_working_hours(calls: list[Call]) -> None:
    """No call before 09:00 or from 18:00 UTC on."""
    hours = {datetime.fromtimestamp(call.time_ms / 1_000, UTC).hour for call in calls}
    assert hours == set(range(9, 18))


def test_euribor_is_one_rate_a_day() -> None:
    """A day has one euribor rate, as a daily rate must."""
    for day, rows in day_groups(read_rows()):
        assert len({row["euribor3m"] for row in rows}) == 1, day


def test_public_holidays_drop_out_by_themselves(calls: list[Call]) -> None:
    """The dates are right to the day where it can be checked: nothing on Portuguese holidays."""
    days = {call.day for call in calls}
    for year in (2009, 2010):
        assert easter(year) - timedelta(days=2) not in days
    corpus_christi_2008 = easter(2008) + timedelta(days=60)
    assert {corpus_christi_2008, date(2008, 6, 10), date(2008, 8, 15)}.isdisjoint(days)
    assert corpus_christi_2008 == date(2008, 5, 22)


def test_the_data_is_whole(calls: list[Call]) -> None:
    """Counts and subscriptions of the paper's data, month by month where the story turns."""
    assert (len(calls), sum(call.subscribed for call in calls)) == (41_188, 4_640)
    months = {(2008, 5): (7_763, 240), (2008, 10): (67, 42), (2009, 3): (282, 126)}
    for month, counts in months.items():
        those = [call.subscribed for call in calls if (call.day.year, call.day.month) == month]
        assert (len(those), sum(those)) == counts


def test_the_length_of_a_call_is_not_known_before_it(calls: list[Call]) -> None:
    """The column that gives the outcome away is not shipped."""
    assert "duration" not in read_rows()[0]
    assert "duration" not in calls[0].features
