"""Contracts that allow no row of a kind."""

from __future__ import annotations

from abc import ABC, abstractmethod

from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.subject import Subject


class RowsTest(ABC):
    """Open on any row of a kind, resolve on a window without one.

    Not a statistical test: nothing of the false-alarm budget is spent.
    """

    detector: str = "contract"
    metric: str
    feature: str
    part: Part = Part.INPUT
    severity: Severity = Severity.TICKET

    @abstractmethod
    def rows(self, seen: Evidence) -> int:
        """How many such rows a window has."""

    def question(self, subject: Subject) -> str:
        """The same under every policy."""
        return self.metric

    def read(self, seen: Evidence) -> Reading:
        """How many such rows there were."""
        served = seen.subject.inputs.count(seen.vector, "n")
        return Reading(served, float(self.rows(seen)), None, None, 0.0)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Alarm on any."""
        return Step(memory, self.rows(seen) > 0, 0.0, 0.0)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Over when there is none."""
        return Recovery([], self.rows(seen) == 0, 0.0)
