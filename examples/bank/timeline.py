"""The calls of the Bank Marketing data on a calendar.

The data has the month and the weekday of each call and keeps the calls in date order, but has
neither year nor date. This module infers them:

- **year**: it begins in 2008 and goes up whenever the month number falls;
- **date**: a change of month, weekday or daily euribor rate begins a new day, and the day is the
  first one of that weekday after the day before (within the month). Public holidays drop out by
  themselves: nothing falls on Good Friday of 2009 or 2010 although no holiday is named here.
  Where a month has whole weeks without a call, the earliest fitting week is taken. October 2008
  is the one exception: its eleven weekdays in a row end the month, since its last euribor rate
  (4.760) continues on Monday 3 November (4.733) in a rate that falls by about .03 a day;
- **hour**: calls of a day are spread evenly over 09:00-18:00 UTC, in the order of the data.

So the order, month and weekday are the data's; date and hour are inferred, the hour freely.
"""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

DATA = Path(__file__).with_name("bank-additional.csv.gz")
FIRST_YEAR = 2008
OPENING = timedelta(hours=9)
WORKING_DAY_MS = 9 * 3_600_000
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
LATE_STARTS = {(2008, 10): 13}
"""Months whose first call comes later than the first fitting weekday: search from this day."""

INTEGERS = ("age", "campaign", "pdays", "previous")
REALS = ("emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed")
TEXTS = (
    "job",
    "marital",
    "education",
    "default",
    "housing",
    "loan",
    "contact",
    "poutcome",
)

Row = dict[str, str]
Features = dict[str, int | float | str | None]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its place in the data, its inferred time, what was known before it, its outcome.

    Feature names are those of the data with ``_`` for ``.`` (``euribor3m``, ``emp_var_rate``);
    ``pdays`` keeps the data's 999 for "not contacted before" and categories keep "unknown".
    """

    number: int
    time_ms: int
    features: Features
    subscribed: bool

    @property
    def id(self) -> str:
        """The prediction id of the call.

        Examples
        --------
        >>> Call(123, 0, {}, False).id
        'call-000123'
        """
        return f"call-{self.number:06d}"

    @property
    def day(self) -> date:
        """The inferred date."""
        return datetime.fromtimestamp(self.time_ms / 1_000, UTC).date()


def read_rows(path: Path = DATA) -> list[Row]:
    """The rows of the shipped file, in its order."""
    with gzip.open(path, "rt", encoding="ascii", newline="") as table:
        return list(csv.DictReader(table, delimiter=";"))


def day_groups(rows: Iterable[Row]) -> Iterator[tuple[date, list[Row]]]:
    """Rows of one day with its inferred date, days in order.

    Examples
    --------
    >>> rows = [
    ...     {"month": "dec", "day_of_week": "wed", "euribor3m": "3.7"},
    ...     {"month": "dec", "day_of_week": "fri", "euribor3m": "3.6"},
    ...     {"month": "mar", "day_of_week": "mon", "euribor3m": "1.8"},
    ... ]
    >>> [day.isoformat() for day, _ in day_groups(rows)]
    ['2008-12-03', '2008-12-05', '2009-03-02']
    """
    year, month, day = FIRST_YEAR, 0, date.min
    keyed = itertools.groupby(rows, key=lambda row: (_month(row), _weekday(row), row["euribor3m"]))
    for (next_month, weekday, _), group in keyed:
        if next_month != month:
            year += next_month < month
            month = next_month
            day = date(year, month, LATE_STARTS.get((year, month), 1)) - timedelta(days=1)
        day = first_weekday_after(day, weekday)
        yield day, list(group)


def first_weekday_after(day: date, weekday: int) -> date:
    """The first day later than ``day`` on that weekday (Monday is 0).

    Examples
    --------
    >>> first_weekday_after(date(2008, 6, 9), 0).isoformat()
    '2008-06-16'
    """
    return day + timedelta(days=(weekday - day.weekday() - 1) % 7 + 1)


def load(path: Path = DATA) -> list[Call]:
    """All calls in order of time; no two share one.

    Examples
    --------
    >>> calls = load()
    >>> len(calls), calls[0].day.isoformat(), calls[-1].day.isoformat()
    (41188, '2008-05-05', '2010-11-26')
    >>> calls[0].features["age"], calls[0].features["euribor3m"], calls[0].subscribed
    (56, 4.857, False)
    """
    timed = (
        (row, time_ms)
        for day, rows in day_groups(read_rows(path))
        for row, time_ms in zip(rows, spread(day, len(rows)), strict=True)
    )
    return [
        Call(number, time_ms, features(row), row["y"] == "yes")
        for number, (row, time_ms) in enumerate(timed)
    ]


def spread(day: date, count: int) -> list[int]:
    """Evenly spaced times over the working hours of a day, in milliseconds since the epoch.

    Examples
    --------
    >>> start = spread(date(2008, 5, 5), 2)[0]
    >>> datetime.fromtimestamp(start / 1_000, UTC).isoformat()
    '2008-05-05T11:15:00+00:00'
    """
    opening = datetime(day.year, day.month, day.day, tzinfo=UTC) + OPENING
    start_ms = int(opening.timestamp()) * 1_000
    return [start_ms + (2 * place + 1) * WORKING_DAY_MS // (2 * count) for place in range(count)]


def features(row: Row) -> Features:
    """What is known before the call, typed; month and weekday are in the time."""
    found: Features = {name: int(row[name]) for name in INTEGERS}
    found |= {name: row[name] for name in TEXTS}
    found |= {name.replace(".", "_"): float(row[name]) for name in REALS}
    return found


def _month(row: Row) -> int:
    return MONTHS.index(row["month"]) + 1


def _weekday(row: Row) -> int:
    return WEEKDAYS.index(row["day_of_week"])
