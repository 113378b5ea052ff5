"""Codes: a column as its distinct values and, for each row, the place of its value among them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from detectors.summary import Ints

T = TypeVar("T", bound=Hashable)


class Words(NamedTuple):
    """Values, and the place among them of each row's, shape (n,)."""

    words: list[Any]
    places: Ints

    def take(self, rows: Ints) -> Words:
        """Of some of the rows."""
        return Words(self.words, self.places[rows])


class _Places(dict[T, int]):
    """The place of each value, in order of asking."""

    def __missing__(self, value: T) -> int:
        self[value] = place = len(self)
        return place


def coded(values: Sequence[T]) -> tuple[list[T], Ints]:
    """Distinct values in order of their first, and the place of each one's.

    Examples
    --------
    >>> coded(["b", "a", "b"])
    (['b', 'a'], array([0, 1, 0]))
    """
    if values and values[-1] == values[0] and values.count(values[0]) == len(values):
        return [values[0]], np.zeros(len(values), np.int64)
    places = _Places[T]()
    codes = np.fromiter(map(places.__getitem__, values), np.int64, len(values))
    return list(places), codes


def ranked(values: Ints) -> tuple[Ints, Ints]:
    """Distinct integers, ascending, and the place of each one's among them.

    Examples
    --------
    >>> ranked(np.array([60_000, 0, 60_000]))
    (array([    0, 60000]), array([1, 0, 1]))
    """
    if not len(values):
        return values, values
    least, most = int(values.min()), int(values.max())
    if least == most:
        return values[:1], np.zeros(len(values), np.int64)
    span = most - least + 1
    if _sparse(span, len(values)):
        return np.unique(values, return_inverse=True)
    # Where they lie close together, marking them is much cheaper than sorting.
    seen = np.zeros(span, np.bool_)
    seen[values - least] = True
    places = np.cumsum(seen) - 1
    return np.flatnonzero(seen) + least, places[values - least]


def first_of(places: Ints, count: int) -> Ints:
    """The first row of each of ``count`` places; -1 where one has none.

    Examples
    --------
    >>> first_of(np.array([0, 0, 1, 0]), 2).tolist()
    [0, 2]
    """
    first: Ints = np.full(count, -1)
    # Of several values for one place the last holds: backwards, that is the first row.
    first[places[::-1]] = np.arange(len(places) - 1, -1, -1)
    return first


def distinct(codes: Ints, span: int) -> tuple[Ints, Ints]:
    """First row of each code, in order, and the place among them of each row's code.

    Parameters
    ----------
    codes
        From 0 to below ``span``, shape (n,).

    Examples
    --------
    >>> distinct(np.array([7, 3, 7]), 8)
    (array([0, 1]), array([0, 1, 0]))
    """
    first = first_of(codes, span)
    firsts = np.sort(first[first >= 0])
    places = np.empty(span, np.int64)
    places[codes[firsts]] = np.arange(len(firsts))
    return firsts, places[codes]


def crossed(columns: Sequence[tuple[Sequence[T], Ints]]) -> tuple[list[tuple[T, ...]], Ints]:
    """Distinct rows of coded columns in order of their first, and the place of each row's.

    Parameters
    ----------
    columns
        As `coded` gives them, with codes of shape (n,); one at least.

    Examples
    --------
    >>> rows, places = crossed([coded(["b", "a", "b", "b"]), coded([1, 1, 2, 1])])
    >>> rows, places.tolist()
    ([('b', 1), ('a', 1), ('b', 2)], [0, 1, 2, 0])
    """
    codes, span = columns[0][1], len(columns[0][0])
    for values, more in columns[1:]:
        if len(values) > 1:
            codes, span = codes * len(values) + more, span * len(values)
        if _sparse(span, len(codes)):
            kept, codes = ranked(codes)
            span = len(kept)
    firsts, places = distinct(codes, span)
    each = [[values[code] for code in column[firsts].tolist()] for values, column in columns]
    rows = list(zip(*each, strict=True))
    return rows, places


def merged(parts: Sequence[Words]) -> Words:
    """Codes of several columns as those of one: each value has one place.

    Examples
    --------
    >>> merged([Words(["a", None], np.array([0, 1])), Words(["b", "a"], np.array([0, 1]))])
    Words(words=['a', None, 'b'], places=array([0, 1, 2, 0]))
    """
    known: dict[Any, int] = {}
    found = [np.zeros(0, np.int64)]
    for words, places in parts:
        own = np.array([known.setdefault(word, len(known)) for word in words], np.int64)
        found.append(own[places])
    return Words(list(known), np.concatenate(found))


def _sparse(span: int, n: int) -> bool:
    """Whether so many places are too many to mark those of n rows."""
    return span > 4 * n + 1_000
