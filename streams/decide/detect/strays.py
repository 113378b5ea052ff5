"""Were rows sent to a partition that their key does not belong to?"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.subject import Subject


@dataclass(frozen=True)
class StrayTest:
    """Open on any stray row, resolve on a window with rows and no stray.

    Not a statistical test: one stray says that a producer partitions by another rule, and that
    its rows cannot be joined. Nothing of the false-alarm budget is spent.
    """

    detector: str = "contract"
    metric: str = "strays"
    feature: str = ""
    part: Part = Part.INPUT
    severity: Severity = Severity.TICKET

    def question(self, subject: Subject) -> str:
        """The same under every policy."""
        return self.metric

    def read(self, seen: Evidence) -> Reading:
        """How many strays there were."""
        return Reading(seen.subject.inputs.count(seen.vector, "n"), _strays(seen), None, None, 0.0)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Alarm on any."""
        return Step(memory, _strays(seen) > 0, 0.0, 0.0)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Over when there is none."""
        return Recovery([], _strays(seen) == 0, 0.0)


def _strays(seen: Evidence) -> float:
    return float(seen.subject.inputs.count(seen.vector, "n_stray"))
