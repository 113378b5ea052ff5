"""The layout of a pane: named int64 counters and fixed-point sums in one flat vector.

Integers make addition associative: any order, split or merge of rows gives the same bits, and a
correction is a signed delta. Real numbers are rounded to multiples of 2**-20 row by row.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

SCALE = 1 << 20
"""Fixed-point steps in one unit."""

LIMIT = 1 << 62
"""No entry of a pane may reach this; no row adds more than 2**29, so it takes 8e9 rows."""


@dataclass(frozen=True, slots=True)
class Field:
    """``size`` entries of a pane under one name; ``fixed`` entries are multiples of 2**-20.

    What is summed was scaled from [``low``, ``high``] to [0, 1].
    """

    name: str
    size: int = 1
    fixed: bool = False
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Layout:
    """Where each field stands in the vector of a pane.

    Examples
    --------
    >>> layout = Layout((Field("n"), Field("sum", fixed=True)))
    >>> vector = layout.zeros()
    >>> vector[layout.slices["n"]] = 2
    >>> vector[layout.slices["sum"]] = quantise(np.array([0.75]))
    >>> layout.count(vector, "n"), layout.total(vector, "sum")
    (2, 0.75)
    """

    fields: tuple[Field, ...]

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Place of each field."""
        places, start = {}, 0
        for field in self.fields:
            places[field.name] = slice(start, start + field.size)
            start += field.size
        return places

    @cached_property
    def size(self) -> int:
        """Length of the vector."""
        return sum(field.size for field in self.fields)

    @cached_property
    def _fixed(self) -> dict[str, bool]:
        return {field.name: field.fixed for field in self.fields}

    @cached_property
    def _ranges(self) -> dict[str, tuple[float, float]]:
        return {field.name: (field.low, field.high) for field in self.fields}

    @cached_property
    def known(self) -> dict[Hashable, Any]:
        """What has been looked up of this layout, by whoever looks again and again."""
        return {}

    def __contains__(self, name: str) -> bool:
        return name in self.slices

    def range(self, name: str) -> tuple[float, float]:
        """What 0 and 1 stand for in a field."""
        return self._ranges[name]

    def is_fixed(self, name: str) -> bool:
        """Whether entries of a field are multiples of 2**-20."""
        return self._fixed[name]

    def start(self, name: str) -> int:
        """First entry of a field."""
        return int(self.slices[name].start)

    def zeros(self) -> Ints:
        """An empty pane."""
        return np.zeros(self.size, np.int64)

    def values(self, vector: Ints, name: str) -> Floats:
        """Entries of a field as real numbers, shape (size,)."""
        entries = vector[self.slices[name]].astype(np.float64)
        return entries / SCALE if self._fixed[name] else entries

    def counts(self, vector: Ints, name: str) -> Ints:
        """Entries of a count field, shape (size,)."""
        return vector[self.slices[name]]

    def count(self, vector: Ints, name: str) -> int:
        """The one entry of a count field."""
        return int(vector[self.start(name)])

    def total(self, vector: Ints, name: str) -> float:
        """The one entry of a field as a real number."""
        entry = float(vector[self.start(name)])
        return entry / SCALE if self._fixed[name] else entry


def quantise(values: Floats) -> Ints:
    """Nearest multiples of 2**-20 as integers, shape kept; ties go to even.

    Raises
    ------
    ValueError
        If a value is not finite or its size is 512 or more.
    """
    if values.size and not -512 < values.min() <= values.max() < 512:
        bad = values[~(np.abs(values) < 512)].flat[0]
        raise ValueError(f"{bad} cannot be summed: clip values to (-512, 512) first")
    scaled = values * SCALE
    return np.rint(scaled, out=scaled).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Cells:
    """What some rows add to panes: ``values[i]`` goes to entry ``columns[i]`` of row ``rows[i]``.

    All three have shape (m,); ``rows`` count from 0 within the batch.
    """

    rows: Ints
    columns: Ints
    values: Ints

    def moved(self, places: Ints) -> Cells:
        """The same with row i at ``places[i]``."""
        return Cells(places[self.rows], self.columns, self.values)

    def before(self, column: int) -> Cells:
        """Those before a column."""
        kept = np.flatnonzero(self.columns < column)
        if len(kept) == len(self.columns):
            return self
        return Cells(self.rows[kept], self.columns[kept], self.values[kept])


