"""Contract: features out of events, checked and put into their bins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.micro import rows
from benchmarks.micro.case import Case, Do
from detectors.sums import Sums
from streams.ingest.panes.cohorts import Cohort
from streams.ingest.panes.observe import add_features


@contextmanager
def opened() -> Iterator[tuple[Callable[[], Do], Do]]:
    """All features of a plan, and the bins of the same columns."""
    plan, own = rows.plan(), rows.rows()
    cohort = Cohort((plan,))
    groups = np.zeros(len(own), np.int64)
    columns, _ = own.numbers(plan.numeric)
    reference = plan.reference
    edges = [np.asarray(reference.numeric[n].edges) for n in plan.numeric if reference]

    def bins() -> None:
        for place, each in enumerate(edges):
            np.searchsorted(each, columns[:, place], "right")

    yield lambda: lambda: add_features(Sums(plan.inputs, groups, 1), cohort, None, own), bins


CASE = Case("contract", "numpy finds the bin of each number in ready columns", opened)
