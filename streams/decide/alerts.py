"""The life of an alert: a test alarms, its evidence freezes, recovery is proven, it resolves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from detectors.summary import Ints
from schemas.alerts import Alert, AlertAction
from schemas.ids import content_id
from schemas.predictions import Arm
from streams.decide import sentences
from streams.decide.detect import Reading, SequentialTest
from streams.decide.state import MonitorKey, MonitorState, OpenAlert, State, WindowKey
from streams.decide.subject import Subject


@dataclass(frozen=True, slots=True)
class Occasion:
    """A window at the moment it is due: ``due_ms`` in event time, and the offsets read."""

    window: WindowKey
    subject: Subject
    vector: Ints
    due_ms: int
    cut: dict[str, int]

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


def step(state: State, test: SequentialTest, now: Occasion, *, share: float) -> list[Alert]:
    """Run a test on a window that is due; what changes is in the state afterwards.

    A test sees its windows in order and each once; an earlier window is left out, for a bet on
    it would not be fixed before its outcome was known.
    """
    key = key_of(test, now.window)
    known = state.tests.get(key)
    if known is not None and now.window.start_ms <= known.start_ms:
        return []
    alerts, known = _current(known, test, now)
    if known.alert is None:
        known, alert = _monitor(known, test, now, share)
    else:
        known, alert = _recover(known, known.alert, test, now)
    state.tests.put(key, known)
    return alerts + ([] if alert is None else [alert])


def _current(
    known: MonitorState | None, test: SequentialTest, now: Occasion
) -> tuple[list[Alert], MonitorState]:
    """The memory under the present policy; evidence under another one is closed."""
    window = now.window
    fresh = MonitorState(window.policy, window.reference, window.start_ms)
    if known is None:
        return [], fresh
    if (known.policy, known.reference) == (window.policy, window.reference):
        return [], msgspec.structs.replace(known, start_ms=window.start_ms)
    fresh = msgspec.structs.replace(fresh, spent=known.spent)
    if known.alert is None:
        return [], fresh
    words = sentences.superseded(test.metric, test.feature, window)
    nothing = Reading(0, None, None, None, None)
    evidence = _Evidence(
        AlertAction.RESOLVED,
        known.alert,
        nothing,
        0.0,
        0.0,
        known.spent,
        words,
        known.policy,
        known.reference,
    )
    return [_alert(test, now, evidence)], fresh


def _monitor(
    known: MonitorState, test: SequentialTest, now: Occasion, share: float
) -> tuple[MonitorState, Alert | None]:
    result = test.bet(known.memory, now.subject, now.vector, share=share)
    if result is None:
        return known, None
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
    reading = test.read(now.subject, now.vector)
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
    return msgspec.structs.replace(after, alert=opened), _alert(test, now, evidence)


def _recover(
    known: MonitorState, opened: OpenAlert, test: SequentialTest, now: Occasion
) -> tuple[MonitorState, Alert | None]:
    result = test.recover(known.memory, opened.recovery, now.subject, now.vector)
    if result is None:
        return known, None
    reading = test.read(now.subject, now.vector)
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
    """Whether a window by itself is over the budget: such a one never ends an alert."""
    return reading.low is not None and reading.budget is not None and reading.low > reading.budget


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
        budget=reading.budget,
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
