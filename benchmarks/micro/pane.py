"""Pane: answers of rows are added to the panes of their streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.micro import rows
from benchmarks.micro.case import Case, Do
from detectors.sums import Sums
from schemas.summaries import Part
from streams.ingest.admit.routes import Routes
from streams.ingest.panes.cohorts import Cohort
from streams.ingest.panes.observe import add_answers
from streams.ingest.panes.panes import PLACES, Panes, Slots

BINS = 64


@contextmanager
def opened() -> Iterator[tuple[Callable[[], Do], Do]]:
    """Rows to slots, sums and panes; and four counts of rows by stream and bin."""
    plan, own = rows.plan(), rows.rows()
    cohort = Cohort((plan,))
    tails = own.tails(plan.outcome)
    routes = Routes()
    kinds, places = own.kinds(plan.policy.slices)
    which = np.zeros(len(own), np.int64)
    numbered = routes.find_each([plan], which, kinds, places, own.times_ms)
    parts = np.full(len(own), PLACES[Part.INPUT])
    starts_ms = own.times_ms - own.times_ms % plan.pane_ms
    panes = Panes(routes)

    def work() -> None:
        slots = Slots.in_columns(numbered.routes, parts, starts_ms)
        sums = Sums(plan.inputs, slots.groups, len(slots.distinct))
        add_answers(sums, cohort, None, own, tails)
        panes.add_sums(plan, sums.sums, slots, labels=False)

    groups = Slots.in_columns(numbered.routes, parts, starts_ms).groups
    cells = groups * BINS + np.arange(len(own)) % BINS

    def floor() -> None:
        for _ in range(4):
            np.bincount(cells, minlength=BINS * (int(groups.max()) + 1))

    yield lambda: work, floor


CASE = Case("pane", "numpy counts the rows by stream and bin four times", opened)
