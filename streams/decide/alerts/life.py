"""The life of an alert: a test alarms, waits as pending, fires, shows signs of recovery, and
resolves once recovery is proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    key_of,
    superseded,
)
from streams.decide.alerts.retire import retire
from streams.decide.alerts.stretch import stretch
from streams.decide.detect import Asked, Bet, Reading, SequentialTest, Step, bet_each
from streams.decide.detect.limit import LimitTest
from streams.decide.detect.recovery import clear_of
from streams.decide.incidents.settle import Watched
from streams.decide.keys import MonitorKey, WindowKey
from streams.decide.measure.interval import judge
from streams.decide.state import MonitorState, OpenAlert, State

__all__ = ["Occasion", "Turn", "retire", "step_all"]


@dataclass(frozen=True, slots=True)
class Turn:
    """A test, the window it is to look at, and the share of the budget that it may spend."""

    asked: Asked
    now: Occasion
    share: float

    @property
    def test(self) -> SequentialTest:
        """The test."""
        return self.asked.test


@dataclass(frozen=True, slots=True)
class _Ready:
    turn: Turn
    key: MonitorKey
    known: MonitorState
    closed: tuple[Alert, ...]


def step_all(state: State, turns: Sequence[Turn]) -> list[Alert | Watched]:
    """Run tests on windows that are due, each test at most once; the state is changed.

    What is told are alerts that open or end, and what is seen of those that stay open.

    A test sees its windows in order and each once; an earlier window is left out, for a bet on
    it would not be fixed before its outcome was known.
    """
    ready = [found for turn in turns if (found := _ready(state, turn)) is not None]
    betting = [found for found in ready if found.known.alert is None]
    steps = bet_each(
        [Bet(r.turn.test, r.known.memory, r.turn.now.seen, r.turn.share) for r in betting]
    )
    stepped = iter(steps)
    said: list[Alert | Watched] = []
    for r in ready:
        known, told = (
            _monitor(state, r.key, r.known, r.turn, next(stepped))
            if r.known.alert is None
            else _recover(state, r.key, r.known, r.known.alert, r.turn)
        )
        state.tests.put(r.key, known)
        said += r.closed if told is None else (*r.closed, told)
    _book(state, betting, steps)
    return said


def _book(state: State, betting: Sequence[_Ready], steps: Sequence[Step | None]) -> None:
    """Enter what was spent on each window into the account of its model."""
    spent: dict[WindowKey, tuple[Occasion, float]] = {}
    for r, step in zip(betting, steps, strict=True):
        if step is not None and step.spent > 0.0:
            now = r.turn.now
            spent[now.window] = (now, spent.get(now.window, (now, 0.0))[1] + step.spent)
    for now, amount in spent.values():
        ledger.book(state, now.subject.policy, now.due_ms, amount)


def _ready(state: State, turn: Turn) -> _Ready | None:
    key = key_of(turn.test, turn.now.window)
    known = state.tests.get(key)
    if known is not None and turn.now.window.start_ms <= known.start_ms:
        return None
    closed, current = _current(key, known, turn)
    return _Ready(turn, key, current, tuple(closed))


def _current(
    key: MonitorKey, known: MonitorState | None, turn: Turn
) -> tuple[list[Alert], MonitorState]:
    """The memory for the present question; evidence on another one is closed."""
    window = turn.now.window
    question = turn.asked.question
    if known is not None and known.question == question:
        return [], msgspec.structs.replace(
            known,
            policy=window.policy,
            reference=window.reference,
            start_ms=window.start_ms,
            share=turn.share,
            offered=known.offered + turn.share,
        )
    fresh = MonitorState(
        question,
        window.policy,
        window.reference,
        window.start_ms,
        share=turn.share,
        offered=turn.share,
        part=turn.test.part,
        past=base.begun(turn.test, window.start_ms),
    )
    if known is None:
        return [], fresh
    fresh = msgspec.structs.replace(
        fresh, spent=known.spent, opened=known.opened, cost=known.cost, paid=known.paid
    )
    if known.alert is None or known.alert.pending:
        return [], fresh
    return [superseded(key, known, known.alert, turn.now)], fresh


def _monitor(
    state: State, key: MonitorKey, known: MonitorState, turn: Turn, result: Step | None
) -> tuple[MonitorState, Alert | None]:
    if result is None:
        return known, None
    test, now = turn.test, turn.now
    spent = known.spent + result.spent
    after = msgspec.structs.replace(known, memory=result.memory, spent=spent)
    if not result.alarm:
        return after, None
    opened = OpenAlert(
        id=alert_id(test, now.window),
        severity=test.severity.value,
        opened_at_ms=now.due_ms,
        start_ms=now.window.start_ms,
        log_e=result.log_e,
        recovery=[],
        pending=now.subject.policy.alerting.pending,
    )
    if opened.pending:
        return msgspec.structs.replace(after, alert=opened), None
    return _fire(state, key, after, opened, turn)


def _fire(
    state: State, key: MonitorKey, known: MonitorState, opened: OpenAlert, turn: Turn
) -> tuple[MonitorState, Alert]:
    """Say that an alert is open, by what this window shows."""
    test, now = turn.test, turn.now
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
    return after, alert_of(key, now, said)


def _wait(
    state: State, key: MonitorKey, known: MonitorState, opened: OpenAlert, turn: Turn
) -> tuple[MonitorState, Alert | None]:
    """One window of an alert that is pending: a good one ends it, the last one fires it."""
    now = turn.now
    reading = turn.test.read(now.seen)
    if judge(reading.low, reading.high, reading.level, reading.worse) is Verdict.HEALTHY:
        past = base.anew(known.past, now.window.start_ms)
        return msgspec.structs.replace(known, memory=b"", alert=None, past=past), None
    waited = msgspec.structs.replace(opened, pending=opened.pending - 1)
    if waited.pending:
        return msgspec.structs.replace(known, alert=waited), None
    fired = msgspec.structs.replace(waited, opened_at_ms=now.due_ms)
    return _fire(state, key, known, fired, turn)


def _recover(
    state: State, key: MonitorKey, known: MonitorState, opened: OpenAlert, turn: Turn
) -> tuple[MonitorState, Alert | Watched | None]:
    if opened.pending:
        return _wait(state, key, known, opened, turn)
    test, now = turn.test, turn.now
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
    return after, alert_of(key, now, said)


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
