"""Dead letters: the bytes that could not be used, with reason and place."""

from __future__ import annotations

from enum import StrEnum

from schemas.base import Message


class Reason(StrEnum):
    """Why a record could not be used."""

    NOT_JSON = "not_json"
    NOT_ARROW = "not_arrow"
    BAD_SHAPE = "bad_shape"
    BAD_TIME = "bad_time"
    FUTURE = "future"
    TOO_LATE = "too_late"
    STRAY = "stray"
    NO_POLICY = "no_policy"
    TOO_MANY_VERSIONS = "too_many_versions"
    UNMATCHED = "unmatched"
    UNUSABLE_LABEL = "unusable_label"
    UNDELIVERED = "undelivered"


class DeadLetter(Message):
    """One unusable record: ``value_base64`` are its bytes, of long ones the first 600,000.

    ``row`` is the place inside a batch message, from 0, and the bytes are that row's; ``field`` is
    the path inside the row.
    """

    id: str
    topic: str
    partition: int
    offset: int
    row: int
    reason: Reason
    field: str
    message: str
    value_base64: str
    time_ms: int
