"""What a script is asked, and how it answers: one JSON file each.

Runs in the environments of the other tools, so it needs the standard library only.
"""

from __future__ import annotations

import gc
import json
import math
import sys
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """A question about a topic of ``count`` predictions, or about the rows of a Parquet file.

    ``edges`` cut each of ``features`` into bins, and ``known`` has the reference's rows in each.
    ``group`` names a consumer group that has read nothing yet, ``folder`` is an empty one.
    """

    question: str
    out: str
    count: int
    features: list[str]
    window_ms: int = 0
    bootstrap: str = ""
    topic: str = ""
    group: str = ""
    folder: str = ""
    edges: Sequence[Sequence[float]] = ()
    known: Sequence[Sequence[int]] = ()
    rows: str = ""
    reference: str = ""
    window_rows: int = 0

    @classmethod
    def read(cls) -> Job:
        """From the file that the command line names."""
        return cls(**json.loads(Path(sys.argv[1]).read_text()))

    def write(self, answer: object, seconds: float, events: int) -> None:
        """The answer, the CPU-seconds it took, and the events it is about."""
        result = {"answer": answer, "seconds": seconds, "events": events}
        Path(self.out).write_text(json.dumps(result))

    def window(self, time_ms: int) -> int:
        """The start of the window that holds a time."""
        return time_ms - time_ms % self.window_ms

    def empty(self) -> list[list[int]]:
        """A histogram of each feature without any row."""
        return [[0] * len(counts) for counts in self.known]

    def count_in(self, bins: list[list[int]], values: Mapping[str, float]) -> list[list[int]]:
        """Add one row to the histograms."""
        for name, edges, counts in zip(self.features, self.edges, bins, strict=True):
            counts[bisect_right(edges, values[name])] += 1
        return bins

    def psi(self, bins: list[list[int]]) -> list[float]:
        """Population stability index of each feature against the reference."""
        return [_psi(counts, known) for counts, known in zip(bins, self.known, strict=True)]


class Meter:
    """CPU-seconds of this process, all threads, from the first event that the tool hands over."""

    def __init__(self) -> None:
        self._begun: float | None = None

    def start(self) -> None:
        """Begin; later calls change nothing."""
        if self._begun is None:
            gc.collect()
            gc.freeze()
            self._begun = time.process_time()

    def seconds(self) -> float:
        """CPU-seconds so far."""
        if self._begun is None:
            raise RuntimeError("no event came")
        return time.process_time() - self._begun


def _psi(counts: Sequence[int], known: Sequence[int]) -> float:
    pairs = zip(_shares(counts), _shares(known), strict=True)
    return sum((p - q) * math.log(p / q) for p, q in pairs)


def _shares(counts: Sequence[int]) -> list[float]:
    """With half a row more in each bin, so that every logarithm exists."""
    total = sum(counts) + 0.5 * len(counts)
    return [(count + 0.5) / total for count in counts]
