"""Sparse sums of very many panes that have few entries each, as a list of entries.

Additions are put behind it; when they have grown to twice what is sorted, equal entries are added
up. So an entry takes 16 bytes, or 48 until then, and adding n takes O(n log n) in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from detectors.summary import LIMIT, Cells, Ints

WIDTH = 1 << 32
"""More entries than any pane has."""

LEAST = 1 << 16
"""Entries that are not worth sorting."""

MOST_ADDITIONS = 256
"""Each is below 2**53, so that no sum of so many and of what is below the limit wraps around."""

_NOTHING: Ints = np.zeros(0, np.int64)


class SparseSums:
    """Entries by pane and place.

    Examples
    --------
    >>> sums = SparseSums()
    >>> cells = Cells(np.array([0, 1]), np.array([3, 4]), np.array([5, 6]))
    >>> sums.add([[7, 9], [8]], cells)
    >>> sums.add([[8], []], cells)
    >>> sums.take()
    {7: ([3], [5]), 8: ([3, 4], [5, 6]), 9: ([3], [5])}
    >>> sums.take()
    {}
    """

    def __init__(self) -> None:
        self._codes: list[Ints] = [_NOTHING]
        self._values: list[Ints] = [_NOTHING]
        self._new = 0

    def add(self, panes: Sequence[Sequence[int]], cells: Cells) -> None:
        """Add cells of which row i goes to each of ``panes[i]``.

        Raises
        ------
        OverflowError
            If an entry would reach 2**62.
        """
        sizes = np.fromiter(map(len, panes), np.int64, len(panes))
        numbers = np.array([number for each in panes for number in each], np.int64)
        starts, times = np.cumsum(sizes) - sizes, sizes[cells.rows]
        which = np.repeat(np.arange(len(times)), times)
        within = np.arange(len(which)) - np.repeat(np.cumsum(times) - times, times)
        own = numbers[starts[cells.rows[which]] + within]
        self._codes.append(own * WIDTH + cells.columns[which])
        self._values.append(cells.values[which])
        self._new += len(own)
        if self._new > max(2 * len(self._codes[0]), LEAST) or len(self._codes) > MOST_ADDITIONS:
            self._sort()

    def take(self) -> dict[int, tuple[list[int], list[int]]]:
        """Places and values of the entries of each pane that are not zero; they are gone then."""
        self._sort()
        codes, values = self._codes[0], self._values[0]
        kept = np.flatnonzero(values)
        numbers, places = np.divmod(codes[kept], WIDTH)
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        index, entries = places.tolist(), values[kept].tolist()
        ends = pairwise([*starts.tolist(), len(kept)])
        found = {
            number: (index[start:end], entries[start:end])
            for number, (start, end) in zip(numbers[starts].tolist(), ends, strict=True)
        }
        self._codes, self._values = [_NOTHING], [_NOTHING]
        return found

    @property
    def nbytes(self) -> int:
        """Memory that the entries take."""
        return 16 * (len(self._codes[0]) + self._new)

    def _sort(self) -> None:
        """Add up what is equal."""
        codes, values = np.concatenate(self._codes), np.concatenate(self._values)
        order = np.argsort(codes)
        codes, values = codes[order], values[order]
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        sums = np.add.reduceat(values, starts) if len(starts) else values
        if len(sums) and max(-int(sums.min()), int(sums.max())) >= LIMIT:
            raise OverflowError("a pane holds too many rows; choose a shorter pane")
        self._codes, self._values, self._new = [codes[starts]], [sums], 0
