"""What rows add to panes, summed at once: the way of INGEST."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Ints, Layout

MOST_ROWS = 1 << 23
"""Sums go through floats, which hold integers below 2**53; no row adds more than 2**29."""


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
        If there are so many rows that sums could be inexact.

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
        self.sums[:, columns] += self._by_group(marked.astype(np.int64))

    def table(self, columns: Ints, values: Ints) -> None:
        """Add values of all rows."""
        self.sums[:, columns] += self._by_group(values)

    def bins(self, columns: Ints, fine: NDArray[np.bool_] | None) -> None:
        """Count all rows at columns of their own."""
        size = self._layout.size
        places = columns if self._n_groups == 1 else columns + self._groups * size
        chosen = places.ravel() if fine is None else places[fine]
        counts = np.bincount(chosen, minlength=self._n_groups * size)
        self.sums += counts.reshape(self.sums.shape)

    def _field(self, name: str, rows: Ints, offsets: Ints | int, values: Ints | None) -> None:
        if rows.size == 0:
            return
        place = self._layout.slices[name]
        width = place.stop - place.start
        groups = self._groups[rows]
        places = groups if width == 1 else groups * width + offsets
        sums = np.bincount(places, values, self._n_groups * width)
        self.sums[:, place] += sums.reshape(-1, width).astype(np.int64)

    def _by_group(self, values: Ints) -> Ints:
        """Sums of (k, n) values over the rows of each group, shape (n_groups, k)."""
        if self._n_groups == 1:
            whole: Ints = values.sum(axis=1)[None, :]
            return whole
        k = len(values)
        places = (self._groups + self._n_groups * np.arange(k)[:, None]).ravel()
        sums = np.bincount(places, values.ravel(), k * self._n_groups)
        return sums.reshape(k, -1).T.astype(np.int64)
