"""Dead letters: what could not be used, as a record says it."""

from __future__ import annotations

import base64

from schemas.base import MAX_TIME_MS
from schemas.dead_letters import DeadLetter, Reason
from schemas.errors import BadRecord
from schemas.ids import content_id
from streams.records import Record

KEPT_BYTES = 600_000
"""Most of a value that a dead letter repeats: in base64 it must fit into one record."""

TEXT_LENGTH = 4_000
"""Most characters of its message: a label or a key may be as long as a record."""


def dead_letter(
    record: Record,
    reason: Reason,
    message: str,
    *,
    row: int = 0,
    field: str = "",
    value: bytes | None = None,
) -> DeadLetter:
    """A dead letter for one row of a record; ``value`` is the row where it is not the record."""
    raw = (record.value or b"") if value is None else value
    message = message[:TEXT_LENGTH]
    if len(raw) > KEPT_BYTES:
        message += f"; the first {KEPT_BYTES:,} of {len(raw):,} bytes are kept here"
    return DeadLetter(
        id=content_id("dead", record.topic, record.partition, record.offset, row, reason),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        row=row,
        reason=reason,
        field=field[:TEXT_LENGTH],
        message=message,
        value_base64=base64.b64encode(raw[:KEPT_BYTES]).decode(),
        time_ms=min(max(record.timestamp_ms, 0), MAX_TIME_MS),
    )


def refusal(
    record: Record, bad: BadRecord, *, row: int = 0, value: bytes | None = None
) -> DeadLetter:
    """The dead letter of a record, or of a row of it, that was refused."""
    return dead_letter(record, Reason(bad.reason), str(bad), row=row, field=bad.field, value=value)
