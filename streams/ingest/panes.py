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

PLACES = {part: place for place, part in enumerate(PARTS)}
"""Place of a part among `PARTS`."""

PANE_BYTES = 400
"""What an open pane takes besides its entries of 8 bytes: its key, its place, an array."""


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
        places = np.array([PARTS.index(part) for part in parts], np.int64)
        return cls.in_columns(np.array(routes, np.int64), places, starts_ms)

    @classmethod
    def in_columns(cls, routes: Ints, parts: Ints, starts_ms: Ints) -> Slots:
        """`of`, with the place of each part in `PARTS`; all of shape (n,)."""
        codes, groups = _compressed(routes)
        for more in (starts_ms, parts):
            values, places = _compressed(more)
            codes, groups = _compressed(groups * len(values) + places)
        first = np.empty(len(codes), np.int64)
        first[groups[::-1]] = np.arange(len(groups) - 1, -1, -1)
        distinct = [
            Slot(route, PARTS[part], start_ms)
            for route, part, start_ms in zip(
                routes[first].tolist(),
                parts[first].tolist(),
                starts_ms[first].tolist(),
                strict=True,
            )
        ]
        return cls(distinct, groups)


def _compressed(values: Ints) -> tuple[Ints, Ints]:
    """Distinct values, ascending, and the place of each one's among them."""
    if not len(values):
        return values, values
    least, most = int(values.min()), int(values.max())
    if least == most:
        return values[:1], np.zeros(len(values), np.int64)
    span = most - least + 1
    if span > 4 * len(values) + 1_000:
        return np.unique(values, return_inverse=True)
    # Where they lie close together, marking them is much cheaper than sorting.
    seen = np.zeros(span, np.bool_)
    seen[values - least] = True
    places = np.cumsum(seen) - 1
    return np.flatnonzero(seen) + least, places[values - least]


class Panes:
    """What the rows since the last checkpoint add up to."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._sums: dict[tuple[str, str, str, str, str, str, int, Part], Ints] = {}
        self._entries = 0

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
        self.add_sums(plan, sums, slots, labels=labels)

    def add_sums(
        self,
        plan: Plan,
        sums: Ints,
        slots: Slots,
        *,
        labels: bool,
        segment_size: int | None = None,
    ) -> None:
        """Add what the rows of each slot add up to, shape (slots, size).

        ``segment_size`` is how much of it segments keep, if not all that their layout has.
        """
        if segment_size is None:
            segment_size = plan.labels.size if labels else plan.segment_size
        self.add_wholes(sums, slots.distinct)
        self.add_segments(sums, slots.distinct, segment_size)

    def wholes(self, slots: Slots) -> tuple[list[Slot], Ints]:
        """Slots that differ in segments alone taken together, and the place of each slot's."""
        places: dict[tuple[int, int, Part], int] = {}
        distinct: list[Slot] = []
        of = []
        for slot in slots.distinct:
            key = (self._routes.whole_of(slot.route), slot.start_ms, slot.part)
            place = places.setdefault(key, len(distinct))
            if place == len(distinct):
                distinct.append(slot)
            of.append(place)
        return distinct, np.array(of, np.int64)

    def add_wholes(self, sums: Ints, slots: Sequence[Slot]) -> None:
        """Add to the streams of all segments; one row of ``sums`` for each slot."""
        for slot, vector in zip(slots, sums, strict=True):
            self._merge(self._routes[slot.route], "", slot, vector)

    def add_segments(self, sums: Ints, slots: Sequence[Slot], size: int) -> None:
        """Add the first ``size`` entries to the streams of segments."""
        for slot, vector in zip(slots, sums, strict=True):
            route = self._routes[slot.route]
            for segment in route.segments:
                self._merge(route, segment, slot, vector[:size])

    def take(self) -> list[PaneDelta]:
        """All sums that are not zero, in a fixed order; the next rows start from nothing."""
        deltas = []
        for key in sorted(self._sums):
            index, values = sparse(self._sums[key])
            if index:
                deltas.append(PaneDelta(*key, index, values))
        self._sums.clear()
        self._entries = 0
        return deltas

    def __len__(self) -> int:
        return len(self._sums)

    @property
    def held_bytes(self) -> int:
        """Memory that the sums take."""
        return self._entries * 8 + len(self._sums) * PANE_BYTES

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
            self._entries += len(vector)
        elif len(vector) <= len(target):
            merge(target[: len(vector)], vector)
        else:
            self._sums[key] = vector.copy()
            self._entries += len(vector) - len(target)
            merge(self._sums[key][: len(target)], target)
