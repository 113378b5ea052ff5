"""Admit: which prediction rows may count, and where.

A row goes to dead-letters when its model has no policy, its time is in the future of the broker,
it is later than any label could be, or it lies on the wrong partition. Lateness is judged by the
watermark before the row, in the order of offsets of its own partition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np

from detectors.summary import Ints
from schemas.base import iso
from schemas.dead_letters import DeadLetter, Reason
from schemas.hot import HotFeedback, HotPrediction
from streams.dead_letters import dead_letter
from streams.ingest.admit.watermark import running
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.one_by_one import Heartbeat, Row
from streams.ingest.decode.rows import Bools
from streams.ingest.plan import Plan

PartitionsOf: TypeAlias = Callable[[Strings], Sequence[int] | Ints]
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
    """The watermark before each of n rows and after all, rows in the future, refused heartbeats.

    ``before_ms`` and ``future`` have shape (n,).
    """

    before_ms: Ints
    after_ms: int
    future: Bools
    dead: list[DeadLetter]


def timed(
    times_ms: Ints, stamps_ms: Ints, beats: Sequence[Heartbeat], *, previous_ms: int, skew_ms: int
) -> Timed:
    """Watermarks of n rows and of heartbeats among them.

    A time that lies after the broker's (``stamps_ms``) by more than ``skew_ms`` moves none.
    """
    future = times_ms > stamps_ms + skew_ms
    moving = np.where(future, previous_ms, times_ms)
    good, dead = _beats(beats, skew_ms)
    if not good:
        marks = running(previous_ms, moving)
        return Timed(marks[:-1], int(marks[-1]), future, dead)
    places = np.array([beat.place for beat in good], np.int64)
    moved = np.array([beat.time_ms for beat in good], np.int64)
    marks = running(previous_ms, np.insert(moving, places, moved))
    is_row = np.insert(np.ones(len(times_ms), np.bool_), places, False)
    return Timed(marks[:-1][is_row], int(marks[-1]), future, dead)


def lacks_policy(dead: Sequence[DeadLetter]) -> bool:
    """Whether a row was refused for want of a policy."""
    return any(letter.reason is Reason.NO_POLICY for letter in dead)


def _beats(beats: Sequence[Heartbeat], skew_ms: int) -> tuple[list[Heartbeat], list[DeadLetter]]:
    good, dead = [], []
    for beat in beats:
        stamp_ms = beat.record.timestamp_ms
        if beat.time_ms <= stamp_ms + skew_ms:
            good.append(beat)
        else:
            words = future_words(stamp_ms, beat.time_ms)
            dead.append(dead_letter(beat.record, Reason.FUTURE, words, field="time"))
    return good, dead


def future_words(stamp_ms: int, time_ms: int) -> str:
    """Why a row or heartbeat whose time the broker has not reached cannot count."""
    return (
        f"time {iso(time_ms)} lies after the broker's {iso(stamp_ms)} by more "
        "than the allowed skew; set the publisher's clock"
    )


def no_policy_words(model: str, time_ms: int) -> str:
    """Why a row whose model has no policy cannot count."""
    return (
        f"model {model!r} has no active policy at {iso(time_ms)}; "
        "publish one with `kittiwake policy apply`"
    )


def stray_words(prediction_id: str, partition: int) -> str:
    """Why a row on the wrong partition cannot count."""
    return (
        f"prediction_id {prediction_id!r} does not belong to partition "
        f"{partition}; key by prediction_id, a shadow by its pair_id if it has one, "
        "with the murmur2 partitioner"
    )
