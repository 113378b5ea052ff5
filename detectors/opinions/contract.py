"""What an opinion is given, what it says, and what is asked of a detector of river."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from schemas.errors import ConfigurationError


class StreamDetector(Protocol):
    """A detector that reads one number after the other and restarts itself after a detection."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last number completed a detection."""

    def update(self, x: int | float) -> None:
        """Read one number."""


@dataclass(frozen=True, slots=True)
class RateWindow:
    """One window of a rate.

    Parameters
    ----------
    id
        Identity of the window; it seeds the order of the bits, so a replay repeats it.
    n, k
        Events, and bad events among them.
    expected
        Rate that was expected before the window was seen, in (0, 1).

    Raises
    ------
    ConfigurationError
        `expected` outside (0, 1).
    ValueError
        More bad events than events, or negative counts.
    """

    id: str
    n: int
    k: int
    expected: float

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n:
            raise ValueError(
                f"window {self.id!r} has {self.k} bad events among {self.n}; "
                "bad events must lie between 0 and all events"
            )
        if not 0.0 < self.expected < 1.0:
            raise ConfigurationError(
                f"expected is {self.expected:g} in window {self.id!r}; it must lie in (0, 1)"
            )


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a detector said while it read a window.

    An opinion carries no bound on false alarms. It may raise the severity "watch"; it never
    pages and never rolls back.

    Parameters
    ----------
    detector
        Name in `detectors.opinions.catalogue`.
    detections
        How often it spoke.
    read
        Numbers that it read; 0 for an empty window.
    """

    detector: str
    detections: int
    read: int

    @property
    def watch(self) -> bool:
        """Whether the window deserves a look."""
        return self.detections > 0
