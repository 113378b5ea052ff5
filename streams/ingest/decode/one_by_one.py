"""Decode: bytes of a record to rows, or to a dead letter with reason and place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from schemas import arrow, cloudevents
from schemas.dead_letters import DeadLetter, Reason
from schemas.errors import BadRecord
from schemas.event_time import milliseconds_of
from schemas.hot import (
    Decoder,
    HotFeedback,
    HotPrediction,
    feedback_decoder,
    heartbeat_decoder,
    prediction_decoder,
    rows,
)
from streams.dead_letters import dead_letter, refusal
from streams.records import Record

T = TypeVar("T", HotPrediction, HotFeedback)


class Row(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One event and where it came from; ``index`` is its place inside a batch message."""

    event: T
    record: Record
    index: int
    time_ms: int

    def refused(self, reason: Reason, message: str, *, field: str = "") -> DeadLetter:
        """A dead letter for this row alone; a row of a batch is written anew."""
        value = self.record.value or b""
        if is_batch(value) or _is_arrow(value):
            value = msgspec.json.encode(self.event)
        return dead_letter(self.record, reason, message, row=self.index, field=field, value=value)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A record without rows that moves the watermark of its partition on.

    ``place`` is the number of rows before it.
    """

    place: int
    time_ms: int
    record: Record


@dataclass(frozen=True, slots=True)
class Decoded(Generic[T]):
    """What some records held, in order of offset."""

    rows: list[Row[T]]
    beats: list[Heartbeat]
    dead: list[DeadLetter]


def decode_predictions(records: Sequence[Record]) -> Decoded[HotPrediction]:
    """Rows of records of the predictions topic."""
    found: Decoded[HotPrediction] = Decoded([], [], [])
    for record in records:
        if _is_arrow(record.value or b""):
            _add_arrow(record, found)
        else:
            _add_record(record, prediction_decoder, found)
    return found


def decode_feedback(records: Sequence[Record]) -> Decoded[HotFeedback]:
    """Rows of records of the feedback topic."""
    found: Decoded[HotFeedback] = Decoded([], [], [])
    for record in records:
        _add_record(record, feedback_decoder, found)
    return found


def _add_record(record: Record, decoder: Decoder[T], found: Decoded[T]) -> None:
    value = record.value or b""
    if record.headers and cloudevents.event_type(record.headers) == cloudevents.HEARTBEAT:
        _beat(record, value, found)
    elif is_batch(value):
        _add_batch(record, value, decoder, found)
    else:
        _add_row(record, value, 0, decoder, found)


def _add_arrow(record: Record, found: Decoded[HotPrediction]) -> None:
    """Rows of a message in columns, one by one."""
    from streams.ingest.decode.arrow import message_of  # it takes a third of a second

    try:
        message, good, dead = message_of(record)
    except BadRecord as bad:
        found.dead.append(refusal(record, bad))
        return
    found.dead.extend(dead)
    for index, event in zip(good.tolist(), message.events(good), strict=True):
        found.rows.append(Row(event, record, index, int(message.times_ms[index])))


def _add_batch(record: Record, value: bytes, decoder: Decoder[T], found: Decoded[T]) -> None:
    """One bad row of a batch costs that row, not the batch."""
    try:
        parts = rows(value)
    except BadRecord as bad:
        found.dead.append(refusal(record, bad))
        return
    for index, part in enumerate(parts):
        _add_row(record, part, index, decoder, found)


def _add_row(
    record: Record, value: bytes, index: int, decoder: Decoder[T], found: Decoded[T]
) -> None:
    try:
        event = decoder.decode(value)
        time_ms = milliseconds_of(event.time)
    except BadRecord as bad:
        found.dead.append(refusal(record, bad, row=index, value=value))
    else:
        found.rows.append(Row(event, record, index, time_ms))


def _beat(record: Record, value: bytes, found: Decoded[T]) -> None:
    try:
        time_ms = milliseconds_of(heartbeat_decoder.decode(value).time)
    except BadRecord as bad:
        found.dead.append(refusal(record, bad))
    else:
        found.beats.append(Heartbeat(len(found.rows), time_ms, record))


def _is_arrow(value: bytes) -> bool:
    return value.startswith(arrow.MAGIC)


def is_batch(value: bytes) -> bool:
    """Whether bytes are a JSON array.

    Examples
    --------
    >>> is_batch(b' [{}]'), is_batch(b'{"a": []}')
    (True, False)
    """
    return not value.startswith(b"{") and value.lstrip(b" \t\r\n")[:1] == b"["
