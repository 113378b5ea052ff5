"""The checkpoint topic: the last value of each key is the state; parts of a worker share a prefix.

Keys are ``worker/shard/part``. All records of one checkpoint are in one transaction together with
outputs and offsets, so that under read_committed they are seen whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.errors import TransportError
from streams.records import Message
from streams.runtime.transport import TopicPartition, Transport

LIMIT_BYTES = 900_000
"""Largest value of one record; longer ones are cut."""

_PREFIX_BYTES = 5
"""What MessagePack puts before each value, at most."""


def messages(
    topic: str, partition: int, owner: str, changes: Mapping[str, bytes | None]
) -> list[Message]:
    """Records that set or delete parts of an owner's state."""
    return [
        Message(topic=topic, partition=partition, key=f"{owner}/{part}".encode(), value=value)
        for part, value in changes.items()
    ]


def read(transport: Transport, topic: str, partition: int, owner: str) -> dict[str, bytes]:
    """An owner's state, by part."""
    prefix = f"{owner}/".encode()
    state: dict[str, bytes] = {}
    for record in transport.read(topic, partition):
        if record.key is None or not record.key.startswith(prefix):
            continue
        part = record.key[len(prefix) :].decode()
        if record.value is None:
            state.pop(part, None)
        else:
            state[part] = record.value
    return state


def check_barrier(
    saved: Mapping[TopicPartition, int], committed: Mapping[TopicPartition, int | None]
) -> None:
    """Check that a state and the group's offsets are of one transaction.

    Raises
    ------
    TransportError
        If they differ: somebody moved the group's offsets, or part of the log is gone.
    """
    for place, offset in saved.items():
        if committed.get(place) != offset:
            topic, partition = place
            raise TransportError(
                f"the checkpoint of {topic}[{partition}] stands at offset {offset}, the group at "
                f"{committed.get(place)}; do not move the group's offsets by hand: restore them, "
                "or start anew under another prefix"
            )


def check_unstarted(committed: Mapping[TopicPartition, int | None]) -> None:
    """Check that a group has no offsets of a shard of which there is no checkpoint.

    Raises
    ------
    TransportError
        If it has: the checkpoint is gone, and going on from the offsets would lose its state.
    """
    for (topic, partition), offset in committed.items():
        if offset is not None:
            raise TransportError(
                f"the group stands at offset {offset} of {topic}[{partition}], but there is no "
                "checkpoint of that shard: restore the checkpoint topic, or start anew under "
                "another prefix"
            )


def cut(name: str, values: list[bytes]) -> dict[str, bytes]:
    """Pack many small values into few parts, each below the limit.

    Examples
    --------
    >>> sorted(cut("out", [b"a", b"b"]))
    ['out/0']
    """
    parts: dict[str, bytes] = {}
    batch: list[bytes] = []
    size = 0
    for value in values:
        if batch and size + len(value) + _PREFIX_BYTES > LIMIT_BYTES:
            parts[f"{name}/{len(parts)}"] = msgspec.msgpack.encode(batch)
            batch, size = [], 0
        batch.append(value)
        size += len(value) + _PREFIX_BYTES
    if batch:
        parts[f"{name}/{len(parts)}"] = msgspec.msgpack.encode(batch)
    return parts
