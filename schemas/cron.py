"""Cron expressions: five fields that say at which minutes something is due."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
_PART = re.compile(r"(\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([0-9]{1,2}))?")


@dataclass(frozen=True, slots=True)
class Cron:
    """At which minutes of which days something is due.

    Parameters
    ----------
    minutes, hours
        Ascending.
    days, months
        Of the month, and of the year; both count from 1.
    weekdays
        0 is Sunday.
    either
        Both days and weekdays are restricted: a day that is among either is meant.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def on(self, day: date) -> bool:
        """Whether anything is due on a day.

        Examples
        --------
        >>> parse_cron("0 3 * * mon").on(date(2026, 3, 2))
        True
        """
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either else in_month and in_week


def parse_cron(text: str) -> Cron:
    """The meaning of a cron expression: minute, hour, day of month, month, day of week.

    A field is ``*``, a number, a range ``a-b``, each with a step ``/n``, or a list of them; months
    and days of the week also go by three letters, and 7 is Sunday too. ``@hourly``, ``@daily``,
    ``@weekly`` and ``@monthly`` are short for the obvious.

    Raises
    ------
    ValueError
        If the text is no such expression, or names a day that never comes.

    Examples
    --------
    >>> cron = parse_cron("*/20 3 * * mon-fri")
    >>> cron.minutes, cron.hours, sorted(cron.weekdays)
    ((0, 20, 40), (3,), [1, 2, 3, 4, 5])
    """
    fields = _MACROS.get(text.strip(), text).lower().split()
    if len(fields) != 5:
        raise ValueError(
            f"cron {text!r} has {len(fields)} fields; write minute, hour, day of month, month and "
            "day of week, such as 0 3 * * mon"
        )
    minute, hour, day, month, weekday = fields
    cron = Cron(
        minutes=tuple(sorted(_values("minute", minute, 0, 59))),
        hours=tuple(sorted(_values("hour", hour, 0, 23))),
        days=_values("day of month", day, 1, 31),
        months=_values("month", month, 1, 12, {name: i + 1 for i, name in enumerate(_MONTHS)}),
        weekdays=frozenset(
            value % 7
            for value in _values(
                "day of week", weekday, 0, 7, {name: i for i, name in enumerate(_DAYS)}
            )
        ),
        either=not day.startswith("*") and not weekday.startswith("*"),
    )
    if not cron.either and min(cron.days) > max(_LONGEST[month - 1] for month in cron.months):
        raise ValueError(f"cron {text!r} names a day that never comes; no such month has it")
    return cron


def _values(
    field: str, text: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(
                f"{field} {part!r} is no number, range or *; write such as 1, 1-5, */2"
            )
        whole, first, last, step = match.groups()
        start = low if whole == "*" else _number(field, first, low, high, names or {})
        # As in cron, 7/2 goes on to the end of the field.
        end = high if whole == "*" or (step and last is None) else start
        if last is not None:
            end = _number(field, last, low, high, names or {})
        if end < start or step in ("0", "00"):
            raise ValueError(
                f"{field} {part!r} holds nothing; let it rise, by a step of at least 1"
            )
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _number(field: str, text: str, low: int, high: int, names: Mapping[str, int]) -> int:
    if text in names:
        return names[text]
    if not text.isdigit() or not low <= int(text) <= high:
        raise ValueError(f"{field} {text!r} is not between {low} and {high}; correct it")
    return int(text)


def _is_cron(text: str) -> str:
    parse_cron(text)
    return text


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone; write a name such as Europe/Lisbon or UTC"
        ) from None
    return name


CronText = Annotated[str, Field(max_length=200), AfterValidator(_is_cron)]
"""Minute, hour, day of month, month and day of week, such as ``0 3 * * mon``."""

Zone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_is_zone)]
"""The name of a time zone, such as ``Europe/Lisbon``."""
