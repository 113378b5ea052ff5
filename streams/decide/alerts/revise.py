"""Alerts on labels, judged again when labels of their evidence come late, change or go.

The test is run again over its evidence, window by window up to the one that opened the alert, each
with the labels that are known by now. If in no window that was still held when the alert was opened
there is enough left of the evidence (`base.LEFT`), it is withdrawn, and the test goes on from what
it now remembers. Otherwise its numbers are told again if that is news. The budget that
was spent stays spent. What came after the alert is evidence of its end, and is not looked at again.
Once the window whose numbers were told is forgotten, the alert is final.

Ids and contents follow from the sums of that moment. So it depends on how the log was cut which
numbers between the first and the last are told, and whether an alert that corrections exonerate
only in passing is withdrawn or one that was over by then was amended before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from typing import NamedTuple

import msgspec

from schemas.alerts import Alert
from schemas.windows import Verdict
from streams.decide.alerts.amendment import amended, retold, withdrawn
from streams.decide.alerts.base import Again, Look, asks, rested, take
from streams.decide.alerts.events import figures
from streams.decide.alerts.held import Changes, Judged, Records, Revised, judged, revised
from streams.decide.detect import SequentialTest
from streams.decide.keys import MonitorKey, StreamKey, WindowKey, slice_of
from streams.decide.measure.interval import Reading, judge
from streams.decide.memory import MonitorState, OpenAlert, Past

EVERY_MS = 60_000
"""How often an alert is looked at again while labels trickle in: a look takes a tenth of a
millisecond for each window of the evidence."""


NEWS = 1.2
"""Late labels are told of once there are so many times as many."""


class Standing(NamedTuple):
    """An open alert on labels, and its test."""

    key: MonitorKey
    known: MonitorState
    past: Past
    opened: OpenAlert

    @property
    def evidence(self) -> Again:
        """The test over its evidence."""
        return Again(self.known.question, self.past, self.opened.start_ms)

    @property
    def waited(self) -> Again:
        """Windows in which the alert was pending, up to the one whose numbers were told."""
        past = Past(self.opened.start_ms + 1)
        return Again(self.known.question, past, self.opened.shown_ms)

    @property
    def shown(self) -> Again:
        """The window whose numbers were told, or will be."""
        at_ms = self.opened.start_ms if self.opened.pending else self.opened.shown_ms
        return Again(self.known.question, Past(at_ms), at_ms)


class Found(NamedTuple):
    """A test that was run again: its past by then, what changed of its evidence, the window whose
    numbers were told, and whether one in which the alert was pending is good by itself."""

    past: Past
    changes: Changes = Changes()
    shown: tuple[Judged, Revised] | None = None
    good: bool = False


def revise(
    records: Records,
    stale: Iterable[WindowKey],
    opened: Collection[str],
    now_ms: int,
    cut: dict[str, int],
) -> list[Alert]:
    """Judge alerts again whose evidence changed; each test is run at most once.

    Parameters
    ----------
    stale
        Windows whose sums changed since the last call.
    opened
        Ids of alerts that were opened since: labels may have changed before that.
    now_ms
        Decision time: an alert is looked at once in `EVERY_MS`.
    """
    changed: dict[tuple[str, str, str], set[tuple[str, int]]] = {}
    for window in stale:
        served = (window.model, window.version, window.arm)
        changed.setdefault(served, set()).add((window.segment, window.start_ms))
    said: list[Alert] = []
    standing = [one for key in records.state.tests.open() if (one := _standing(records, key))]
    for stream, some in groupby(standing, key=lambda one: one.key.stream):
        touched = [one for one in some if _is_touched(one, changed.get(stream[:3], ()), opened)]
        due = [one for one in touched if _is_due(one, opened, now_ms)]
        for one in touched:
            _checked(records, one, now_ms if one in due else None)
        found = run_again(records, stream, due) if due else {}
        for key in found:
            again = _standing(records, key)
            said += [] if again is None else _outcome(records, again, found[key], cut)
    return said


def run_again(
    records: Records, stream: StreamKey, standing: Collection[Standing]
) -> dict[MonitorKey, Found]:
    """Run the tests of a stream again, all of them in one pass over its windows."""
    found = {one.key: Found(one.past) for one in standing}
    runs = {one.key: one.evidence for one in standing}
    waits = {one.key: one.waited for one in standing}
    shows = {one.key: one.shown for one in standing}
    for one in judged(records, records.held.of(stream)):
        due, wait = asks(records, one, runs), asks(records, one, waits)
        show = [x.key for x in asks(records, one, shows) if found[x.key].shown is None]
        if not (due or wait or show):
            continue
        now = revised(records.state, one)
        taken = take([Look(one, now, due)])
        runs |= taken
        for key, after in taken.items():
            changes = found[key].changes.plus(now.changes)
            found[key] = found[key]._replace(past=after.past, changes=changes)
        for key, _, asked in wait:
            if now.covered and _is_good(asked.test, now):
                found[key] = found[key]._replace(good=True)
        for key in show:
            found[key] = found[key]._replace(shown=(one, now))
    return found


def _standing(records: Records, key: MonitorKey) -> Standing | None:
    known = records.state.tests.get(key)
    if known is None or known.alert is None or known.past is None:
        return None
    return Standing(key, known, known.past, known.alert)


def _is_touched(
    one: Standing, changed: Collection[tuple[str, int]], opened: Collection[str]
) -> bool:
    """Whether a window of its evidence changed, or one that it may be compared with."""
    last_ms = max(one.opened.start_ms, one.opened.shown_ms)
    return (
        one.opened.stale
        or one.opened.id in opened
        or any(
            one.past.since_ms <= start_ms <= last_ms and _is_beside(one.key.segment, segment)
            for segment, start_ms in changed
        )
    )


def _is_due(one: Standing, opened: Collection[str], now_ms: int) -> bool:
    return one.opened.id in opened or now_ms - one.opened.checked_ms >= EVERY_MS


def _checked(records: Records, one: Standing, now_ms: int | None) -> None:
    """Note that an alert is looked at now, or else that it has to be."""
    checked_ms = one.opened.checked_ms if now_ms is None else now_ms
    opened = msgspec.structs.replace(one.opened, checked_ms=checked_ms, stale=now_ms is None)
    if opened != one.opened:
        records.state.tests.put(one.key, msgspec.structs.replace(one.known, alert=opened))


def _is_beside(segment: str, other: str) -> bool:
    return segment == other or slice_of(segment) == slice_of(other) != ""


def _is_good(test: SequentialTest, now: Revised) -> bool:
    reading = test.read(now.seen)
    found = judge(reading.low, reading.high, reading.level, reading.worse)
    return found is Verdict.HEALTHY


def _is_news(told: str, reading: Reading, changes: Changes) -> bool:
    """Whether people would want to hear: corrected labels that change what they read; of labels
    that only come late, a fifth more, or a value beyond the interval that they were told."""
    if told == figures(reading):
        return False
    if changes.reversed or changes.fewer or not changes.more:
        return True
    n, _, low, high = (None if one == "unknown" else float(one) for one in told.split())
    grown = n is None or reading.n >= NEWS * n
    if grown or reading.value is None or low is None or high is None:
        return True
    return not low <= reading.value <= high


def _outcome(records: Records, one: Standing, found: Found, cut: dict[str, int]) -> list[Alert]:
    """What is to be said of an alert; the state is changed."""
    if found.shown is None:
        return []
    window, now = found.shown
    asked = records.asked(window.subject)[one.key.name]
    reading, opened, past = asked.test.read(now.seen), one.opened, found.past
    stands = past.stands_ms is not None and past.stands_ms > opened.opened_at_ms
    if not stands or found.good:
        known = _closed(one, past)
        records.state.tests.put(one.key, known)
        if opened.pending:
            return []
        about = (one.key, known, opened, asked.test, window, now, found.changes, cut)
        return [withdrawn(*about)]
    if opened.pending or not _is_news(opened.told[-1], reading, found.changes):
        return []
    told = retold(opened, reading, past.log_e)
    known = msgspec.structs.replace(one.known, alert=told)
    records.state.tests.put(one.key, known)
    return [amended(one.key, known, told, asked.test, window, now, found.changes, cut)]


def _closed(one: Standing, past: Past) -> MonitorState:
    """The test without its alert, as if it had only looked up to the window that opened it."""
    return msgspec.structs.replace(
        one.known,
        memory=past.memory,
        alert=None,
        past=rested(one.past, one.opened.start_ms, one.known.start_ms),
    )
