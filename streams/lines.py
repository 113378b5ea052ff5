"""What every file gives: one event, with the time at which it counts as published."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """One event of a file; ``time_ms`` is when it counts as published."""

    time_ms: int
    topic: str
    key: bytes
    value: bytes
