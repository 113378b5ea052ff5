"""Alert events: what DECIDE says at each step in the life of a test's alert."""

from __future__ import annotations

import math
from dataclasses import dataclass

from schemas.alerts import Alert, AlertAction, Severity
from schemas.ids import content_id
from schemas.predictions import Arm
from streams.decide import sentences
from streams.decide.detect import Evidence, Reading, SequentialTest, name_of
from streams.decide.keys import MonitorKey, WindowKey
from streams.decide.memory import MonitorState, OpenAlert
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
        return self.window.start_ms + self.subject.window_ms


@dataclass(frozen=True, slots=True)
class Said:
    """What an alert says at a step of its life."""

    action: AlertAction
    opened: OpenAlert
    reading: Reading
    log_e: float
    share: float
    spent: float
    cost: float
    summary: str
    policy: str
    reference: str


def key_of(test: SequentialTest, window: WindowKey) -> MonitorKey:
    """Where the memory of a test of a stream is kept."""
    return MonitorKey(*window[:4], *name_of(test))


def alert_id(test: SequentialTest, window: WindowKey) -> str:
    """Id of the alert that a test opens in a window."""
    return content_id(
        "alert",
        *window.stream,
        *name_of(test),
        window.start_ms,
        window.policy,
    )


def figures(reading: Reading) -> str:
    """What people read of a window: its numbers, to two significant digits.

    Examples
    --------
    >>> figures(Reading(6_214, 0.0341, 0.0294, None, 0.025))
    '6.2e+03 0.034 0.029 unknown'
    """
    numbers = (reading.n, reading.value, reading.low, reading.high)
    return " ".join("unknown" if number is None else f"{number:.2g}" for number in numbers)


def alert_of(key: MonitorKey, now: Occasion, said: Said) -> Alert:
    """The event of a step in the life of a test's alert."""
    policy, window, reading = now.subject.policy, now.window, said.reading
    return Alert(
        id=content_id(said.opened.id, said.action),
        alert_id=said.opened.id,
        action=said.action,
        model=key.model,
        version=key.version,
        arm=Arm(key.arm),
        segment=key.segment,
        metric=key.metric,
        feature=key.feature,
        detector=key.detector,
        severity=Severity(said.opened.severity),
        opened_at_ms=said.opened.opened_at_ms,
        window_start_ms=window.start_ms,
        window_end_ms=now.end_ms,
        n=reading.n,
        value=reading.value,
        low=reading.low,
        high=reading.high,
        features=list(reading.names),
        budget=reading.level,
        worse=reading.worse,
        log_e=said.log_e if math.isfinite(said.log_e) else 0.0,
        share=said.share,
        spent=said.spent,
        cost=said.cost,
        summary=said.summary,
        owner=policy.owner,
        runbook=policy.runbook,
        dashboard=policy.dashboard,
        policy=said.policy,
        reference=said.reference,
        cut=now.cut,
    )


def superseded(key: MonitorKey, known: MonitorState, opened: OpenAlert, now: Occasion) -> Alert:
    """The end of an alert whose question a window's policy or reference does not ask any more."""
    said = Said(
        AlertAction.RESOLVED,
        opened,
        Reading(0, None, None, None, None),
        0.0,
        0.0,
        known.spent,
        known.spent - known.paid,
        sentences.superseded(key.metric, key.feature, now.window._replace(segment=key.segment)),
        known.policy,
        known.reference,
    )
    return alert_of(key, now, said)
