"""A block: rows that may count, with all that was found out about them, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from detectors.summary import Ints
from streams.ingest.admit.admitted import Admitted
from streams.ingest.admit.numbered import Numbered
from streams.ingest.decode.one_by_one import Row
from streams.ingest.decode.rows import Bools, PredictionRows
from streams.ingest.plan import Plan
from streams.ingest.store.names import Names


@dataclass(frozen=True)
class Block:
    """n rows of one partition in order of offset.

    Parameters
    ----------
    plans, which
        Plans, and the place among them of each row's, shape (n,).
    late, stray
        Whether a row came late, and whether it lies on the wrong partition, shape (n,).
    watermarks_ms
        The watermark before each row, shape (n,).
    numbered
        The routes of the rows; None until they have been looked up.
    """

    rows: PredictionRows
    plans: Sequence[Plan]
    which: Ints
    late: Bools
    stray: Bools
    watermarks_ms: Ints
    numbered: Numbered | None = None

    def __len__(self) -> int:
        return len(self.which)

    def take(self, chosen: Ints) -> Block:
        """Some of the rows, ascending."""
        if len(chosen) == len(self):
            return self
        taken = replace(
            self,
            rows=self.rows.take(chosen),
            which=self.which[chosen],
            late=self.late[chosen],
            stray=self.stray[chosen],
            watermarks_ms=self.watermarks_ms[chosen],
            numbered=None if self.numbered is None else self.numbered.take(chosen),
        )
        if "names" in vars(self):
            vars(taken)["names"] = self.names.take(chosen)
        return taken

    def by_plan(self) -> list[tuple[Plan, Ints]]:
        """The plans that have rows, in order of their first, and those rows."""
        if len(self.plans) == 1 and len(self):
            return [(self.plans[0], np.arange(len(self)))]
        order = np.argsort(self.which, kind="stable")
        found, starts = np.unique(self.which[order], return_index=True)
        parts = np.split(order, starts[1:]) if len(found) else []
        grouped = [(self.plans[i], part) for i, part in zip(found.tolist(), parts, strict=True)]
        return sorted(grouped, key=lambda each: int(each[1][0]))

    @cached_property
    def names(self) -> Names:
        """Names in the join store; that of a shadow is its answer's."""
        models = [plan.policy.model for plan in self.plans]
        return Names.of_ids(models, self.which, self.rows.keys())

    @property
    def routes(self) -> Ints:
        """The number of each row's route, shape (n,).

        Raises
        ------
        ValueError
            If they have not been looked up.
        """
        if self.numbered is None:
            raise ValueError("rows have no routes before they are numbered")
        return self.numbered.routes

    def plan(self, row: int) -> Plan:
        """The plan of a row."""
        return self.plans[int(self.which[row])]

    def starts_ms(self, plan: Plan) -> Ints:
        """Start of the pane of each row, all under one plan."""
        times_ms = self.rows.times_ms
        return times_ms - times_ms % plan.pane_ms

    def admitted(self) -> list[Admitted]:
        """Row by row."""
        rows = self.rows
        return [
            Admitted(
                Row(event, rows.record(i), rows.index(i), int(rows.times_ms[i])),
                self.plan(i),
                bool(self.late[i]),
                int(self.watermarks_ms[i]),
                self.names[i],
            )
            for i, event in enumerate(rows.events())
        ]
