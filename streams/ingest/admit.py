"""Admit: which prediction rows may count, and where.

A row goes to dead-letters when its model has no policy, its time is in the future of the broker,
it is later than any label could be, or it lies on the wrong partition. Lateness is judged by the
watermark before the row, in the order of offsets of its own partition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from schemas.base import iso
from schemas.dead_letters import DeadLetter, Reason
from schemas.hot import HotFeedback, HotPrediction
from schemas.predictions import partition_key
from streams.dead_letters import dead_letter
from streams.ingest import keys
from streams.ingest.decode import Decoded, Heartbeat, Row, T
from streams.ingest.plan import Plan, Plans
from streams.ingest.watermark import running
from streams.records import Record

PartitionsOf = Callable[[Sequence[bytes]], Sequence[int]]
"""Partition of each key, by the partitioner of the topic."""


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """A row with its plan, its watermark, and its name in the join store (`keys.name`).

    The name of a shadow is that of the answer it stands beside.
    """

    row: Row[HotPrediction]
    plan: Plan
    late: bool
    watermark_ms: int
    name: bytes


class AdmittedFeedback(msgspec.Struct, frozen=True, gc=False):
    """A feedback row with its model's plan at that time and its watermark."""

    row: Row[HotFeedback]
    plan: Plan
    late: bool
    watermark_ms: int


@dataclass(frozen=True, slots=True)
class Timed:
    """Rows with the watermark before each, the watermark after all, and heartbeats refused."""

    before_ms: list[int]
    after_ms: int
    future: list[bool]
    dead: list[DeadLetter]


def watermarks(decoded: Decoded[T], previous_ms: int, skew_ms: int) -> Timed:
    """Watermarks of rows and heartbeats; a time past the broker's plus ``skew_ms`` moves none."""
    times = np.array([row.time_ms for row in decoded.rows], np.int64)
    limits = np.array([row.record.timestamp_ms + skew_ms for row in decoded.rows], np.int64)
    future = times > limits
    moving = np.where(future, previous_ms, times)
    good, dead = _beats(decoded, skew_ms)
    if not good:
        marks = running(previous_ms, moving)
        return Timed(marks[:-1].tolist(), int(marks[-1]), future.tolist(), dead)
    places = np.array([beat.place for beat in good], np.int64)
    beats = np.array([beat.time_ms for beat in good], np.int64)
    marks = running(previous_ms, np.insert(moving, places, beats))
    is_row = np.insert(np.ones(len(times), np.bool_), places, False)
    return Timed(marks[:-1][is_row].tolist(), int(marks[-1]), future.tolist(), dead)


def admit_predictions(
    decoded: Decoded[HotPrediction],
    timed: Timed,
    plans: Plans,
    strays: Sequence[bool],
) -> tuple[list[Admitted], list[Admitted], list[DeadLetter]]:
    """Rows that count, rows on the wrong partition, and dead letters."""
    admitted: list[Admitted] = []
    stray: list[Admitted] = []
    dead: list[DeadLetter] = []
    for row, plan, before_ms, future, lost in zip(
        decoded.rows, _plans(decoded, plans), timed.before_ms, timed.future, strays, strict=True
    ):
        if future:
            dead.append(row.refused(Reason.FUTURE, _future(row.record, row.time_ms), field="time"))
        elif plan is None:
            dead.append(_no_policy(row))
        elif row.time_ms < before_ms - plan.horizon_ms - plan.lateness_ms:
            dead.append(_too_late(row, before_ms))
        else:
            late = row.time_ms < before_ms - plan.lateness_ms
            name = keys.name(row.event.model, key_of(row.event))
            (stray if lost else admitted).append(Admitted(row, plan, late, before_ms, name))
    dead.extend(_stray(item.row) for item in stray)
    return admitted, stray, dead


def admit_feedback(
    decoded: Decoded[HotFeedback], timed: Timed, plans: Plans, strays: Sequence[bool]
) -> tuple[list[AdmittedFeedback], list[DeadLetter]]:
    """Feedback rows that count, and dead letters."""
    admitted: list[AdmittedFeedback] = []
    dead: list[DeadLetter] = []
    for row, plan, before_ms, future, lost in zip(
        decoded.rows, _plans(decoded, plans), timed.before_ms, timed.future, strays, strict=True
    ):
        if future:
            dead.append(row.refused(Reason.FUTURE, _future(row.record, row.time_ms), field="time"))
        elif plan is None:
            dead.append(_no_policy(row))
        elif lost:
            dead.append(_stray(row))
        else:
            late = row.time_ms < before_ms - plan.label_lateness_ms
            admitted.append(AdmittedFeedback(row, plan, late, before_ms))
    return admitted, dead


def _plans(decoded: Decoded[T], plans: Plans) -> list[Plan | None]:
    rows = decoded.rows
    return plans.at_each([row.event.model for row in rows], [row.time_ms for row in rows])


def key_of(event: HotPrediction) -> str:
    """What a prediction is keyed by."""
    return partition_key(event.prediction_id, event.arm, event.pair_id)


def strays(keys_: Sequence[str], shard: int, partitions_of: PartitionsOf) -> list[bool]:
    """Whether each row's key belongs to another partition than ``shard``."""
    if not keys_:
        return []
    lost: list[bool] = (
        np.asarray(partitions_of([key.encode() for key in keys_])) != shard
    ).tolist()
    return lost


def _beats(decoded: Decoded[T], skew_ms: int) -> tuple[list[Heartbeat], list[DeadLetter]]:
    good, dead = [], []
    for beat in decoded.beats:
        if beat.time_ms <= beat.record.timestamp_ms + skew_ms:
            good.append(beat)
        else:
            message = _future(beat.record, beat.time_ms)
            dead.append(dead_letter(beat.record, Reason.FUTURE, message, field="time"))
    return good, dead


def _future(record: Record, time_ms: int) -> str:
    return (
        f"time {iso(time_ms)} lies after the broker's {iso(record.timestamp_ms)} by more "
        "than the allowed skew; set the publisher's clock"
    )


def _no_policy(row: Row[T]) -> DeadLetter:
    return row.refused(
        Reason.NO_POLICY,
        f"model {row.event.model!r} has no active policy at {iso(row.time_ms)}; "
        "publish one with `kittiwake policy apply`",
        field="model",
    )


def _too_late(row: Row[T], before_ms: int) -> DeadLetter:
    return row.refused(
        Reason.TOO_LATE,
        f"time {iso(row.time_ms)} is past the label horizon: its partition has reached "
        f"{iso(before_ms)}; lengthen labels.horizon or publish in order",
        field="time",
    )


def _stray(row: Row[T]) -> DeadLetter:
    return row.refused(
        Reason.STRAY,
        f"prediction_id {row.event.prediction_id!r} does not belong to partition "
        f"{row.record.partition}; key by prediction_id, a shadow by its pair_id if it has one, "
        "with the murmur2 partitioner",
        field="prediction_id",
    )
