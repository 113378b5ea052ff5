"""Cron expressions mean what cron means, in any time zone, and missed runs make one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.base import EPOCH
from schemas.commands import RetrainNow
from schemas.cron import Cron, parse_cron
from schemas.schedules import Probe, RetrainSchedule, Schedule
from streams.act.schedule import done, due, last_done, latest, retrain, run_id, run_of

MINUTE, DAY = 60_000, 86_400_000
LISBON = "Europe/Lisbon"


def ms(text: str) -> int:
    """Milliseconds of an ISO time in UTC."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("text", "after", "until", "found"),
    [
        ("0 3 * * mon", "2026-03-01T00:00", "2026-03-09T02:59", "2026-03-02T03:00"),
        ("0 3 * * mon", "2026-03-01T00:00", "2026-03-09T03:00", "2026-03-09T03:00"),
        ("0 3 * * 1", "2026-03-02T03:00", "2026-03-09T02:59", None),
        ("*/15 * * * *", "2026-03-01T00:00", "2026-03-01T00:44", "2026-03-01T00:30"),
        ("5/20 9-10 * * *", "2026-03-01T00:00", "2026-03-01T23:00", "2026-03-01T10:45"),
        ("0 0 29 2 *", "2023-01-01T00:00", "2026-03-01T00:00", "2024-02-29T00:00"),
        ("0 0 13 * fri", "2026-03-09T00:00", "2026-03-20T00:00", "2026-03-20T00:00"),
        ("0 0 13 * fri", "2026-03-09T00:00", "2026-03-18T00:00", "2026-03-13T00:00"),
        ("0 0 * * 7", "2026-03-01T12:00", "2026-03-08T00:00", "2026-03-08T00:00"),
        ("@monthly", "2026-02-02T00:00", "2026-03-31T00:00", "2026-03-01T00:00"),
        ("0 12 1 jan,jul *", "2026-01-02T00:00", "2026-12-31T00:00", "2026-07-01T12:00"),
    ],
)
def test_the_last_time_before(text: str, after: str, until: str, found: str | None) -> None:
    """As cron reads it: lists, ranges, steps, names; either kind of day if both are set."""
    expected = None if found is None else ms(found)
    assert latest(parse_cron(text), "UTC", ms(after), ms(until)) == expected


@pytest.mark.parametrize(
    ("day", "text", "found"),
    [
        ("2026-03-29", "30 1 * * *", "2026-03-29T01:30"),  # 01:30 does not exist that day
        ("2026-10-25", "30 1 * * *", "2026-10-25T00:30"),  # 01:30 comes twice; the first counts
        ("2026-07-01", "30 1 * * *", "2026-07-01T00:30"),
        ("2026-01-05", "30 1 * * *", "2026-01-05T01:30"),
    ],
)
def test_changes_of_the_clock(day: str, text: str, found: str) -> None:
    """Once on each day, in the time of the zone."""
    start = ms(f"{day}T00:00")
    assert latest(parse_cron(text), LISBON, start - 1, start + 23 * 60 * MINUTE) == ms(found)


CRONS = st.builds(
    lambda minute, hour, day, month, weekday: f"{minute} {hour} {day} {month} {weekday}",
    st.sampled_from(["*", "*/7", "0", "30", "59", "10-20/3"]),
    st.sampled_from(["*", "*/5", "0", "1,2", "22-23"]),
    st.sampled_from(["*", "1", "13,28", "*/9"]),
    st.sampled_from(["*", "2", "3-11/4"]),
    st.sampled_from(["*", "mon", "0,6", "2-4"]),
)


def matches(cron: Cron, at: datetime) -> bool:
    """What cron asks of each minute, said plainly."""
    return cron.on(at.date()) and at.hour in cron.hours and at.minute in cron.minutes


