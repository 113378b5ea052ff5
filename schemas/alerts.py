"""Alert: something is wrong, said once, and taken back when it is over."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from schemas.base import Message
from schemas.ids import content_id
from schemas.predictions import Arm


class AlertAction(StrEnum):
    """What happened to the alert."""

    OPENED = "opened"
    UPDATED = "updated"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"
    RESOLVED = "resolved"


ENDS = frozenset({AlertAction.RESOLVED, AlertAction.WITHDRAWN})
"""Steps after which an alert is over."""


class AlertState(StrEnum):
    """Where an alert stands in its life; before it is pending, and nothing is said."""

    FIRING = "firing"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


class Persistence(StrEnum):
    """How an alert behaves over time."""

    TRANSIENT = "transient"
    RECURRING = "recurring"
    PERSISTENT = "persistent"


class Layer(StrEnum):
    """Where in the chain of causes an alert lies: what comes first can explain what follows."""

    SERVICE = "service"
    CONTRACT = "contract"
    LABELS = "labels"
    DRIFT = "drift"
    MODEL = "model"
    OUTCOME = "outcome"


class Severity(StrEnum):
    """How loud."""

    PAGE = "page"
    TICKET = "ticket"
    WATCH = "watch"


STORY = {
    *("cut", "incident_id", "cause", "flaps", "persistence", "step"),
    *("state", "silenced_by", "inhibited_by", "acknowledged_by"),
}
"""Fields of an alert that depend on which other alerts, and commands, were known by then."""


class Alert(Message):
    """One step in the life of an alert.

    ``alert_id`` is the same over its life; ``id`` is the id of this step and the same in every
    replay. ``budget`` is the level that was crossed, with trouble on the ``worse`` side of it.
    ``log_e`` is the natural logarithm of the evidence, ``share`` the part of the false-alarm budget
    this window's test could spend, ``spent`` what the test has spent so far, ``cost`` how much of
    that since it last opened an alert. ``features`` are those that a list of drifted features
    names.

    Alerts of one story share ``incident_id``; ``cause`` is the alert of the story that lies
    first in the chain of causes, ``layer`` where this one lies, ``flaps`` how often alerts of the
    incident came again after their end. ``reason`` names why the event is there
    (``recovering``, ``relapsed``, ``silence_expired``, ``corrected_labels`` …). What is
    ``silenced_by`` a command or ``inhibited_by`` another alert is not delivered;
    ``acknowledged_by`` names who looks after it. ``step`` counts the events of this alert.
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
    state: AlertState = AlertState.FIRING
    incident_id: str = ""
    cause: str = ""
    layer: Layer = Layer.OUTCOME
    persistence: Persistence = Persistence.TRANSIENT
    flaps: int = 0
    step: int = 0
    reason: str = ""
    silenced_by: str = ""
    inhibited_by: str = ""
    acknowledged_by: str = ""

    @property
    def content(self) -> str:
        """Hash of what a test says, without the story, which is told as far as it is known."""
        return content_id(self.model_dump(mode="json", exclude=STORY))
