"""Event times as milliseconds, and the refusal of those that cannot be."""

from __future__ import annotations

from schemas.base import MAX_TIME_MS, milliseconds
from schemas.dead_letters import Reason
from schemas.errors import BadRecord


def milliseconds_of(time: int | str) -> int:
    """Milliseconds since the epoch of an event time.

    Raises
    ------
    BadRecord
        If it is no real time between 1970 and 2099.
    """
    if isinstance(time, int) and 0 <= time <= MAX_TIME_MS:
        return time
    try:
        time_ms = milliseconds(time)
        if not 0 <= time_ms <= MAX_TIME_MS:
            raise ValueError("it is before 1970 or after 2099")
    except ValueError as error:
        message = f"time {time!r} is no real time ({error}); send RFC 3339 or epoch ms"
        raise BadRecord(Reason.BAD_TIME, message, field="time") from error
    return time_ms
