"""Types that several events share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_TIME_MS = 4_102_444_800_000
"""2100-01-01, the last time an event may carry."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
"""A model, version, feature, segment or source name."""

Identifier = Annotated[str, Field(min_length=1, max_length=256)]
"""A prediction, unit or request id."""

Milliseconds = Annotated[int, Field(ge=0, le=MAX_TIME_MS)]
"""Milliseconds since 1970-01-01 UTC."""

Timestamp = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
        r"(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
        max_length=40,
    ),
]
"""A time as RFC 3339 with an offset."""

EventTime = Milliseconds | Timestamp
"""Milliseconds since the epoch, or RFC 3339."""

Rate = Annotated[float, Field(gt=0, lt=1)]
"""A share of events, strictly between 0 and 1."""

Scalar = bool | int | float | str | None
"""A feature or label value."""


class Event(BaseModel):
    """Base of what others publish: unknown fields are ignored, types are not coerced."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False)


class Message(BaseModel):
    """Base of what Kittiwake publishes: unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def milliseconds(time: int | str) -> int:
    """Milliseconds since the epoch of an event time.

    Raises
    ------
    ValueError
        If the text names no real day or hour.

    Examples
    --------
    >>> milliseconds("2026-03-01T00:00:00.250+01:00")
    1772319600250
    >>> milliseconds(12)
    12
    """
    if isinstance(time, int):
        return time
    moment = datetime.fromisoformat(time)
    return (moment - EPOCH) // timedelta(milliseconds=1)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(time_ms: int) -> str:
    """RFC 3339 of milliseconds since the epoch.

    Examples
    --------
    >>> iso(1772319600250)
    '2026-02-28T23:00:00.250Z'
    """
    return (
        (EPOCH + timedelta(milliseconds=time_ms))
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
