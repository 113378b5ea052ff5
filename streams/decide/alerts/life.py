"""The life of an alert: a test alarms, waits as pending, fires, shows signs of recovery, and
resolves once recovery is proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from schemas.alerts import Alert, AlertAction
from schemas.windows import Verdict
from streams.decide import ledger, sentences
from streams.decide.alerts import base
from streams.decide.alerts.events import (
    Occasion,
    Said,
    alert_id,
    alert_of,
    figures,
    superseded,
)
from streams.decide.alerts.retire import retire
from streams.decide.alerts.stretch import stretch
from streams.decide.detect import Asked, Bet, Reading, Step, bet_each
from streams.decide.detect.limit import LimitTest
from streams.decide.detect.recovery import clear_of
from streams.decide.incidents.settle import Watched
from streams.decide.keys import MonitorKey
from streams.decide.measure.interval import judge
from streams.decide.state import MonitorState, OpenAlert, State

__all__ = ["Occasion", "Turn", "retire", "step_all"]


class Turn(NamedTuple):
    """A window, the tests that are to look at it, where the memory of each is kept, and what it
    may spend."""

    now: Occasion
    asked: Sequence[Asked]
    keys: Sequence[MonitorKey]
    shares: Sequence[float]


class _Ready(NamedTuple):
    """A test about to look at a window, with what it knew before under the present question."""

    key: MonitorKey
    known: MonitorState
    asked: Asked
    now: Occasion
    share: float
    closed: Sequence[Alert]

    @property
    def present(self) -> MonitorState:
        """What it knows with this window as its last."""
        return msgspec.structs.replace(
            self.known,
            policy=self.now.window.policy,
            reference=self.now.window.reference,
            start_ms=self.now.window.start_ms,
            share=self.share,
            offered=self.known.offered + self.share,
        )


def step_all(state: State, turns: Sequence[Turn]) -> list[Alert | Watched]:
    """Run tests on windows that are due, each test at most once; the state is changed.

    What is told are alerts that open or end, and what is seen of those that stay open.

    A test sees its windows in order and each once; an earlier window is left out, for a bet on
    it would not be fixed before its outcome was known.
    """
    ready = [found for turn in turns for found in _ready(state, turn)]
    betting = [found for found in ready if found.known.alert is None]
    steps = bet_each(
        [
            Bet(asked.test, known.memory, now.seen, share)
            for _, known, asked, now, share, _ in betting
        ]
    )
    stepped = iter(steps)
    said: list[Alert | Watched] = []
    after: dict[MonitorKey, MonitorState] = {}
    for r in ready:
        told: Alert | Watched | None = None
        if r.known.alert is not None:
            after[r.key], told = _recover(state, r, r.present, r.known.alert)
        elif (step := next(stepped)) is None:
            after[r.key] = r.present
        elif step.alarm:
            after[r.key], told = _alarmed(state, r, step)
        else:
            after[r.key] = _went_on(r, step)
        if r.closed or told is not None:
            said += r.closed if told is None else (*r.closed, told)
    state.tests.put_all(after)
    _book(state, betting, steps)
    return said


def _book(state: State, betting: Sequence[_Ready], steps: Sequence[Step | None]) -> None:
    """Enter what was spent on each window into the account of its model."""
    spent: dict[int, float] = {}
    windows: dict[int, Occasion] = {}
    for r, step in zip(betting, steps, strict=True):
        if step is not None and step.spent > 0.0:
            number = id(r.now)
            spent[number] = spent.get(number, 0.0) + step.spent
            windows[number] = r.now
    for number, now in windows.items():
        ledger.book(state, now.subject.policy, now.due_ms, spent[number])


def _ready(state: State, turn: Turn) -> Iterator[_Ready]:
    """The tests of a window that have not looked at it or a later one."""
    now, start_ms = turn.now, turn.now.window.start_ms
    memories = state.tests.get_all(turn.keys)
    for key, known, asked, share in zip(turn.keys, memories, turn.asked, turn.shares, strict=True):
        if known is None:
            yield _Ready(key, _fresh(asked, now), asked, now, share, ())
        elif known.start_ms >= start_ms:
            continue
        elif known.question == asked.question:
            yield _Ready(key, known, asked, now, share, ())
        else:
            yield _Ready(key, _anew(known, asked, now), asked, now, share, _ended(key, known, now))


def _fresh(asked: Asked, now: Occasion) -> MonitorState:
    """The memory of a test that has looked at nothing."""
    window = now.window
    return MonitorState(
        asked.question,
        window.policy,
        window.reference,
        window.start_ms,
        part=asked.test.part,
        past=base.begun(asked.test, window.start_ms),
    )


def _anew(known: MonitorState, asked: Asked, now: Occasion) -> MonitorState:
    """The memory of a test that asks another question from now on: only its account goes on."""
    return msgspec.structs.replace(
        _fresh(asked, now),
        spent=known.spent,
        opened=known.opened,
        cost=known.cost,
        paid=known.paid,
    )


def _ended(key: MonitorKey, known: MonitorState, now: Occasion) -> list[Alert]:
    """The end of an alert on a question that is not asked any more."""
    if known.alert is None or known.alert.pending:
        return []
    return [superseded(key, known, known.alert, now)]


def _went_on(r: _Ready, step: Step) -> MonitorState:
    """`_Ready.present` after a bet without an alarm, as most are."""
    known, window = r.known, r.now.window
    return MonitorState(
        known.question,
        window.policy,
        window.reference,
        window.start_ms,
        step.memory,
        r.share,
        known.spent + step.spent,
        known.opened,
        known.cost,
        known.paid,
        known.offered + r.share,
        known.part,
        None,
        known.past,
    )


def _alarmed(state: State, r: _Ready, step: Step) -> tuple[MonitorState, Alert | None]:
    test, now, after = r.asked.test, r.now, _went_on(r, step)
    opened = OpenAlert(
        id=alert_id(test, now.window),
        severity=test.severity.value,
        opened_at_ms=now.due_ms,
        start_ms=now.window.start_ms,
        log_e=step.log_e,
        recovery=[],
        pending=now.subject.policy.alerting.pending,
    )
    if opened.pending:
        return msgspec.structs.replace(after, alert=opened), None
    return _fire(state, r, after, opened)


def _fire(
    state: State, r: _Ready, known: MonitorState, opened: OpenAlert
) -> tuple[MonitorState, Alert]:
    """Say that an alert is open, by what this window shows."""
    test, now = r.asked.test, r.now
    reading = test.read(now.seen)
    lasts = stretch(state, test, now) if isinstance(test, LimitTest) else None
    words = (
        sentences.opened(test.metric, test.feature, now.window, now.end_ms, reading)
        if lasts is None
        else sentences.moved(test.metric, test.feature, now.window, lasts, reading)
    )
    cost = known.spent - known.paid
    said = Said(
        AlertAction.OPENED,
        opened,
        reading,
        opened.log_e,
        known.share,
        known.spent,
        cost,
        words,
        known.policy,
        known.reference,
    )
    shown = msgspec.structs.replace(opened, shown_ms=now.window.start_ms, told=(figures(reading),))
    after = msgspec.structs.replace(
        known, alert=shown, opened=known.opened + 1, cost=cost, paid=known.spent
    )
    return after, alert_of(r.key, now, said)


def _wait(
    state: State, r: _Ready, known: MonitorState, opened: OpenAlert
) -> tuple[MonitorState, Alert | None]:
    """One window of an alert that is pending: a good one ends it, the last one fires it."""
    now = r.now
    reading = r.asked.test.read(now.seen)
    if judge(reading.low, reading.high, reading.level, reading.worse) is Verdict.HEALTHY:
        past = base.anew(known.past, now.window.start_ms)
        return msgspec.structs.replace(known, memory=b"", alert=None, past=past), None
    waited = msgspec.structs.replace(opened, pending=opened.pending - 1)
    if waited.pending:
        return msgspec.structs.replace(known, alert=waited), None
    fired = msgspec.structs.replace(waited, opened_at_ms=now.due_ms)
    return _fire(state, r, known, fired)


def _recover(
    state: State, r: _Ready, known: MonitorState, opened: OpenAlert
) -> tuple[MonitorState, Alert | Watched | None]:
    if opened.pending:
        return _wait(state, r, known, opened)
    test, now = r.asked.test, r.now
    result = test.recover(known.memory, opened.recovery, now.seen)
    if result is None:
        return known, None
    reading = test.read(now.seen)
    if result.test_memory is not None:
        known = msgspec.structs.replace(known, memory=result.test_memory)
    if not result.over or _is_bad(reading):
        still = msgspec.structs.replace(opened, recovery=result.memory)
        return msgspec.structs.replace(known, alert=still), _seen(opened, reading, now)
    words = sentences.resolved(test.metric, test.feature, now.window, now.end_ms, reading)
    said = Said(
        AlertAction.RESOLVED,
        opened,
        reading,
        result.log_e,
        0.0,
        known.spent,
        known.spent - known.paid,
        words,
        known.policy,
        known.reference,
    )
    memory, past = result.test_memory or b"", base.anew(known.past, now.window.start_ms)
    after = msgspec.structs.replace(known, memory=memory, alert=None, past=past)
    return after, alert_of(r.key, now, said)


def _seen(opened: OpenAlert, reading: Reading, now: Occasion) -> Watched:
    clear = now.subject.policy.alerting.clear
    level = None if reading.level is None else clear_of(reading.level, clear, worse=reading.worse)
    good = judge(reading.low, reading.high, level, reading.worse) is Verdict.HEALTHY
    return Watched(
        opened.id, now.window.start_ms, now.end_ms, reading, good=good, bad=_is_bad(reading)
    )


def _is_bad(reading: Reading) -> bool:
    """Whether a window by itself is beyond its level: such a one never ends an alert."""
    return judge(reading.low, reading.high, reading.level, reading.worse) is Verdict.DEGRADED
