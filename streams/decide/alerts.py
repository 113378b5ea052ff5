"""The life of an alert: a test alarms, its evidence freezes, recovery is proven, it resolves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from schemas.alerts import Alert, AlertAction
from schemas.windows import Verdict
from streams.decide import ledger, sentences
from streams.decide.alert_events import Occasion, Said, alert_id, alert_of, key_of, superseded
from streams.decide.detect import Asked, Reading, SequentialTest, Step, bet_each
from streams.decide.measure.interval import judge
from streams.decide.retire import retire
from streams.decide.state import MonitorKey, MonitorState, OpenAlert, State, WindowKey

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


def step_all(state: State, turns: Sequence[Turn]) -> list[Alert]:
    """Run tests on windows that are due, each test at most once; the state is changed.

    A test sees its windows in order and each once; an earlier window is left out, for a bet on
    it would not be fixed before its outcome was known.
    """
    ready = [found for turn in turns if (found := _ready(state, turn)) is not None]
    betting = [found for found in ready if found.known.alert is None]
    steps = bet_each(
        [(r.turn.test, r.known.memory, r.turn.now.seen, r.turn.share) for r in betting]
    )
    found_by = {r.key: step for r, step in zip(betting, steps, strict=True)}
    said: list[Alert] = []
    for r in ready:
        known, alert = (
            _monitor(r.key, r.known, r.turn, found_by[r.key])
            if r.known.alert is None
            else _recover(r.key, r.known, r.known.alert, r.turn.test, r.turn.now)
        )
        state.tests.put(r.key, known)
        said += r.closed if alert is None else (*r.closed, alert)
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
    fresh = MonitorState(
        question,
        window.policy,
        window.reference,
        window.start_ms,
        share=turn.share,
        offered=turn.share,
        part=turn.test.part,
    )
    if known is None:
        return [], fresh
    if known.question == question:
        return [], msgspec.structs.replace(
            known,
            policy=window.policy,
            reference=window.reference,
            start_ms=window.start_ms,
            share=turn.share,
            offered=known.offered + turn.share,
        )
    fresh = msgspec.structs.replace(
        fresh, spent=known.spent, opened=known.opened, cost=known.cost, paid=known.paid
    )
    if known.alert is None:
        return [], fresh
    return [superseded(key, known, known.alert, turn.now)], fresh


def _monitor(
    key: MonitorKey, known: MonitorState, turn: Turn, result: Step | None
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
    )
    reading = test.read(now.seen)
    words = sentences.opened(test.metric, test.feature, now.window, now.end_ms, reading)
    said = Said(
        AlertAction.OPENED,
        opened,
        reading,
        result.log_e,
        result.spent,
        spent,
        spent - known.paid,
        words,
        known.policy,
        known.reference,
    )
    after = msgspec.structs.replace(
        after, alert=opened, opened=known.opened + 1, cost=spent - known.paid, paid=spent
    )
    return after, alert_of(key, now, said)


def _recover(
    key: MonitorKey, known: MonitorState, opened: OpenAlert, test: SequentialTest, now: Occasion
) -> tuple[MonitorState, Alert | None]:
    result = test.recover(known.memory, opened.recovery, now.seen)
    if result is None:
        return known, None
    reading = test.read(now.seen)
    if result.test_memory is not None:
        known = msgspec.structs.replace(known, memory=result.test_memory)
    if not result.over or _is_bad(reading):
        still = msgspec.structs.replace(opened, recovery=result.memory)
        return msgspec.structs.replace(known, alert=still), None
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
    memory = result.test_memory or b""
    return msgspec.structs.replace(known, memory=memory, alert=None), alert_of(key, now, said)


def _is_bad(reading: Reading) -> bool:
    """Whether a window by itself is beyond its level: such a one never ends an alert."""
    return judge(reading.low, reading.high, reading.level, reading.worse) is Verdict.DEGRADED
