"""What DECIDE publishes, as messages: decided once, then the same bytes however often sent."""

from __future__ import annotations

import msgspec

from schemas import cloudevents, topics
from schemas.alerts import Alert
from schemas.rollouts import RolloutEvent
from schemas.windows import WindowResult
from streams.decide.pipeline import Outputs
from streams.records import Message
from streams.runtime.checkpoint import cut
from streams.runtime.settings import Settings

SOURCE = cloudevents.SOURCE + "/decide"
PART = "outbox"


class _Letter(msgspec.Struct, frozen=True, array_like=True):
    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def messages(outputs: Outputs, settings: Settings) -> list[Message]:
    """Messages of decisions: windows first, then alerts, then rollouts."""
    return [
        *(_window(result, settings) for result in outputs.windows),
        *(_alert(alert, settings) for alert in outputs.alerts),
        *(_rollout(event, settings) for event in outputs.rollouts),
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


def _window(result: WindowResult, settings: Settings) -> Message:
    return Message(
        topic=settings.topic(topics.WINDOWS),
        key=result.model.encode(),
        value=result.model_dump_json().encode(),
        headers=cloudevents.headers(
            type=cloudevents.WINDOW,
            source=SOURCE,
            id=f"{result.id}-{result.revision}",
            time_ms=result.end_ms,
        ),
    )


def _alert(alert: Alert, settings: Settings) -> Message:
    return Message(
        topic=settings.topic(topics.ALERTS),
        key=alert.alert_id.encode(),
        value=alert.model_dump_json().encode(),
        headers=cloudevents.headers(
            type=cloudevents.ALERT[alert.action],
            source=SOURCE,
            id=alert.id,
            time_ms=alert.window_end_ms,
        ),
    )


def _rollout(event: RolloutEvent, settings: Settings) -> Message:
    return Message(
        topic=settings.topic(topics.ROLLOUTS),
        key=event.model.encode(),
        value=event.model_dump_json().encode(),
        headers=cloudevents.headers(
            type=cloudevents.ROLLOUT[event.action],
            source=SOURCE,
            id=event.id,
            time_ms=event.decided_at_ms,
        ),
    )
