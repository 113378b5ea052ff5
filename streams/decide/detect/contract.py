"""What a sequential test is to DECIDE: evidence in, a step of its memory out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from detectors.summary import Ints
from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide.measure.interval import Reading
from streams.decide.subject import Subject

__all__ = ["ALPHA_RECOVERY", "Reading", "Recovery", "SequentialTest", "Step"]

ALPHA_RECOVERY = 0.05
"""Chance of ever resolving an alert that is not over."""


@dataclass(frozen=True, slots=True)
class Step:
    """A test after one window.

    ``spent`` is what it used of the share it was offered; ``log_e`` the natural logarithm of its
    evidence, never minus infinity.
    """

    memory: bytes
    alarm: bool
    log_e: float
    spent: float


@dataclass(frozen=True, slots=True)
class Recovery:
    """An open alert after one window: its evidence for the end, and whether it suffices."""

    memory: list[float]
    over: bool
    log_e: float


class SequentialTest(Protocol):
    """One question asked in every window of a stream.

    The test itself is only the question; what it remembers travels as bytes. A window without
    evidence for the question gives None, and nothing is spent on it.
    """

    @property
    def detector(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def feature(self) -> str: ...
    @property
    def part(self) -> Part: ...
    @property
    def severity(self) -> Severity: ...

    def read(self, subject: Subject, vector: Ints) -> Reading:
        """What the window shows."""

    def bet(self, memory: bytes, subject: Subject, vector: Ints, *, share: float) -> Step | None:
        """Bet on a window with a share of the false-alarm budget."""

    def recover(
        self, memory: bytes, recovery: list[float], subject: Subject, vector: Ints
    ) -> Recovery | None:
        """Weigh a window after the alarm; ``recovery`` is empty in the first one."""
