"""Alert: something is wrong, said once, and taken back when it is over."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from schemas.base import Message
from schemas.predictions import Arm


class AlertAction(StrEnum):
    """What happened to the alert."""

    OPENED = "opened"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How loud."""

    PAGE = "page"
    TICKET = "ticket"
    WATCH = "watch"


class Alert(Message):
    """One step in the life of an alert.

    ``alert_id`` is the same over its life; ``id`` is the id of this step and the same in every
    replay. ``budget`` is the level that was crossed, with trouble on the ``worse`` side of it.
    ``log_e`` is the natural logarithm of the evidence, ``share`` the part of the false-alarm budget
    this window's test could spend, ``spent`` what the test has spent so far, ``cost`` how much of
    that since it last opened an alert. ``features`` are those that a list of drifted features
    names.
    """

    id: str
    alert_id: str
    action: AlertAction
    model: str
    version: str
    arm: Arm
    segment: str
    metric: str
    feature: str
    detector: str
    severity: Severity
    opened_at_ms: int
    window_start_ms: int
    window_end_ms: int
    n: int
    value: float | None
    low: float | None
    high: float | None
    features: list[str] = []
    budget: float | None
    worse: Literal["above", "below"]
    log_e: float
    share: float
    spent: float
    cost: float = 0.0
    summary: str
    owner: str
    runbook: str
    dashboard: str
    policy: str
    reference: str
    cut: dict[str, int]
