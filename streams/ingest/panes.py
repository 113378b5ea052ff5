"""Panes: sums of rows by stream, part and pane, handed on at each checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detectors.summary import Cells, Ints, merge, scatter, sparse
from schemas.summaries import PaneDelta, Part
from streams.ingest.plan import Plan
from streams.ingest.routes import Route, Routes


class Slot(NamedTuple):
    """Where a row counts: its route, the part and the start of the pane."""

    route: int
    part: Part
    start_ms: int


PARTS = tuple(Part)


@dataclass(frozen=True, slots=True)
class Slots:
    """Where rows count: ``distinct[groups[i]]`` is the place of row i; ``groups`` is (n,)."""

    distinct: Sequence[Slot]
    groups: Ints

    @classmethod
    def of(cls, routes: Sequence[int], parts: Sequence[Part], starts_ms: Ints) -> Slots:
        """Of the route, the part and the start of each row, all of length n.

        Examples
        --------
        >>> slots = Slots.of([0, 1, 0], [Part.INPUT] * 3, np.array([60_000, 0, 60_000]))
        >>> slots.groups.tolist(), slots.distinct[0].start_ms
        ([0, 1, 0], 60000)
        """
        starts, panes = np.unique(starts_ms, return_inverse=True)
        late = np.array([PARTS.index(part) for part in parts], np.int64)
        codes = (np.array(routes, np.int64) * len(starts) + panes) * len(PARTS) + late
        _, first, groups = np.unique(codes, return_index=True, return_inverse=True)
        distinct = [Slot(routes[i], parts[i], int(starts_ms[i])) for i in first.tolist()]
        return cls(distinct, groups)


class Panes:
    """What the rows since the last checkpoint add up to."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._sums: dict[tuple[str, str, str, str, str, str, int, Part], Ints] = {}

    def add(self, plan: Plan, cells: Cells, slots: Slots, signs: Ints, *, labels: bool) -> None:
        """Add rows of one plan.

        Parameters
        ----------
        cells
            What the rows add, in the plan's input layout, or label layout if ``labels``.
        slots, signs
            Place and sign of each row, both of length n.
        """
        size = plan.labels.size if labels else plan.inputs.size
        sums = scatter(cells, slots.groups, signs, len(slots.distinct), size)
        for slot, vector in zip(slots.distinct, sums, strict=True):
            route = self._routes[slot.route]
            self._merge(route, "", slot, vector)
            for segment in route.segments:
                self._merge(route, segment, slot, vector if labels else vector[: plan.segment_size])

    def take(self) -> list[PaneDelta]:
        """All sums that are not zero, in a fixed order; the next rows start from nothing."""
        deltas = []
        for key in sorted(self._sums):
            index, values = sparse(self._sums[key])
            if index:
                deltas.append(PaneDelta(*key, index, values))
        self._sums.clear()
        return deltas

    def __len__(self) -> int:
        return len(self._sums)

    def _merge(self, route: Route, segment: str, slot: Slot, vector: Ints) -> None:
        key = (
            route.model,
            route.version,
            route.arm,
            segment,
            route.policy,
            route.reference,
            slot.start_ms,
            slot.part,
        )
        target = self._sums.get(key)
        if target is None:
            self._sums[key] = vector.copy()
        else:
            merge(target, vector)
