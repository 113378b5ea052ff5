"""The one place where the wall clock is read."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Time as the runtime sees it."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""

    def elapsed_ms(self) -> int:
        """Milliseconds since some start; never goes back."""


class Stopwatch:
    """How long the stages of a loop take.

    Examples
    --------
    >>> clock = ManualClock()
    >>> watch = Stopwatch(clock)
    >>> clock.now_ms = 1_500
    >>> watch.lap_s()
    1.5
    >>> watch.lap_s()
    0.0
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_ms = clock.elapsed_ms()

    def lap_s(self) -> float:
        """Seconds since the last call."""
        since_ms, self._since_ms = self._since_ms, self._clock.elapsed_ms()
        return (self._since_ms - since_ms) / 1_000


class SystemClock:
    """The machine's clock."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def elapsed_ms(self) -> int:
        """Milliseconds since some start; never goes back."""
        return time.monotonic_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is moved; for tests and replay."""

    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self.now_ms

    def elapsed_ms(self) -> int:
        """The same."""
        return self.now_ms
