"""The life of an alert: a test alarms, its evidence freezes, recovery is proven, it resolves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from schemas.alerts import Alert, AlertAction
from schemas.ids import content_id
from schemas.predictions import Arm
from schemas.windows import Verdict
from streams.decide import sentences
from streams.decide.detect import Asked, Evidence, Reading, SequentialTest, Step, bet_each
from streams.decide.measure.interval import judge
from streams.decide.state import MonitorKey, MonitorState, OpenAlert, State, WindowKey
from streams.decide.subject import Subject


@dataclass(frozen=True, slots=True)
class Occasion:
    """A window at the moment it is due: ``due_ms`` in event time, and the offsets read."""

    window: WindowKey
    seen: Evidence
    due_ms: int
    cut: dict[str, int]

    @property
    def subject(self) -> Subject:
        """What the window is judged by."""
        return self.seen.subject

    @property
    def end_ms(self) -> int:
        """End of the window."""
        return self.window.start_ms + self.subject.policy.window_ms


@dataclass(frozen=True, slots=True)
class _Evidence:
    action: AlertAction
    opened: OpenAlert
    reading: Reading
    log_e: float
    share: float
    spent: float
    summary: str
    policy: str
    reference: str


def key_of(test: SequentialTest, window: WindowKey) -> MonitorKey:
    """Where the memory of a test of a stream is kept."""
    return MonitorKey(*window.stream, test.detector, test.metric, test.feature)


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
            _monitor(r.known, r.turn, found_by[r.key])
            if r.known.alert is None
            else _recover(r.known, r.known.alert, r.turn.test, r.turn.now)
        )
        state.tests.put(r.key, known)
        said += r.closed if alert is None else (*r.closed, alert)
    return said


def _ready(state: State, turn: Turn) -> _Ready | None:
    key = key_of(turn.test, turn.now.window)
    known = state.tests.get(key)
    if known is not None and turn.now.window.start_ms <= known.start_ms:
        return None
    closed, current = _current(known, turn.asked, turn.now)
    return _Ready(turn, key, current, tuple(closed))


def _current(
    known: MonitorState | None, asked: Asked, now: Occasion
) -> tuple[list[Alert], MonitorState]:
    """The memory for the present question; evidence on another one is closed."""
    window = now.window
    question = asked.question
    fresh = MonitorState(question, window.policy, window.reference, window.start_ms)
    if known is None:
        return [], fresh
    if known.question == question:
        return [], msgspec.structs.replace(
            known,
            policy=window.policy,
            reference=window.reference,
            start_ms=window.start_ms,
        )
    fresh = msgspec.structs.replace(fresh, spent=known.spent, opened=known.opened)
    if known.alert is None:
        return [], fresh
    return [_superseded(known, known.alert, asked.test, now)], fresh


def _superseded(
    known: MonitorState, opened: OpenAlert, test: SequentialTest, now: Occasion
) -> Alert:
    evidence = _Evidence(
        AlertAction.RESOLVED,
        opened,
        Reading(0, None, None, None, None),
        0.0,
        0.0,
        known.spent,
        sentences.superseded(test.metric, test.feature, now.window),
        known.policy,
        known.reference,
    )
    return _alert(test, now, evidence)


def _monitor(
    known: MonitorState, turn: Turn, result: Step | None
) -> tuple[MonitorState, Alert | None]:
    if result is None:
        return known, None
    test, now = turn.test, turn.now
    spent = known.spent + result.spent
    after = msgspec.structs.replace(known, memory=result.memory, share=turn.share, spent=spent)
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
    evidence = _Evidence(
        AlertAction.OPENED,
        opened,
        reading,
        result.log_e,
        result.spent,
        spent,
        words,
        known.policy,
        known.reference,
    )
    after = msgspec.structs.replace(after, alert=opened, opened=known.opened + 1)
    return after, _alert(test, now, evidence)


def _recover(
    known: MonitorState, opened: OpenAlert, test: SequentialTest, now: Occasion
) -> tuple[MonitorState, Alert | None]:
    result = test.recover(known.memory, opened.recovery, now.seen)
    if result is None:
        return known, None
    reading = test.read(now.seen)
    if not result.over or _is_bad(reading):
        still = msgspec.structs.replace(opened, recovery=result.memory)
        return msgspec.structs.replace(known, alert=still), None
    words = sentences.resolved(test.metric, test.feature, now.window, now.end_ms, reading)
    evidence = _Evidence(
        AlertAction.RESOLVED,
        opened,
        reading,
        result.log_e,
        0.0,
        known.spent,
        words,
        known.policy,
        known.reference,
    )
    return msgspec.structs.replace(known, memory=b"", alert=None), _alert(test, now, evidence)


def _is_bad(reading: Reading) -> bool:
    """Whether a window by itself is beyond its level: such a one never ends an alert."""
    return judge(reading.low, reading.high, reading.level, reading.worse) is Verdict.DEGRADED


def alert_id(test: SequentialTest, window: WindowKey) -> str:
    """Id of the alert that a test opens in a window."""
    return content_id(
        "alert",
        *window.stream,
        test.detector,
        test.metric,
        test.feature,
        window.start_ms,
        window.policy,
    )


def _alert(test: SequentialTest, now: Occasion, evidence: _Evidence) -> Alert:
    policy, window, reading = now.subject.policy, now.window, evidence.reading
    return Alert(
        id=content_id(evidence.opened.id, evidence.action),
        alert_id=evidence.opened.id,
        action=evidence.action,
        model=window.model,
        version=window.version,
        arm=Arm(window.arm),
        segment=window.segment,
        metric=test.metric,
        feature=test.feature,
        detector=test.detector,
        severity=test.severity,
        opened_at_ms=evidence.opened.opened_at_ms,
        window_start_ms=window.start_ms,
        window_end_ms=now.end_ms,
        n=reading.n,
        value=reading.value,
        low=reading.low,
        high=reading.high,
        budget=reading.level,
        worse=reading.worse,
        log_e=evidence.log_e if math.isfinite(evidence.log_e) else 0.0,
        share=evidence.share,
        spent=evidence.spent,
        summary=evidence.summary,
        owner=policy.owner,
        runbook=policy.runbook,
        dashboard=policy.dashboard,
        policy=evidence.policy,
        reference=evidence.reference,
        cut=now.cut,
    )
