"""What DECIDE publishes, as messages: decided once, then the same bytes however often sent."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from pydantic import BaseModel

from schemas import cloudevents, topics
from schemas.alerts import Alert
from schemas.audit import AuditRecord
from schemas.fallback import Advice
from schemas.retraining import RetrainRequest
from schemas.rollouts import RolloutEvent
from schemas.windows import WindowResult
from streams.decide.incidents.repeat import Confirmable
from streams.decide.outputs import Outputs
from streams.records import Message
from streams.runtime.checkpoint import cut
from streams.runtime.envelope import enveloped
from streams.runtime.settings import Settings

PART = "outbox"


class _Letter(msgspec.Struct, frozen=True, array_like=True):
    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def messages(outputs: Outputs, settings: Settings) -> list[Message]:
    """Messages of decisions: windows first, the audit of all last; what is said again as it was."""
    letters = [
        *(_windows(result) for result in outputs.windows),
        *(_alerts(alert) for alert in outputs.alerts),
        *(_rollouts(event) for event in outputs.rollouts),
        *(_retraining(request) for request in outputs.retraining),
        *(_advice(advice) for advice in outputs.advice),
        *(_audit(record) for record in outputs.audit),
        *(_again(event) for event in outputs.again),
    ]
    return [
        enveloped(
            letter.event,
            topic=settings.topic(letter.topic),
            key=letter.key,
            type=letter.type,
            source="decide",
            id=letter.id,
            time_ms=letter.time_ms,
        )
        for letter in letters
    ]


def pack(letters: list[Message]) -> dict[str, bytes]:
    """Messages as parts of the state."""
    return cut(PART, [msgspec.msgpack.encode(_letter(message)) for message in letters])


def unpack(parts: dict[str, bytes]) -> list[Message]:
    """Messages of the parts of a state, in the order in which they were decided."""
    names = [name for name in parts if name.startswith(f"{PART}/")]
    names.sort(key=lambda name: int(name.rpartition("/")[2]))
    letters: list[Message] = []
    for name in names:
        for value in msgspec.msgpack.decode(parts[name], type=list[bytes]):
            letter = msgspec.msgpack.decode(value, type=_Letter)
            letters.append(
                Message(
                    topic=letter.topic, key=letter.key, value=letter.value, headers=letter.headers
                )
            )
    return letters


def _letter(message: Message) -> _Letter:
    return _Letter(message.topic, message.key or b"", message.value or b"", message.headers)


class _Event(NamedTuple):
    event: BaseModel
    topic: str
    key: str
    type: str
    id: str
    time_ms: int


def _windows(result: WindowResult) -> _Event:
    id_ = f"{result.id}-{result.revision}"
    return _Event(result, topics.WINDOWS, result.model, cloudevents.WINDOW, id_, result.end_ms)


def _alerts(alert: Alert) -> _Event:
    kind = cloudevents.ALERT[alert.action]
    key = alert.incident_id or alert.alert_id
    return _Event(alert, topics.ALERTS, key, kind, alert.id, alert.window_end_ms)


def _rollouts(event: RolloutEvent) -> _Event:
    kind = cloudevents.ROLLOUT[event.action]
    return _Event(event, topics.ROLLOUTS, event.model, kind, event.id, event.decided_at_ms)


def _retraining(request: RetrainRequest) -> _Event:
    kind = cloudevents.RETRAIN
    return _Event(
        request, topics.RETRAINING, request.model, kind, request.id, request.decided_at_ms
    )


def _again(event: Confirmable) -> _Event:
    match event:
        case Alert():
            return _alerts(event)
        case RolloutEvent():
            return _rollouts(event)
        case RetrainRequest():
            return _retraining(event)


def _advice(advice: Advice) -> _Event:
    return _Event(
        advice, topics.ADVICE, advice.model, cloudevents.ADVICE, advice.id, advice.since_ms
    )


def _audit(record: AuditRecord) -> _Event:
    return _Event(record, topics.AUDIT, record.model, cloudevents.AUDIT, record.hash, record.at_ms)