class Builder(Protocol):
    """Takes what rows add to panes, field by field."""

    def add(self, name: str, rows: Ints, values: Ints, offsets: Ints | int = 0) -> None:
        """Add ``values`` (m,) of ``rows`` (m,) to a field, at ``offsets`` (m,) inside it."""

    def ones(self, name: str, rows: Ints, offsets: Ints | int = 0) -> None:
        """Count ``rows`` (m,) in a field."""

    def every(self, n: int, columns: Ints) -> None:
        """Count each of all n rows at every one of ``columns`` (k,) of the vector."""

    def where(self, marked: NDArray[np.bool_], columns: Ints) -> None:
        """Count the rows ``marked`` (k, n) at each of ``columns`` (k,)."""

    def table(self, columns: Ints, values: Ints) -> None:
        """Add ``values`` (k, n) of all n rows at ``columns`` (k,)."""

    def bins(self, columns: Ints, fine: NDArray[np.bool_] | None) -> None:
        """Count each of all n rows at ``columns`` (k, n), but only where it is ``fine``."""


class CellBuilder:
    """Collects cells; which panes they go to is said later, by `scatter`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._parts: list[tuple[Ints, Ints, Ints]] = []

    def add(self, name: str, rows: Ints, values: Ints, offsets: Ints | int = 0) -> None:
        """Add values of rows to a field."""
        if rows.size == 0:
            return
        start = self._layout.start(name)
        columns = np.broadcast_to(np.asarray(offsets, np.int64) + start, rows.shape)
        self._parts.append((rows, columns, values))

    def ones(self, name: str, rows: Ints, offsets: Ints | int = 0) -> None:
        """Count rows in a field."""
        self.add(name, rows, np.ones(rows.size, np.int64), offsets)

    def every(self, n: int, columns: Ints) -> None:
        """Count all rows at each column."""
        self.table(columns, np.ones((len(columns), n), np.int64))

    def where(self, marked: NDArray[np.bool_], columns: Ints) -> None:
        """Count what is marked."""
        places, rows = np.nonzero(marked)
        self._parts.append((rows, columns[places], np.ones(rows.size, np.int64)))

    def table(self, columns: Ints, values: Ints) -> None:
        """Add values of all rows."""
        n = values.shape[1]
        rows = np.tile(np.arange(n), len(columns))
        self._parts.append((rows, np.repeat(columns, n), values.ravel()))

    def bins(self, columns: Ints, fine: NDArray[np.bool_] | None) -> None:
        """Count all rows at columns of their own."""
        width, n = columns.shape
        rows, places = np.tile(np.arange(n), width), columns.ravel()
        if fine is not None:
            rows, places = rows[fine.ravel()], places[fine.ravel()]
        self._parts.append((rows, places, np.ones(rows.size, np.int64)))

    def build(self) -> Cells:
        """All cells."""
        if not self._parts:
            empty = np.zeros(0, np.int64)
            return Cells(empty, empty, empty)
        rows, columns, values = zip(*self._parts, strict=True)
        return Cells(np.concatenate(rows), np.concatenate(columns), np.concatenate(values))


def cells_in(sums: Ints) -> Cells:
    """The cells of a table that are not zero.

    Examples
    --------
    >>> cells = cells_in(np.array([[0, 5], [7, 0]]))
    >>> cells.rows.tolist(), cells.columns.tolist(), cells.values.tolist()
    ([0, 1], [1, 0], [5, 7])
    """
    rows, columns = np.nonzero(sums)
    return Cells(rows, columns, sums[rows, columns])


def scatter(cells: Cells, groups: Ints, signs: Ints, n_groups: int, size: int) -> Ints:
    """Sum cells into groups.

    Parameters
    ----------
    groups
        Group of each row, shape (rows,), in [0, n_groups).
    signs
        +1 or -1 of each row, shape (rows,).
    n_groups, size
        Shape of the result.

    Returns
    -------
    Array of shape (n_groups, size).
    """
    sums = np.zeros(n_groups * size, np.int64)
    np.add.at(sums, groups[cells.rows] * size + cells.columns, cells.values * signs[cells.rows])
    return sums.reshape(n_groups, size)


def merge(target: Ints, addition: Ints) -> None:
    """Add one pane to another in place.

    Raises
    ------
    OverflowError
        If an entry would reach 2**62.
    """
    result = target + addition
    if bool(np.any(np.abs(result) >= LIMIT)):
        raise OverflowError("a pane holds too many rows; choose a shorter pane")
    target[:] = result


def sparse(vector: Ints) -> tuple[list[int], list[int]]:
    """Places and values of the entries that are not zero."""
    index = np.flatnonzero(vector)
    return index.tolist(), vector[index].tolist()


def dense(index: Sequence[int], values: Sequence[int], size: int) -> Ints:
    """The vector of its non-zero entries.

    Examples
    --------
    >>> dense([1], [5], 3).tolist()
    [0, 5, 0]
    """
    vector = np.zeros(size, np.int64)
    vector[list(index)] = values
    return vector
