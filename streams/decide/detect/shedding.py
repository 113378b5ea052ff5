"""Were rows counted in part, because INGEST was too far behind?"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.policy import Policy
from streams.decide.detect.contract import Evidence
from streams.decide.detect.rows import RowsTest
from streams.decide.measure.shed import shed


@dataclass(frozen=True)
class SheddingTest(RowsTest):
    """Open on any row that was counted in part, resolve on a window in which all are whole.

    It says which windows some tests had no turn in.
    """

    metric: str = "shedding"
    feature: str = ""

    def rows(self, seen: Evidence) -> int:
        """How many rows lack what most rows lack."""
        return max(shed(seen.subject, seen.vector).values(), default=0)


def shedding_tests(policy: Policy) -> tuple[SheddingTest, ...]:
    """The rule, where the policy allows shedding at all.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> shedding_tests(Policy(model="m", task=Task.BINARY))
    ()
    """
    return () if policy.overload.lag is None else (SheddingTest(),)
