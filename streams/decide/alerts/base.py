"""The base of tests on labels: what they would remember, had they known the labels that came late.

An alert on labels is judged again when labels change, by running its test again over the windows
of its evidence as they are known by then. Windows are forgotten after the label horizon, so the
base takes each in just before, with the labels that it had in the end; what is held is added to
that. A base is as large as the test's own memory: 96 bytes for a level, some kilobytes for
calibration. Tests on inputs have none, nor do those that promise nothing.

Run again are the windows that were bet on, in that order and with the shares of that time, as long
as enough of their labels are there. Labels that were too few at maturity are never bet on later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from msgspec.structs import replace

from schemas.summaries import Part
from streams.decide.alerts.held import Judged, Records, Revised, is_revised, judged, revised
from streams.decide.budget import offered
from streams.decide.detect import Asked, Bet, SequentialTest, Step, bet_each
from streams.decide.keys import MonitorKey, StreamKey, WindowKey
from streams.decide.memory import MonitorState, Past

LEFT = 0.5
"""Part of the evidence that an alarm takes, as a logarithm, with which an open alert still stands.

A test alarms as soon as its evidence suffices, so often it only just does. If an alert stood only
as long as that, labels that trickle in would take many a slow alarm back, by chance alone.
"""


class Again(NamedTuple):
    """A test that is run again: what it asks, from where on, and up to which window."""

    question: str
    past: Past
    until_ms: int | None


def begun(test: SequentialTest, since_ms: int) -> Past | None:
    """The past of a test whose evidence begins with a window; None where there is no use for it."""
    return Past(since_ms) if is_revised(test) else None


def anew(past: Past | None, start_ms: int) -> Past | None:
    """The past of a test that starts anew after a window."""
    return None if past is None else Past(start_ms + 1)


def rested(past: Past, after_ms: int, until_ms: int) -> Past:
    """A past in which an alert was open after a window and up to another one, and is withdrawn."""
    if until_ms <= after_ms:
        return past
    return replace(past, rests=(*past.rests, (after_ms, until_ms)))


class Rerun(NamedTuple):
    """A test that is run again, and how the window that it is about to see asks it."""

    key: MonitorKey
    test: Again
    asked: Asked


def asks(records: Records, one: Judged, tests: Mapping[MonitorKey, Again]) -> list[Rerun]:
    """The tests whose next window of evidence this is."""
    known = records.asked(one.subject)
    return [
        Rerun(key, test, asked)
        for key, test in tests.items()
        if _is_evidence(one.start_ms, test)
        and (asked := known.get(key.name)) is not None
        and asked.question == test.question
    ]


class Look(NamedTuple):
    """A window as it is known now, and the tests that it `asks`."""

    one: Judged
    shown: Revised
    tests: Sequence[Rerun]


def take(looks: Sequence[Look]) -> dict[MonitorKey, Again]:
    """The tests after one more window of their evidence.

    Parameters
    ----------
    looks
        Of different streams. Each window of a stream is given once, in the order of `held.judged`.
    """
    bets = [
        Bet(asked.test, test.past.memory, look.shown.seen, offered(look.one.budget, asked.fraction))
        for look in looks
        if look.shown.covered
        for _, test, asked in look.tests
    ]
    steps = zip(bets, bet_each(bets), strict=True)
    after = {}
    for look in looks:
        for key, test, _ in look.tests:
            bet, step = next(steps) if look.shown.covered else (None, None)
            share = 0.0 if bet is None else bet.share
            after[key] = test._replace(past=_after(test.past, look.one, step, share))
    return after


def stands(step: Step, share: float) -> bool:
    """Whether an open alert stands with the evidence of a window.

    A test that does not tell how much it lacks gives no evidence without an alarm.

    Examples
    --------
    >>> [stands(Step(b"", log_e >= 0.0, log_e, 0.01), 0.01) for log_e in (0.1, -2.0, -3.0)]
    [True, True, False]
    """
    return step.alarm or (share > 0.0 and LEFT * math.log(share) <= step.log_e < 0.0)


def lapse(records: Records, windows: Sequence[WindowKey]) -> None:
    """Take in windows that are about to be forgotten, with the labels that they had in the end.

    Where a policy with a shorter horizon took over, windows of the one before may be held longer;
    those that were bet on before are final by then as well.
    """
    queues: dict[StreamKey, list[Judged]] = {}
    for one in judged(records, windows):
        queues.setdefault(one.window.stream, []).append(one)
    for stream, due in queues.items():
        if records.held.mixed(stream):
            last = due[-1][:3]
            every = judged(records, records.held.of(stream))
            queues[stream] = [one for one in every if one[:3] <= last]
    known = {
        key: one for stream, due in queues.items() for key, one in _known(records, stream, due)
    }
    after: dict[StreamKey, dict[MonitorKey, Again]] = {stream: {} for stream in queues}
    for key, (test, past) in known.items():
        # What comes after an open alert is no evidence.
        until_ms = None if test.alert is None else test.alert.start_ms
        after[key.stream][key] = Again(test.question, past, until_ms)
    for together in zip_longest(*queues.values()):
        looks = [
            Look(one, revised(records.state, one), asked)
            for one in together
            if one is not None and (asked := asks(records, one, after[one.window.stream]))
        ]
        for key, again in take(looks).items():
            after[key.stream][key] = again
    records.state.tests.put_all(
        {
            key: replace(known[key][0], past=again.past)
            for tests in after.values()
            for key, again in tests.items()
            if again.past != known[key][1]
        }
    )


def _known(
    records: Records, stream: StreamKey, due: Sequence[Judged]
) -> Iterator[tuple[MonitorKey, tuple[MonitorState, Past]]]:
    """What the tests of a stream remember, each with its past."""
    for subject in dict.fromkeys(one.subject for one in due):
        for name in records.asked(subject):
            key = MonitorKey(*stream, *name)
            known = records.state.tests.get(key, Part.LABEL)
            if known is not None and known.past is not None:
                yield key, (known, known.past)


def _is_evidence(start_ms: int, test: Again) -> bool:
    """Whether a window is evidence of a test that it has not seen."""
    past, until_ms = test.past, test.until_ms
    return (
        start_ms >= past.since_ms
        and (past.last_ms is None or start_ms > past.last_ms)
        and (until_ms is None or start_ms <= until_ms)
        and not any(after < start_ms <= until for after, until in past.rests)
    )


def _after(past: Past, one: Judged, step: Step | None, share: float) -> Past:
    """A past with one more window; a rest that lies behind it is forgotten."""
    rests = tuple(rest for rest in past.rests if rest[1] > one.start_ms) if past.rests else ()
    if step is None:
        return replace(past, last_ms=one.start_ms, rests=rests)
    stands_ms, log_e = past.stands_ms, past.log_e
    if stands(step, share):
        stands_ms, log_e = one.held_until_ms, step.log_e
    return Past(past.since_ms, one.start_ms, step.memory, stands_ms, log_e, rests)
