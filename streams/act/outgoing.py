"""What ACT may deliver: events as they stand in the log, seen alike."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from schemas import topics
from schemas.alerts import Alert, Severity
from schemas.notices import Notice
from schemas.retraining import RetrainRequest
from schemas.rollouts import RolloutAction, RolloutEvent

Deliverable = Alert | RolloutEvent | RetrainRequest | Notice

Place = tuple[str, int]
"""A topic, without prefix, and a partition."""

NOTICES = "notices"
"""Stands for a topic where ACT itself says something."""

INPUTS = (topics.ALERTS, topics.ROLLOUTS, topics.RETRAINING)
"""Topics that people are told of."""

_MODELS: dict[str, type[Deliverable]] = {
    topics.ALERTS: Alert,
    topics.ROLLOUTS: RolloutEvent,
    topics.RETRAINING: RetrainRequest,
}

LOUDNESS: dict[RolloutAction, Severity] = {
    RolloutAction.BLOCKED: Severity.PAGE,
    RolloutAction.STEP_ADVISED: Severity.TICKET,
    RolloutAction.PROMOTION_ADVISED: Severity.TICKET,
    RolloutAction.CANARY_ADVISED: Severity.TICKET,
    RolloutAction.STOP_ADVISED: Severity.TICKET,
    RolloutAction.EXPIRED: Severity.PAGE,
    RolloutAction.REVIEWED: Severity.WATCH,
    RolloutAction.ROLLBACK_ADVISED: Severity.PAGE,
    RolloutAction.ROLLBACK_REFUSED: Severity.PAGE,
    RolloutAction.ROLLBACK_REJECTED: Severity.TICKET,
    RolloutAction.ROLLBACK_EXPIRED: Severity.PAGE,
    RolloutAction.ROLLBACK_APPLIED: Severity.TICKET,
    RolloutAction.ROLLBACK_FAILED: Severity.PAGE,
    RolloutAction.ROLLBACK_VERIFIED: Severity.TICKET,
    RolloutAction.ROLLBACK_ESCALATED: Severity.PAGE,
    RolloutAction.ROLLBACK_WITHDRAWN: Severity.PAGE,
}
"""How loud what is said of a rollout is; what is not here is for machines, such as a request."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event that may be delivered.

    Parameters
    ----------
    event
        The event.
    body
        Its bytes as they stand in the log: what is signed and sent.
    topic, partition, offset
        Where it stands; topic without prefix. A notice stands nowhere: partition -1.
    others
        Alerts of the same incident that were open when this one was said.
    """

    event: Deliverable
    body: bytes
    topic: str
    partition: int = -1
    offset: int = -1
    others: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """The id, and the idempotency key of every delivery."""
        return self.event.id

    @property
    def story(self) -> str:
        """Events of one story reach a target in order: an incident, a rollout, a model's data."""
        match self.event:
            case Alert():
                return incident(self.event)
            case RolloutEvent():
                return self.event.rollout_id
            case RetrainRequest():
                return self.event.model
            case Notice():
                return self.event.subject

    @property
    def severity(self) -> Severity:
        """How loud."""
        match self.event:
            case RolloutEvent():
                return LOUDNESS.get(self.event.action, Severity.WATCH)
            case RetrainRequest():
                return Severity.TICKET
            case Alert() | Notice():
                return self.event.severity

    @property
    def owner(self) -> str:
        """Who acts; empty where the event does not say."""
        return self.event.owner if isinstance(self.event, Alert | Notice) else ""


def incident(alert: Alert) -> str:
    """The incident of an alert; one that stands alone is its own."""
    return alert.incident_id or alert.alert_id


def read(topic: str, value: bytes, *, partition: int = -1, offset: int = -1) -> Outgoing:
    """The event of a record.

    Parameters
    ----------
    topic
        One of `INPUTS`.

    Raises
    ------
    ValueError
        If the bytes are no such event.
    """
    try:
        event = _MODELS[topic].model_validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "record"
        raise ValueError(
            f"{topic}[{partition}] offset {offset}: {place}: {first['msg']}; "
            "was it written by another version?"
        ) from None
    return Outgoing(event, value, topic, partition, offset)


def notice(event: Notice) -> Outgoing:
    """What ACT itself says, ready to be delivered."""
    return Outgoing(event, event.model_dump_json().encode(), NOTICES)


def own_alert(alert: Alert) -> Outgoing:
    """An alert that ACT itself raises, such as of its probe; it stands in no topic."""
    return Outgoing(alert, alert.model_dump_json().encode(), topics.ALERTS)
