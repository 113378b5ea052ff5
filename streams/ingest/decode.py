"""Decode: bytes of a record to rows, or to a dead letter with reason and place."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from pydantic import BaseModel

from schemas import cloudevents
from schemas.base import MAX_TIME_MS, milliseconds
from schemas.dead_letters import DeadLetter, Reason
from schemas.feedback import FeedbackEvent
from schemas.hot import (
    HotFeedback,
    HotPrediction,
    explain,
    feedback_decoder,
    feedback_list_decoder,
    prediction_decoder,
    prediction_list_decoder,
)
from schemas.ids import content_id
from schemas.predictions import PredictionEvent
from streams.runtime.transport import Record

T = TypeVar("T", HotPrediction, HotFeedback)


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """One event and where it came from; ``index`` is its place inside a batch message."""

    event: T
    record: Record
    index: int
    time_ms: int


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
    return _decode(
        records, prediction_decoder.decode, prediction_list_decoder.decode, PredictionEvent
    )


def decode_feedback(records: Sequence[Record]) -> Decoded[HotFeedback]:
    """Rows of records of the feedback topic."""
    return _decode(records, feedback_decoder.decode, feedback_list_decoder.decode, FeedbackEvent)


def dead_letter(
    record: Record, reason: Reason, message: str, *, row: int = 0, field: str = ""
) -> DeadLetter:
    """A dead letter for one row of a record."""
    return DeadLetter(
        id=content_id("dead", record.topic, record.partition, record.offset, row, reason),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        row=row,
        reason=reason,
        field=field,
        message=message,
        value_base64=base64.b64encode(record.value or b"").decode(),
        time_ms=min(max(record.timestamp_ms, 0), MAX_TIME_MS),
    )


def _decode(
    records: Sequence[Record],
    one: Callable[[bytes], T],
    many: Callable[[bytes], list[T]],
    model: type[BaseModel],
) -> Decoded[T]:
    found: Decoded[T] = Decoded([], [], [])
    for record in records:
        value = record.value or b""
        if record.headers and cloudevents.event_type(record.headers) == cloudevents.HEARTBEAT:
            _beat(record, found)
        elif value.lstrip(b" \t\r\n")[:1] == b"[":
            _add_batch(record, value, many, model, found)
        else:
            _add_one(record, value, one, model, found)
    return found


def _add_one(
    record: Record,
    value: bytes,
    one: Callable[[bytes], T],
    model: type[BaseModel],
    found: Decoded[T],
) -> None:
    try:
        event = one(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found.dead.append(_undecodable(record, value, model, 0))
        return
    _add_row(record, event, 0, found)


def _add_batch(
    record: Record,
    value: bytes,
    many: Callable[[bytes], list[T]],
    model: type[BaseModel],
    found: Decoded[T],
) -> None:
    try:
        events = many(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _add_pieces(record, value, many, model, found)
        return
    for index, event in enumerate(events):
        _add_row(record, event, index, found)


def _add_pieces(
    record: Record,
    value: bytes,
    many: Callable[[bytes], list[T]],
    model: type[BaseModel],
    found: Decoded[T],
) -> None:
    """One bad row of a batch costs that row, not the batch."""
    try:
        pieces = [bytes(piece) for piece in _raw_list.decode(value)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found.dead.append(_undecodable(record, value, model, 0))
        return
    for index, piece in enumerate(pieces):
        try:
            (event,) = many(b"[" + piece + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found.dead.append(_undecodable(record, piece, model, index))
        else:
            _add_row(record, event, index, found)


def _add_row(record: Record, event: T, index: int, found: Decoded[T]) -> None:
    try:
        time_ms = milliseconds(event.time)
        if not 0 <= time_ms <= MAX_TIME_MS:
            raise ValueError("it is before 1970 or after 2099")
    except ValueError as error:
        message = f"time {event.time!r} is no real time ({error}); send RFC 3339 or epoch ms"
        found.dead.append(dead_letter(record, Reason.BAD_TIME, message, row=index, field="time"))
        return
    found.rows.append(Row(event, record, index, time_ms))


def _beat(record: Record, found: Decoded[T]) -> None:
    try:
        beat = _beat_decoder.decode(record.value or b"")
    except msgspec.DecodeError as error:
        message = f'a heartbeat must be {{"time": epoch ms}}: {error}'
        found.dead.append(dead_letter(record, Reason.BAD_SHAPE, message, field="time"))
        return
    found.beats.append(Heartbeat(len(found.rows), beat.time, record))


def _undecodable(record: Record, value: bytes, model: type[BaseModel], index: int) -> DeadLetter:
    field, message = explain(model, value)
    reason = Reason.BAD_SHAPE if _is_json(value) else Reason.NOT_JSON
    return dead_letter(record, reason, message, row=index, field=field)


def _is_json(value: bytes) -> bool:
    try:
        msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


class _Beat(msgspec.Struct):
    time: int


_beat_decoder = msgspec.json.Decoder(_Beat)
_raw_list = msgspec.json.Decoder(list[msgspec.Raw])
