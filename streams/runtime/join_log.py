"""The join log: committed changes of a shard's join store, and how a store catches up with it."""

from __future__ import annotations

import msgspec

from schemas.errors import TransportError
from streams.ingest.store.changes import Changes, parts
from streams.records import Message, Record
from streams.runtime.checkpoint import LIMIT_BYTES
from streams.runtime.store import JoinStore, StoreMark
from streams.runtime.transport import Transport

FORMAT = 3
"""Of what is logged; a log of another one cannot be read."""


class Delta(msgspec.Struct, frozen=True, array_like=True):
    """Part of what one checkpoint changed."""

    format: int
    lineage: str
    epoch: int
    sequence: int
    changes: Changes


_decoder = msgspec.msgpack.Decoder(Delta)


def messages(topic: str, shard: int, mark: StoreMark, changes: Changes) -> list[Message]:
    """Records that hold the changes of one checkpoint."""
    return [
        Message(
            topic=topic,
            partition=shard,
            value=msgspec.msgpack.encode(
                Delta(FORMAT, mark.lineage, mark.epoch, mark.sequence, part)
            ),
        )
        for part in parts(changes, LIMIT_BYTES)
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
        delta = _delta(record)
        place = (delta.epoch, delta.sequence)
        if delta.lineage == target.lineage and place > (mark.epoch, mark.sequence):
            new = StoreMark(delta.lineage, mark.epoch, mark.sequence, record.offset)
            store.write(delta.changes, new)
            applied += 1
    end = transport.end_offset(topic, shard)
    store.write(Changes(), msgspec.structs.replace(target, hint=end))
    return applied


def _usable(
    transport: Transport, topic: str, shard: int, mark: StoreMark, target: StoreMark
) -> bool:
    return (
        mark.lineage == target.lineage
        and (mark.epoch, mark.sequence) <= (target.epoch, target.sequence)
        and mark.hint >= transport.beginning_offset(topic, shard)
    )


def _delta(record: Record) -> Delta:
    try:
        delta = _decoder.decode(record.value or b"")
    except msgspec.DecodeError as error:
        raise _foreign(record) from error
    if delta.format != FORMAT:
        raise _foreign(record)
    return delta


def _foreign(record: Record) -> TransportError:
    return TransportError(
        f"offset {record.offset} of {record.topic}[{record.partition}] is no join delta of format "
        f"{FORMAT}: another version of Kittiwake wrote it; go on with that version, or start anew "
        "under another prefix"
    )
