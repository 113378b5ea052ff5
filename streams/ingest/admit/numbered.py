"""Numbered: the routes of rows in columns, and which of their segments have no stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detectors.summary import Ints

REFUSED = -1
"""Stands for the route of a version that finds no room."""


class Found(NamedTuple):
    """A route, and which of the policy's keys have no stream for the value: there are too many
    values or combinations, or it is too long. Bit j stands for the key at place j."""

    number: int
    capped: int = 0
    long: int = 0


@dataclass(frozen=True, slots=True)
class Numbered:
    """`Found` of n rows, each of shape (n,); None where no row has any."""

    routes: Ints
    capped: Ints | None = None
    long: Ints | None = None

    @classmethod
    def of(cls, found: Sequence[Found], groups: Ints) -> Numbered:
        """Of rows of which row i is ``found[groups[i]]``.

        Examples
        --------
        >>> numbered = Numbered.of([Found(7), Found(8, capped=2)], np.array([0, 1, 1]))
        >>> numbered.routes.tolist(), numbered.capped.tolist(), numbered.long
        ([7, 8, 8], [0, 2, 2], None)
        """
        return cls(
            np.array([one.number for one in found], np.int64)[groups],
            _bits([one.capped for one in found], groups),
            _bits([one.long for one in found], groups),
        )

    @classmethod
    def together(cls, n: int, parts: Sequence[tuple[Ints, Numbered]]) -> Numbered:
        """Of n rows that were found in parts: which rows, and what of them.

        Examples
        --------
        >>> one, other = Numbered(np.array([5])), Numbered(np.array([6]), long=np.array([1]))
        >>> both = Numbered.together(2, [(np.array([1]), one), (np.array([0]), other)])
        >>> both.routes.tolist(), both.capped, both.long.tolist()
        ([6, 5], None, [1, 0])
        """
        routes = np.zeros(n, np.int64)
        for rows, part in parts:
            routes[rows] = part.routes
        return cls(
            routes,
            _together(n, [(rows, part.capped) for rows, part in parts]),
            _together(n, [(rows, part.long) for rows, part in parts]),
        )

    def take(self, rows: Ints) -> Numbered:
        """Those of some rows, in that order."""
        return Numbered(
            self.routes[rows],
            None if self.capped is None else self.capped[rows],
            None if self.long is None else self.long[rows],
        )


def marked(bits: Ints) -> tuple[Ints, Ints]:
    """Rows and places of keys that are set in bits of shape (n,).

    Examples
    --------
    >>> rows, places = marked(np.array([0, 1, 6]))
    >>> rows.tolist(), places.tolist()
    ([1, 2, 2], [0, 1, 2])
    """
    width = int(bits.max(initial=0)).bit_length()
    rows, places = np.nonzero((bits[:, None] >> np.arange(width)) & 1)
    return rows, places


def _bits(each: Sequence[int], groups: Ints) -> Ints | None:
    return np.array(each, np.int64)[groups] if any(each) else None


def _together(n: int, parts: Sequence[tuple[Ints, Ints | None]]) -> Ints | None:
    if all(part is None for _, part in parts):
        return None
    every = np.zeros(n, np.int64)
    for rows, part in parts:
        if part is not None:
            every[rows] = part
    return every
