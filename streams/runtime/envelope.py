"""Events as messages: the JSON of a model under CloudEvents headers."""

from __future__ import annotations

from pydantic import BaseModel

from schemas import cloudevents, topics
from schemas.base import milliseconds
from schemas.commands import Command, Tick
from schemas.dead_letters import DeadLetter
from streams.records import Message
from streams.runtime.settings import Settings


def enveloped(
    event: BaseModel,
    *,
    topic: str,
    key: str,
    type: str,  # noqa: A002
    source: str,
    id: str,  # noqa: A002
    time_ms: int,
    partition: int | None = None,
) -> Message:
    """An event as a message.

    Parameters
    ----------
    topic
        With its prefix.
    source
        Who says so, as a path after Kittiwake's own.
    """
    return Message(
        topic=topic,
        key=key.encode(),
        value=event.model_dump_json().encode(),
        partition=partition,
        headers=cloudevents.headers(
            type=type, source=f"{cloudevents.SOURCE}/{source}", id=id, time_ms=time_ms
        ),
    )


def command_message(
    command: Command, settings: Settings, *, source: str, partition: int | None = None
) -> Message:
    """A command, to the partition of its model unless one is named; ticks have their own topic."""
    topic = topics.TICKS if isinstance(command, Tick) else topics.COMMANDS
    return enveloped(
        command,
        topic=settings.topic(topic),
        key=command.model,
        type=cloudevents.COMMAND[command.kind],
        source=source,
        id=command.id,
        time_ms=milliseconds(command.time),
        partition=partition,
    )


def dead_message(dead: DeadLetter, settings: Settings, *, source: str) -> Message:
    """A dead letter."""
    return enveloped(
        dead,
        topic=settings.topic(topics.DEAD_LETTERS),
        key=dead.topic,
        type=cloudevents.DEAD_LETTER,
        source=source,
        id=dead.id,
        time_ms=dead.time_ms,
    )
