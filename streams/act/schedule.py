"""When a schedule is due, and what to do then; every time is an argument.

A run is named by its schedule and the minute at which it was due. Its command or notice has an id
made of these, so that two workers, or one that starts again, say the same thing, and it counts
once. Runs that were missed while nobody ran are made up for by one: the last of them. That a run
is done stands in the log, as a delivery of that id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.base import EPOCH
from schemas.commands import Delivered, RetrainNow
from schemas.cron import Cron, parse_cron
from schemas.ids import content_id
from schemas.schedules import RetrainSchedule, Schedule
from streams.act.ticks import EVERY_MODEL

BY = "act"
"""Who gives the commands of schedules."""

_RUN_ID = re.compile(r"schedule/([0-9]{1,15})/(?:-|[0-9a-f]{16})/(.+)", re.DOTALL)


class Run(NamedTuple):
    """A schedule that is due, with the minute at which it was."""

    name: str
    schedule: Schedule
    due_ms: int


def latest(cron: Cron, zone: str, after_ms: int, until_ms: int) -> int | None:
    """The last time that an expression names, later than one time and not later than another.

    Parameters
    ----------
    zone
        The time zone in which the expression speaks.
    after_ms, until_ms
        Milliseconds since the epoch.

    Returns
    -------
    Milliseconds since the epoch; None if nothing is due in between.

    Examples
    --------
    >>> noon = parse_cron("0 12 * * *")
    >>> latest(noon, "UTC", 0, 3 * 86_400_000) == 2 * 86_400_000 + 12 * 3_600_000
    True
    >>> latest(noon, "UTC", 0, 3_600_000) is None
    True
    """
    local = ZoneInfo(zone)
    # A change of the clock moves a time by less than a day.
    first = _day(after_ms, local) - timedelta(days=1)
    last = _day(until_ms, local)
    for back in range((last - first).days + 1):
        day = last - timedelta(days=back)
        if cron.on(day):
            found = [at for at in _times(cron, day, local) if after_ms < at <= until_ms]
            if found:
                return max(found)
    return None


def due(
    schedules: Mapping[str, Schedule],
    last_ms: Mapping[str, int],
    *,
    now_ms: int,
) -> list[Run]:
    """What is due now, each schedule at most once.

    Parameters
    ----------
    last_ms
        When each was last due and done, by name; one left out is not due.

    Examples
    --------
    >>> weekly = RetrainSchedule(action="retrain", cron="0 3 * * 1", models=["fraud"])
    >>> hour, week = 3_600_000, 7 * 86_400_000
    >>> runs = due({"weekly": weekly}, {"weekly": 0}, now_ms=9 * week)
    >>> [(run.name, run.due_ms // hour % (24 * 7)) for run in runs]
    [('weekly', 99)]
    """
    runs = []
    for name, schedule in sorted(schedules.items()):
        if name not in last_ms:
            continue
        at_ms = latest(parse_cron(schedule.cron), schedule.zone, last_ms[name], now_ms)
        if at_ms is not None:
            runs.append(Run(name, schedule, at_ms))
    return runs


def run_id(name: str, due_ms: int, subject: str = "") -> str:
    """Id of what a run says, of one subject among several.

    Examples
    --------
    >>> run_id("weekly", 60_000, "fraud") == run_id("weekly", 60_000, "fraud")
    True
    >>> run_of(run_id("weekly", 60_000, "fraud"))
    ('weekly', 60000)
    """
    return f"schedule/{due_ms}/{content_id(subject) if subject else '-'}/{name}"


def run_of(id_: str) -> tuple[str, int] | None:
    """The schedule and the due time in an id of `run_id`; None if it is another id."""
    match = _RUN_ID.fullmatch(id_)
    return None if match is None else (match[2], int(match[1]))


def retrain(run: Run, schedule: RetrainSchedule) -> list[RetrainNow]:
    """Commands that ask for the retrainings of a run.

    Examples
    --------
    >>> weekly = RetrainSchedule(action="retrain", cron="@weekly", models=["a", "b"])
    >>> [c.model for c in retrain(Run("weekly", weekly, 60_000), weekly)]
    ['a', 'b']
    """
    return [
        RetrainNow(
            kind="retrain",
            id=run_id(run.name, run.due_ms, model),
            model=model,
            time=run.due_ms,
            by=BY,
            comment=f"schedule {run.name}",
            reason="schedule",
        )
        for model in schedule.models
    ]


def done(name: str, due_ms: int) -> Delivered:
    """The record that a run is done, though nobody need be told of anything.

    Examples
    --------
    >>> last_done([done("weekly", 60_000).event_id])
    {'weekly': 60000}
    """
    event_id = run_id(name, due_ms)
    return Delivered(
        kind="delivered",
        id=f"done/{event_id}",
        model=EVERY_MODEL,
        time=due_ms,
        by=BY,
        event_id=event_id,
        target="schedule",
    )


def last_done(ids: Sequence[str]) -> dict[str, int]:
    """When each schedule was last due and done, from the ids of what was delivered.

    Examples
    --------
    >>> last_done([run_id("a", 5), run_id("a", 3, "fraud"), "c17"])
    {'a': 5}
    """
    last: dict[str, int] = {}
    for name, due_ms in filter(None, map(run_of, ids)):
        last[name] = max(due_ms, last.get(name, due_ms))
    return last


def _day(time_ms: int, zone: ZoneInfo) -> date:
    return (EPOCH + timedelta(milliseconds=time_ms)).astimezone(zone).date()


def _times(cron: Cron, day: date, zone: ZoneInfo) -> Iterator[int]:
    """Each minute of a day as milliseconds; of a time that comes twice, the first."""
    for hour in cron.hours:
        for minute in cron.minutes:
            at = datetime.combine(day, time(hour, minute), zone).astimezone(UTC)
            yield (at - EPOCH) // timedelta(milliseconds=1)
