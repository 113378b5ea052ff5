"""What rows add to panes, summed at once: the way of INGEST."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Cells, Ints, Layout

MOST_ROWS = 1 << 23
"""No row adds more than 2**29, so that what is summed at once stays below 2**53: far enough from
`detectors.summary.LIMIT` to be added to what is there before anyone looks."""

FEW_GROUPS = 64
"""Up to so many groups, putting rows in order and adding each group at once is faster than adding
row by row: there each row waits for the one before it."""


class Sums:
    """A `detectors.summary.Builder` that sums rows by group; equal to `scatter`, bit for bit.

    Parameters
    ----------
    layout
        Of the panes.
    groups
        Group of each row, shape (n,), in [0, ``n_groups``).
    n_groups
        Number of groups.

    Attributes
    ----------
    sums
        Shape (n_groups, size).

    Raises
    ------
    ValueError
        If there are more rows than `MOST_ROWS`.

    Examples
    --------
    >>> from detectors.summary import Field
    >>> sums = Sums(Layout((Field("n"), Field("hist", 2))), np.array([0, 1, 0]), 2)
    >>> sums.ones("n", np.arange(3))
    >>> sums.ones("hist", np.arange(3), np.array([1, 1, 0]))
    >>> sums.sums.tolist()
    [[2, 1, 1], [1, 0, 1]]
    """

    def __init__(self, layout: Layout, groups: Ints, n_groups: int) -> None:
        if len(groups) > MOST_ROWS:
            raise ValueError(f"{len(groups)} rows at once; sum at most {MOST_ROWS} of them")
        self._layout = layout
        self._groups = groups
        self._n_groups = n_groups
        self.sums: Ints = np.zeros((n_groups, layout.size), np.int64)
        self._flat = self.sums.reshape(-1)

    def add(self, name: str, rows: Ints, values: Ints, offsets: Ints | int = 0) -> None:
        """Add values of rows to a field."""
        self._field(name, rows, offsets, values)

    def ones(self, name: str, rows: Ints, offsets: Ints | int = 0) -> None:
        """Count rows in a field."""
        self._field(name, rows, offsets, None)

    def every(self, n: int, columns: Ints) -> None:
        """Count all rows at each column."""
        counts = np.bincount(self._groups, minlength=self._n_groups)
        self.sums[:, columns] += counts[:, None]

    def where(self, marked: NDArray[np.bool_], columns: Ints) -> None:
        """Count what is marked."""
        places, rows = np.nonzero(marked)
        np.add.at(self._flat, self._groups[rows] * self._layout.size + columns[places], 1)

    def table(self, columns: Ints, values: Ints) -> None:
        """Add values of all rows."""
        self.sums[:, columns] += self._by_group(values)

    def bins(self, columns: Ints, fine: NDArray[np.bool_] | None) -> None:
        """Count all rows at columns of their own."""
        size = self._layout.size
        places = columns if self._n_groups == 1 else columns + self._groups * size
        np.add.at(self._flat, places.ravel() if fine is None else places[fine], 1)

    def cells(self, cells: Cells) -> None:
        """Add what is summed already, row i of it to group i."""
        np.add.at(self._flat, cells.rows * self._layout.size + cells.columns, cells.values)

    def _field(self, name: str, rows: Ints, offsets: Ints | int, values: Ints | None) -> None:
        if rows.size == 0:
            return
        groups = self._groups[rows]
        places = groups * self._layout.size + (self._layout.start(name) + offsets)
        np.add.at(self._flat, places, 1 if values is None else values)

    def _by_group(self, values: Ints) -> Ints:
        """Sums of (k, n) values over the rows of each group, shape (n_groups, k)."""
        if self._n_groups == 1:
            whole: Ints = values.sum(axis=1)[None, :]
            return whole
        sums = np.zeros((self._n_groups, len(values)), np.int64)
        if self._n_groups <= FEW_GROUPS:
            order, starts = self._runs
            runs = np.add.reduceat(values.take(order, axis=1), starts, axis=1)
            sums[self._groups[order[starts]]] = runs.T
            return sums
        places = self._groups * len(values) + np.arange(len(values))[:, None]
        np.add.at(sums.reshape(-1), places.ravel(), values.ravel())
        return sums

    @cached_property
    def _runs(self) -> tuple[Ints, Ints]:
        """The rows in order of their groups, and where each group begins."""
        order = np.argsort(self._groups.astype(np.uint8), kind="stable")
        return order, np.flatnonzero(np.diff(self._groups[order], prepend=-1))
