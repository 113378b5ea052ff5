"""Were rows counted in part, because INGEST was too far behind?"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.alerts import Severity
from schemas.policy import Policy
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.measure.shed import shed
from streams.decide.subject import Subject


@dataclass(frozen=True)
class SheddingTest:
    """Open on any row that was counted in part, resolve on a window in which all are whole.

    Not a statistical test: it says which windows some tests had no turn in. Nothing of the
    false-alarm budget is spent.
    """

    detector: str = "contract"
    metric: str = "shedding"
    feature: str = ""
    part: Part = Part.INPUT
    severity: Severity = Severity.TICKET

    def question(self, subject: Subject) -> str:
        """The same under every policy."""
        return self.metric

    def read(self, seen: Evidence) -> Reading:
        """How many rows lack what most rows lack."""
        lost = shed(seen.subject, seen.vector)
        n = seen.subject.inputs.count(seen.vector, "n")
        most = float(max(lost.values(), default=0))
        return Reading(n, most, None, None, 0.0)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Alarm on any."""
        return Step(memory, bool(shed(seen.subject, seen.vector)), 0.0, 0.0)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Over when there is none."""
        return Recovery([], not shed(seen.subject, seen.vector), 0.0)


def shedding_tests(policy: Policy) -> tuple[SheddingTest, ...]:
    """The rule, where the policy allows shedding at all.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> shedding_tests(Policy(model="m", task=Task.BINARY))
    ()
    """
    return () if policy.overload.lag is None else (SheddingTest(),)
