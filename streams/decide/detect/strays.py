"""Were rows sent to a partition that their key does not belong to?"""

from __future__ import annotations

from dataclasses import dataclass

from streams.decide.detect.contract import Evidence
from streams.decide.detect.rows import RowsTest


@dataclass(frozen=True)
class StrayTest(RowsTest):
    """Open on any stray row, resolve on a window with rows and no stray.

    One stray says that a producer partitions by another rule, and that its rows cannot be joined.
    """

    metric: str = "strays"
    feature: str = ""

    def rows(self, seen: Evidence) -> int:
        """How many strays there were."""
        return seen.subject.inputs.count(seen.vector, "n_stray")
