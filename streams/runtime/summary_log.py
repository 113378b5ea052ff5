"""A checkpoint of a shard as messages for the partitions of ``summaries``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from schemas.summaries import Mark, PaneDelta, SummaryBatch, encode
from streams.ingest.checkpoint import Checkpoint
from streams.records import Message

LIMIT_ENTRIES = 60_000
"""Largest number of pane entries in one message, of 14 bytes each."""

_ENTRY_BYTES = 14
"""A place and a value in MessagePack, at most."""

_FIELD_BYTES = 150
"""Names of the fields of a pane, and its numbers."""

PARTS = 1_000
"""A checkpoint may be cut into that many messages; they share the checkpoint's sequence."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where summaries go: ``partition_of`` maps a model's name to its partition."""

    topic: str
    partitions: int
    partition_of: Callable[[bytes], int]


def messages(target: Target, checkpoint: Checkpoint) -> list[Message]:
    """Messages for all partitions: each gets the panes of its models, and the mark last."""
    panes: dict[int, list[PaneDelta]] = {p: [] for p in range(target.partitions)}
    for pane in checkpoint.panes:
        panes[target.partition_of(pane.model.encode())].append(pane)
    return [
        Message(topic=target.topic, partition=partition, value=encode(batch))
        for partition, own in panes.items()
        for batch in _batches(checkpoint, own)
    ]


def _batches(checkpoint: Checkpoint, panes: list[PaneDelta]) -> Iterator[SummaryBatch]:
    state, parts = checkpoint.state, list(_cut(panes))
    nothing = Mark(checkpoint.mark.shard, checkpoint.mark.shards, None, None)
    for i, part in enumerate(parts):
        yield SummaryBatch(
            shard=checkpoint.mark.shard,
            epoch=state.epoch,
            sequence=state.sequence * PARTS + i,
            panes=part,
            mark=checkpoint.mark if i == len(parts) - 1 else nothing,
            offsets=state.offsets,
        )


def _cut(panes: list[PaneDelta]) -> Iterator[list[PaneDelta]]:
    part: list[PaneDelta] = []
    entries = 0
    for pane in panes:
        for piece in _pieces(pane):
            added = len(piece.index) + _head(piece)
            if part and entries + added > LIMIT_ENTRIES:
                yield part
                part, entries = [], 0
            part.append(piece)
            entries += added
    yield part


def _head(pane: PaneDelta) -> int:
    """What a pane takes besides its entries, counted in entries."""
    names = (pane.model, pane.version, pane.arm, pane.segment, pane.policy, pane.reference)
    return (_FIELD_BYTES + sum(len(name.encode()) for name in names)) // _ENTRY_BYTES + 1


def _pieces(pane: PaneDelta) -> Iterator[PaneDelta]:
    """A pane of very many features in several deltas: they add up to the same."""
    most = LIMIT_ENTRIES - _head(pane)
    for start in range(0, max(len(pane.index), 1), most):
        stop = start + most
        yield msgspec.structs.replace(
            pane, index=pane.index[start:stop], values=pane.values[start:stop]
        )
