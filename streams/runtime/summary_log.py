"""A checkpoint of a shard as messages for the partitions of ``summaries``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

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
    for model, of_model in groupby(checkpoint.panes, lambda pane: pane.model):
        panes[target.partition_of(model.encode())] += of_model
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
        head = _head(pane)
        for piece in _pieces(pane, LIMIT_ENTRIES - head):
            added = len(piece.index) + head
            if part and entries + added > LIMIT_ENTRIES:
                yield part
                part, entries = [], 0
            part.append(piece)
            entries += added
    yield part


def _head(pane: PaneDelta) -> int:
    """What a pane takes besides its entries, counted in entries."""
    names = (pane.model, pane.version, pane.arm, pane.segment, pane.policy, pane.reference)
    return (_FIELD_BYTES + len("".join(names).encode())) // _ENTRY_BYTES + 1


def _pieces(pane: PaneDelta, most: int) -> Iterator[PaneDelta]:
    """A pane of more entries than ``most`` in several deltas: they add up to the same."""
    if len(pane.index) <= most:
        yield pane
        return
    for start in range(0, len(pane.index), most):
        stop = start + most
        yield msgspec.structs.replace(
            pane, index=pane.index[start:stop], values=pane.values[start:stop]
        )
