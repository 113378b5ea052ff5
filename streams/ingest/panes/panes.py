"""Panes: sums of rows by stream, part and pane, handed on at each checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from detectors.summary import Cells, Ints, cells_in, dense, merge, scatter, sparse
from schemas.summaries import PaneDelta, Part
from streams.ingest.admit.routes import Routes
from streams.ingest.columns.codes import coded, crossed, ranked
from streams.ingest.panes.sparse_sums import SparseSums
from streams.ingest.plan import Plan

Key: TypeAlias = tuple[str, str, str, str, str, str, int, Part]
"""Model, version, arm, segment, policy, reference, start and part of a pane."""


class Slot(NamedTuple):
    """Where a row counts: its route, the part and the start of the pane."""

    route: int
    part: Part
    start_ms: int


PARTS = tuple(Part)

PLACES = {part: place for place, part in enumerate(PARTS)}
"""Place of a part among `PARTS`."""

PANE_BYTES = 400
"""What an open pane takes besides its entries: its key, its number, a vector or none."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Where rows count: ``distinct[groups[i]]`` is the place of row i; ``groups`` is (n,)."""

    distinct: Sequence[Slot]
    groups: Ints

    @classmethod
    def in_columns(cls, routes: Ints, parts: Ints, starts_ms: Ints) -> Slots:
        """Of the route, the place of the part in `PARTS`, and the start of each row, shape (n,).

        Examples
        --------
        >>> import numpy as np
        >>> routes, starts_ms = np.array([0, 1, 0]), np.array([60_000, 0, 60_000])
        >>> slots = Slots.in_columns(routes, np.full(3, PLACES[Part.INPUT]), starts_ms)
        >>> slots.groups.tolist(), slots.distinct[0].start_ms
        ([0, 1, 0], 60000)
        """
        columns = [ranked(values) for values in (routes, parts, starts_ms)]
        rows, groups = crossed([(values.tolist(), places) for values, places in columns])
        return cls([Slot(route, PARTS[part], start_ms) for route, part, start_ms in rows], groups)


class Panes:
    """What the rows since the last checkpoint add up to.

    Streams of all segments have features and many rows: each of their panes is a vector. Those of
    segments are many, with few rows each: what they hold is listed (`SparseSums`).
    """

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._numbers: dict[Key, int] = {}
        self._wholes: dict[Slot, int] = {}
        self._segments: dict[Slot, list[int]] = {}
        self._sums: dict[int, Ints] = {}
        self._entries = 0
        self._sparse = SparseSums()

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
        self.add_wholes(sums, [self._whole(slot) for slot in slots.distinct])
        self.add_segments(cells_in(sums[:, :segment_size]), slots.distinct, segment_size)

    def add_cells(self, plan: Plan, cells: Cells, slots: Slots) -> None:
        """Add little, in the plan's input layout; row i of it is slot i."""
        self._sparse.add([[self._whole(slot)] for slot in slots.distinct], cells)
        self.add_segments(cells, slots.distinct, plan.segment_size)

    def wholes(self, slots: Slots) -> tuple[list[int], Ints]:
        """Slots that differ in segments alone taken together: the numbers of their panes, and the
        place of each slot's among them."""
        return coded([self._whole(slot) for slot in slots.distinct])

    def add_wholes(self, sums: Ints, numbers: Sequence[int]) -> None:
        """Add to the streams of all segments; one row of ``sums`` for each number of `wholes`."""
        for number, vector in zip(numbers, sums, strict=True):
            target = self._sums.get(number)
            if target is None:
                self._sums[number] = vector.copy()
                self._entries += len(vector)
            else:
                merge(target, vector)

    def add_segments(self, cells: Cells, slots: Sequence[Slot], size: int) -> None:
        """Add the first ``size`` entries of what slot i holds, row i of it, to its segments."""
        numbers = [self._segments.get(slot) or self._new_segments(slot) for slot in slots]
        self._sparse.add(numbers, cells.before(size))

    def take(self) -> list[PaneDelta]:
        """All sums that are not zero, in a fixed order; the next rows start from nothing."""
        found = self._sparse.take()
        for number, vector in self._sums.items():
            if number in found:
                index, values = found[number]
                merge(vector, dense(index, values, len(vector)))
            found[number] = sparse(vector)
        deltas = [
            PaneDelta(*key, *found[number])
            for key, number in sorted(self._numbers.items())
            if number in found and found[number][0]
        ]
        for held in (self._numbers, self._wholes, self._segments, self._sums):
            held.clear()
        self._entries = 0
        return deltas

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def held_bytes(self) -> int:
        """Memory that the sums take."""
        return self._entries * 8 + self._sparse.nbytes + len(self._numbers) * PANE_BYTES

    def _whole(self, slot: Slot) -> int:
        """The number of the pane of all segments."""
        number = self._wholes.get(slot)
        if number is None:
            (number,) = self._numbered(slot, ("",))
            self._wholes[slot] = number
        return number

    def _new_segments(self, slot: Slot) -> list[int]:
        """The numbers of the panes of segments."""
        numbers = self._numbered(slot, self._routes[slot.route].segments)
        self._segments[slot] = numbers
        return numbers

    def _numbered(self, slot: Slot, segments: Sequence[str]) -> list[int]:
        route, numbers = self._routes[slot.route], self._numbers
        keys = [
            (
                route.model,
                route.version,
                route.arm,
                segment,
                route.policy,
                route.reference,
                slot.start_ms,
                slot.part,
            )
            for segment in segments
        ]
        return [numbers.setdefault(key, len(numbers)) for key in keys]
