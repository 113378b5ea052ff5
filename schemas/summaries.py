"""SummaryBatch: what INGEST tells DECIDE, one message for many panes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

OTHER = "<other>"
"""Stands for the values of a segment or group that have no stream of their own."""


class Part(StrEnum):
    """Which rows of a pane a delta speaks of.

    Tests look at ``INPUT`` and ``LABEL``; windows show all four. The division depends on event
    times and offsets alone, so it is the same in every run.
    """

    INPUT = "input"
    """Predictions within the allowed lateness."""
    LATE_INPUT = "late_input"
    """Predictions later than that."""
    LABEL = "label"
    """The label state at maturity of predictions in ``INPUT``."""
    LATE_LABEL = "late_label"
    """What came or changed after maturity, and labels of late predictions."""


class PaneDelta(msgspec.Struct, frozen=True, gc=False):
    """Signed additions to one part of one pane.

    The pane is (model, version, arm, segment, policy, reference, start). ``index`` and ``values``
    are the non-zero entries of the int64 vector whose layout the policy and the reference give
    (`detectors.summary`).
    """

    model: str
    version: str
    arm: str
    segment: str
    policy: str
    reference: str
    start_ms: int
    part: Part
    index: list[int]
    values: list[int]


class Mark(msgspec.Struct, frozen=True):
    """How far a shard has come in event time.

    ``predictions_ms`` is the watermark of its predictions, ``labels_ms`` the smaller of both
    topics' watermarks; None before the first row. ``idle`` says that its owner stood at the end
    of both topics; then the watermarks are moved on at the pace of the wall clock, as logged here.
    ``shedding`` is the level of `streams.ingest.panes.shedding` at which the rows were counted, by
    hash of the policy; those at which nothing was shed are left out.
    """

    shard: int
    shards: int
    predictions_ms: int | None
    labels_ms: int | None
    idle: bool = False
    shedding: dict[str, int] = msgspec.field(default_factory=dict)


class SummaryBatch(msgspec.Struct, frozen=True):
    """All that a checkpoint of a shard says to one partition of ``summaries``.

    (shard, epoch, sequence) is unique; DECIDE drops what it has seen. ``offsets`` are the next
    offsets of the shard's topics, so that a decision can name the rows behind it.
    """

    shard: int
    epoch: int
    sequence: int
    panes: list[PaneDelta]
    mark: Mark
    offsets: dict[str, int]


def encode(batch: SummaryBatch) -> bytes:
    """MessagePack bytes of a batch."""
    return msgspec.msgpack.encode(batch)


_decoder = msgspec.msgpack.Decoder(SummaryBatch)


def decode(value: bytes) -> SummaryBatch:
    """The batch of MessagePack bytes."""
    return _decoder.decode(value)
