"""The audit chains in the log, and the heads that DECIDE's checkpoints know."""

from __future__ import annotations

from collections.abc import Iterator

from schemas import topics
from streams.decide.state import State
from streams.runtime import checkpoint
from streams.runtime.decide_worker import STATE
from streams.runtime.partitioner import partition_of
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport, check_topics

TABLE = "audit"
"""The table of DECIDE's state that has the heads."""


def read_audit(
    transport: Transport, settings: Settings, model: str | None
) -> Iterator[tuple[str, bytes]]:
    """Place and value of every audit record: of all models, or of those beside one model.

    Raises
    ------
    ConfigurationError
        If the topic is missing.
    """
    topic = settings.topic(topics.AUDIT)
    for number in _partitions(transport, topic, model):
        for record in transport.read(topic, number):
            yield f"{topic}[{number}]@{record.offset}", record.value or b""


def checkpointed_heads(
    transport: Transport, settings: Settings, model: str | None
) -> dict[str, dict[int, str]]:
    """By model, the hash and the sequence of the newest record that DECIDE has committed.

    Read it before the log: what was committed is published, a moment later or after a restart.

    Raises
    ------
    ConfigurationError
        If a topic is missing.
    """
    topic, states = settings.topic(topics.AUDIT), settings.topic(topics.CHECKPOINTS)
    check_topics({states: transport.partition_count(states)}, co_partitioned=False)
    found: dict[str, dict[int, str]] = {}
    for number in _partitions(transport, topic, model):
        parts = checkpoint.read(transport, states, number, f"decide/{number}")
        prefix = f"{STATE}{TABLE}:"
        rows = {part.removeprefix(STATE): v for part, v in parts.items() if part.startswith(prefix)}
        for name, head in State.load(rows).audit.items():
            if model in (None, name):
                found[name] = {head.length - 1: head.hash}
    return found


def _partitions(transport: Transport, topic: str, model: str | None) -> list[int]:
    count = transport.partition_count(topic)
    check_topics({topic: count}, co_partitioned=False)
    if model is None:
        return list(range(count or 0))
    return [partition_of(model.encode(), count or 1)]
