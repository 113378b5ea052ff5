"""Have the values of a segment become too many, or too long, to have streams of their own?"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.alerts import Severity
from schemas.policy import Policy
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.subject import Subject

METRICS = {"capped_segments": "capped", "long_segments": "long"}
"""What is counted, and the field that counts it by key."""


@dataclass(frozen=True)
class CrowdedTest:
    """Open on any row whose value of a key has no stream, resolve on a window with rows and none.

    Parameters
    ----------
    metric
        ``capped_segments``, if there are more values or combinations than the policy keeps apart,
        or ``long_segments``.
    feature
        The key.
    place
        Its place among the policy's slices.

    Not a statistical test: the rows are in the stream of all, and what the segments show leaves
    them out or has them under `schemas.summaries.OTHER`. Nothing of the false-alarm budget is
    spent.

    Examples
    --------
    >>> test = CrowdedTest("capped_segments", "country", 0)
    >>> test.severity.value, test.part.value
    ('ticket', 'input')
    """

    metric: str
    feature: str
    place: int
    detector: str = "contract"
    part: Part = Part.INPUT
    severity: Severity = Severity.TICKET

    def question(self, subject: Subject) -> str:
        """The same under every policy that slices by the key."""
        return f"{self.metric}/{self.feature}"

    def read(self, seen: Evidence) -> Reading:
        """How many such rows there were."""
        served = seen.subject.inputs.count(seen.vector, "n")
        return Reading(served, self._rows(seen), None, None, 0.0)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Alarm on any."""
        return Step(memory, self._rows(seen) > 0, 0.0, 0.0)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Over at the first window that has rows, and none of these."""
        if not seen.subject.inputs.count(seen.vector, "n"):
            return None
        return Recovery([], self._rows(seen) == 0, 0.0)

    def _rows(self, seen: Evidence) -> float:
        counts = seen.subject.inputs.counts(seen.vector, METRICS[self.metric])
        return float(counts[self.place])


def crowded_tests(policy: Policy) -> tuple[CrowdedTest, ...]:
    """Both for each key that the policy slices by.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> policy = Policy(model="m", task=Task.BINARY, segments=["country"])
    >>> [(test.metric, test.feature) for test in crowded_tests(policy)]
    [('capped_segments', 'country'), ('long_segments', 'country')]
    """
    return tuple(
        CrowdedTest(metric, key, place)
        for place, key in enumerate(policy.slices)
        for metric in METRICS
    )
