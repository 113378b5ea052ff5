"""The join log: committed changes of a shard's join store, and how a store catches up with it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from streams.ingest.store import Changes
from streams.records import Message
from streams.runtime.checkpoint import LIMIT_BYTES
from streams.runtime.store import JoinStore, StoreMark
from streams.runtime.transport import Transport


class Delta(msgspec.Struct, frozen=True, array_like=True):
    """Part of what one checkpoint changed."""

    lineage: str
    epoch: int
    sequence: int
    changes: list[tuple[bytes, bytes | None]]


_decoder = msgspec.msgpack.Decoder(Delta)


def messages(topic: str, shard: int, mark: StoreMark, changes: Changes) -> list[Message]:
    """Records that hold the changes of one checkpoint."""
    return [
        Message(
            topic=topic,
            partition=shard,
            value=msgspec.msgpack.encode(Delta(mark.lineage, mark.epoch, mark.sequence, part)),
        )
        for part in _parts(changes)
    ]


def catch_up(
    transport: Transport, topic: str, shard: int, store: JoinStore, target: StoreMark
) -> int:
    """Bring a store to the state of a checkpoint; returns the number of records applied.

    Parameters
    ----------
    target
        Lineage, epoch and sequence of the checkpoint; its hint is not used.
    """
    mark = store.mark()
    if mark is None or not _usable(transport, topic, shard, mark, target):
        store.wipe()
        mark = StoreMark(target.lineage, -1, 0, transport.beginning_offset(topic, shard))
    applied = 0
    for record in transport.read(topic, shard, start=mark.hint):
        delta = _decoder.decode(record.value or b"")
        place = (delta.epoch, delta.sequence)
        if delta.lineage == target.lineage and place > (mark.epoch, mark.sequence):
            new = StoreMark(delta.lineage, mark.epoch, mark.sequence, record.offset)
            store.write(dict(delta.changes), new)
            applied += 1
    end = transport.end_offset(topic, shard)
    store.write({}, msgspec.structs.replace(target, hint=end))
    return applied


def _usable(
    transport: Transport, topic: str, shard: int, mark: StoreMark, target: StoreMark
) -> bool:
    return (
        mark.lineage == target.lineage
        and (mark.epoch, mark.sequence) <= (target.epoch, target.sequence)
        and mark.hint >= transport.beginning_offset(topic, shard)
    )


def _parts(changes: Changes) -> Iterator[list[tuple[bytes, bytes | None]]]:
    part: list[tuple[bytes, bytes | None]] = []
    size = 0
    for key, value in changes.items():
        added = len(key) + len(value or b"") + 16
        if part and size + added > LIMIT_BYTES:
            yield part
            part, size = [], 0
        part.append((key, value))
        size += added
    if part:
        yield part
