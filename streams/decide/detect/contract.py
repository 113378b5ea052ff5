"""What a sequential test is to DECIDE: evidence in, a step of its memory out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from detectors.quantities import Sums, sums_of
from detectors.summary import Ints
from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide.keys import Name
from streams.decide.measure.fairness import Beside
from streams.decide.measure.interval import Reading
from streams.decide.measure.labels import BESIDE, sums_beside
from streams.decide.subject import Subject

__all__ = [
    "ALPHA_RECOVERY",
    "Bet",
    "Evidence",
    "Reading",
    "Recovering",
    "Recovery",
    "SequentialTest",
    "Step",
    "at_places",
    "name_of",
]

ALPHA_RECOVERY = 0.05
"""Chance of ever resolving an alert that is not over."""


class Step(NamedTuple):
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
    """An open alert after one window: its evidence for the end, and whether it suffices.

    ``test_memory`` is the memory of a test that goes on while its alert is open, and after it;
    None of one that rests, and starts anew once the alert is over.
    """

    memory: list[float]
    over: bool
    log_e: float
    test_memory: bytes | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a test sees of a window: the sums of its part.

    ``against`` is the same of the stream that it is compared with, where the test compares two.
    ``served`` are the sums of the predictions whose labels
    ``vector`` has.
    """

    subject: Subject
    vector: Ints
    start_ms: int
    against: Beside | None = None
    served: Ints | None = None

    def sums(self, part: Part, metric: str, feature: str = "") -> Sums | None:
        """A metric of the window; None where its pane does not have it."""
        if metric in BESIDE:
            if self.served is None:
                return None
            return sums_beside(
                self.subject.inputs, self.served, self.subject.labels, self.vector, metric
            )
        return sums_of(self.subject.layout(part), self.vector, metric, feature)


def name_of(test: SequentialTest) -> Name:
    """What a test is called among those of its stream."""
    return test.detector, test.metric, test.feature


class Bet(NamedTuple):
    """A test about to look at a window with a share of the budget."""

    test: SequentialTest
    memory: bytes
    seen: Evidence
    share: float


class Recovering(NamedTuple):
    """A test whose alert is open, about to weigh a window that shows this reading."""

    test: SequentialTest
    memory: bytes
    recovery: list[float]
    seen: Evidence
    reading: Reading


Found = TypeVar("Found")
"""What a test finds in a window."""


def at_places(count: int, each: Iterable[tuple[int, Found | None]]) -> list[Found | None]:
    """What so many tests found, each at its place; None where there is nothing.

    Examples
    --------
    >>> at_places(2, [(1, Step(b"", True, 0.0, 0.0))])
    [None, Step(memory=b'', alarm=True, log_e=0.0, spent=0.0)]
    """
    found: list[Found | None] = [None] * count
    for place, one in each:
        found[place] = one
    return found


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

    def question(self, subject: Subject) -> str:
        """What is asked, as a hash: while it stays the same, evidence adds up over policies."""

    def read(self, seen: Evidence) -> Reading:
        """What the window shows."""

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet on a window with a share of the false-alarm budget."""

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Weigh a window after the alarm; ``recovery`` is empty in the first one."""
