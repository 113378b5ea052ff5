"""Overload: what INGEST leaves out, and says so, when it falls behind further than it may."""

from __future__ import annotations

from enum import StrEnum

from schemas.base import Message
from schemas.durations import Duration, duration_ms


class Shed(StrEnum):
    """What rows may be counted without, in the order in which it is given up: cheapest loss first.

    Never given up are counts of rows, errors and answers, ids, labels and joins.
    """

    EXTRAS = "extras"
    """Requests for review, repeated inputs, embeddings."""
    SEGMENTS = "segments"
    """Latency, scores and answers of segments; their counts and labels stay."""
    SHADOWS = "shadows"
    """All of a shadow's inputs but their number."""
    FEATURES = "features"
    """Features of rows outside of a sample by hash of the id."""


class Overload(Message):
    """When INGEST may shed.

    ``lag`` is how old the newest prediction read may be, by the broker's time, before work is
    shed; left out, nothing ever is: the log waits.
    """

    lag: Duration | None = None

    @property
    def lag_ms(self) -> int | None:
        """How far behind shedding begins, in milliseconds; None for never."""
        return None if self.lag is None else duration_ms(self.lag)
