"""Have the values of a segment become too many, or too long, to have streams of their own?"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.policy import Policy
from streams.decide.detect.contract import Evidence, Recovery
from streams.decide.detect.rows import RowsTest
from streams.decide.subject import Subject

METRICS = {"capped_segments": "capped", "long_segments": "long"}
"""What is counted, and the field that counts it by key."""


@dataclass(frozen=True)
class CrowdedTest(RowsTest):
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

    The rows are in the stream of all, and what the segments show leaves them out or has them under
    `schemas.summaries.OTHER`.

    Examples
    --------
    >>> test = CrowdedTest("capped_segments", "country", 0)
    >>> test.severity.value, test.part.value
    ('ticket', 'input')
    """

    metric: str
    feature: str
    place: int

    def rows(self, seen: Evidence) -> int:
        """How many such rows there were."""
        return int(seen.subject.inputs.counts(seen.vector, METRICS[self.metric])[self.place])

    def question(self, subject: Subject) -> str:
        """The same under every policy that slices by the key."""
        return f"{self.metric}/{self.feature}"

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Over at the first window that has rows, and none of these."""
        if not seen.subject.inputs.count(seen.vector, "n"):
            return None
        return super().recover(memory, recovery, seen)


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
