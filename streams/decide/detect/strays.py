"""Were rows sent to a partition that their key does not belong to?"""

from __future__ import annotations

from dataclasses import dataclass

from detectors.summary import Ints
from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide.detect.contract import Reading, Recovery, Step
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

    def read(self, subject: Subject, vector: Ints) -> Reading:
        """How many strays there were."""
        strays = subject.inputs.count(vector, "n_stray")
        return Reading(subject.inputs.count(vector, "n"), float(strays), None, None, 0.0)

    def bet(self, memory: bytes, subject: Subject, vector: Ints, *, share: float) -> Step | None:
        """Alarm on any."""
        return Step(memory, subject.inputs.count(vector, "n_stray") > 0, 0.0, 0.0)

    def recover(
        self, memory: bytes, recovery: list[float], subject: Subject, vector: Ints
    ) -> Recovery | None:
        """Over when there is none."""
        return Recovery([], subject.inputs.count(vector, "n_stray") == 0, 0.0)