@settings(max_examples=60, deadline=None)
@given(CRONS, st.integers(0, 366 * 1440), st.integers(1, 3_000))
def test_no_minute_is_missed_or_made_up(text: str, start: int, minutes: int) -> None:
    """The same as asking each minute in turn, backwards."""
    cron, after = parse_cron(text), ms("2026-01-01T00:00") + start * MINUTE
    until = after + minutes * MINUTE
    plain = next(
        (
            at
            for at in range(until, after, -MINUTE)
            if matches(cron, EPOCH + timedelta(milliseconds=at))
        ),
        None,
    )
    assert latest(cron, "UTC", after, until) == plain


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 365), st.sampled_from([LISBON, "America/New_York", "Australia/Lord_Howe"]))
def test_a_daily_run_comes_once_on_each_day(day: int, zone: str) -> None:
    """Whatever the clock does, and however often one asks."""
    cron, start = parse_cron("30 2 * * *"), ms("2026-01-01T00:00") + day * DAY
    found, last = [], start
    for at in range(start, start + 10 * DAY, 97 * MINUTE):
        at_ms = latest(cron, zone, last, at)
        if at_ms is not None:
            found.append(at_ms)
            last = at_ms
    days = [(EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone)).date() for at in found]
    assert len(set(days)) == len(days)
    assert len(days) in (9, 10)
    assert all(later > earlier for earlier, later in pairwise(days))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 3 * *", "has 4 fields"),
        ("61 * * * *", "minute '61' is not between 0 and 59"),
        ("0 0 30 2 *", "names a day that never comes"),
        ("5-2 * * * *", "minute '5-2' holds nothing"),
        ("*/0 * * * *", "minute '*/0' holds nothing"),
        ("0 0 * * moon", "day of week 'moon' is not between 0 and 7"),
        ("0 0 1.5 * *", "day of month '1.5' is no number, range or *"),
    ],
)
def test_a_wrong_expression_is_refused_when_it_is_read(text: str, said: str) -> None:
    """Not on the day when it should have run; the message names the field and the value."""
    with pytest.raises(ValidationError, match=said.replace("*", r"\*").replace(".", r"\.")):
        RetrainSchedule(action="retrain", cron=text, models=["m"])


def test_a_wrong_zone_and_a_hasty_probe_are_refused() -> None:
    """With what to write instead."""
    with pytest.raises(ValidationError, match="'Lisbon' is no time zone; write a name such as"):
        RetrainSchedule(action="retrain", cron="@daily", zone="Lisbon", models=["m"])
    with pytest.raises(ValidationError, match="timeout 10s is shorter than two probes"):
        Probe(every="6s", timeout="10s")
    with pytest.raises(ValidationError, match="every 100ms is shorter than 1s"):
        Probe(every="100ms")


def test_runs_missed_in_a_long_sleep_make_one() -> None:
    """The last of them; afterwards nothing is due until the next."""
    weekly = RetrainSchedule(action="retrain", cron="0 3 * * mon", models=["a", "b"])
    now = ms("2026-03-30T10:00")
    (run,) = due({"weekly": weekly}, {"weekly": ms("2026-03-02T03:00")}, now_ms=now)
    assert run.due_ms == ms("2026-03-30T03:00")
    commands = retrain(run, weekly)
    assert [command.model for command in commands] == ["a", "b"]
    assert len({command.id for command in commands}) == 2
    known = last_done([done("weekly", run.due_ms).event_id])
    assert due({"weekly": weekly}, known, now_ms=now + 6 * DAY) == []
    assert retrain(run, weekly) == commands


@given(st.text(min_size=1, max_size=200), st.integers(0, 4 * 10**12), st.text(max_size=20))
def test_an_id_names_its_run(name: str, due_ms: int, subject: str) -> None:
    """Whatever the schedule is called; and it is an id that a command may have."""
    id_ = run_id(name, due_ms, subject)
    assert run_of(id_) == (name, due_ms)
    RetrainNow(kind="retrain", id=id_, model="m", time=due_ms, by="act")


def test_every_action_is_read() -> None:
    """By its name; another is refused."""
    adapter: TypeAdapter[Schedule] = TypeAdapter(Schedule)
    for action, more in (
        ("retrain", {"models": ["m"]}),
        ("review_silences", {}),
        ("end_hyper_care", {}),
    ):
        read = adapter.validate_python({"action": action, "cron": "@daily", **more})
        assert read.action == action
    with pytest.raises(ValidationError):
        adapter.validate_python({"action": "dance", "cron": "@daily"})
