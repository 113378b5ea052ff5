"""The entries of a pane that are not zero, as packed bytes: so they are held, and stored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.summary import LIMIT, Ints

_PLACES: dict[int, np.dtype[np.unsignedinteger]] = {2: np.dtype("<u2"), 4: np.dtype("<u4")}
_VALUES: dict[int, np.dtype[np.signedinteger]] = {
    width: np.dtype(f"<i{width}") for width in (1, 2, 4, 8)
}


class Entries(msgspec.Struct, frozen=True, array_like=True):
    """``n`` places in order, each once, and what is there; both as wide as the largest needs."""

    n: int
    places: bytes
    values: bytes

    @property
    def index(self) -> NDArray[np.unsignedinteger]:
        """The places, shape (n,)."""
        width = len(self.places) // self.n if self.n else 2
        return np.frombuffer(self.places, _PLACES[width])

    @property
    def amounts(self) -> NDArray[np.signedinteger]:
        """What stands there, shape (n,)."""
        width = len(self.values) // self.n if self.n else 1
        return np.frombuffer(self.values, _VALUES[width])


NONE = Entries(0, b"", b"")
"""Of a vector in which there is nothing."""

Vector = tuple[Sequence[int], Sequence[int]]
"""Places, and what is added at each."""


def packed(vectors: Sequence[Vector]) -> list[Entries]:
    """The entries of vectors; a place that comes twice holds the sum, zeros are left out.

    Raises
    ------
    OverflowError
        If an entry reaches 2**62.
    ValueError
        If a vector has not as many amounts as places.

    Examples
    --------
    >>> first, second = packed([([7, 2, 7, 5], [1, -300, 2, 0]), ([3], [4])])
    >>> first.index.tolist(), first.amounts.tolist(), len(first.values)
    ([2, 7], [-300, 3], 4)
    >>> second.index.tolist(), second.amounts.tolist(), len(second.values)
    ([3], [4], 1)
    """
    sizes = [len(places) for places, _ in vectors]
    for size, (_, values) in zip(sizes, vectors, strict=True):
        if len(values) != size:
            raise ValueError(f"a pane has {size} places and {len(values)} amounts; send one each")
    total = sum(sizes)
    places = np.fromiter(chain.from_iterable(one for one, _ in vectors), np.int64, total)
    amounts = np.fromiter(chain.from_iterable(one for _, one in vectors), np.int64, total)
    ends = np.cumsum(sizes, dtype=np.int64)
    rising = places[1:] > places[:-1]
    rising[ends[(ends > 0) & (ends < total)] - 1] = True  # Each vector begins anew.
    if not (rising.all() and amounts.all()):
        places, amounts, ends = _tidied(places, amounts, ends)
    return _cut(places, amounts, ends)


def _tidied(places: Ints, amounts: Ints, ends: Ints) -> tuple[Ints, Ints, Ints]:
    """Places in order in each vector, each once, and those with nothing left out."""
    sizes = np.diff(ends, prepend=0)
    owners = np.repeat(np.arange(sizes.size), sizes)
    order = np.lexsort((places, owners))
    owners, places, amounts = owners[order], places[order], amounts[order]
    new = np.ones(places.size, np.bool_)
    new[1:] = (places[1:] != places[:-1]) | (owners[1:] != owners[:-1])
    sums = np.add.reduceat(amounts, np.flatnonzero(new))
    kept = sums != 0
    owners = owners[new][kept]
    return places[new][kept], sums[kept], np.cumsum(np.bincount(owners, minlength=sizes.size))


def _cut(places: Ints, amounts: Ints, ends: Ints) -> list[Entries]:
    """Entries of vectors that end where they do, of places in order that hold something."""
    ends_at = ends.tolist()
    found = [NONE] * len(ends_at)
    starts_at = [0, *ends_at[:-1]]
    filled = [place for place, end in enumerate(ends_at) if end > starts_at[place]]
    if not filled:
        return found
    firsts = [starts_at[place] for place in filled]
    # As unsigned, for the smallest of all integers has no opposite.
    largest = np.maximum.reduceat(np.abs(amounts).view(np.uint64), firsts).tolist()
    if max(largest) >= LIMIT:
        raise OverflowError("a pane holds too many rows; choose a shorter pane")
    stored: dict[np.dtype[Any], bytes] = {}
    lasts = [ends_at[place] - 1 for place in filled]
    for place, most, last in zip(filled, largest, places[lasts].tolist(), strict=True):
        narrow = _PLACES[2 if last < 1 << 16 else 4]
        wide = _VALUES[next(width for width in _VALUES if most < 1 << 8 * width - 1)]
        start, end = starts_at[place], ends_at[place]
        found[place] = Entries(
            end - start,
            _bytes(stored, places, narrow)[start * narrow.itemsize : end * narrow.itemsize],
            _bytes(stored, amounts, wide)[start * wide.itemsize : end * wide.itemsize],
        )
    return found


def _bytes(stored: dict[np.dtype[Any], bytes], numbers: Ints, kind: np.dtype[Any]) -> bytes:
    """All of the numbers at one width; those that do not fit into it are read at another."""
    if kind not in stored:
        stored[kind] = numbers.astype(kind).tobytes()
    return stored[kind]


def added(first: Entries, second: Entries) -> Entries:
    """The sum of two panes.

    Raises
    ------
    OverflowError
        If an entry would reach 2**62.

    Examples
    --------
    >>> both = added(*packed([([1, 4], [5, 2]), ([4, 9], [-2, 1])]))
    >>> both.index.tolist(), both.amounts.tolist()
    ([1, 9], [5, 1])
    """
    if not first.n or not second.n:
        return first if first.n else second
    one, other = first.index, second.index
    sums = np.zeros(max(int(one[-1]), int(other[-1])) + 1, np.int64)
    sums[one] = first.amounts
    sums[other] += second.amounts
    filled = np.flatnonzero(sums)
    return _cut(filled, sums[filled], np.array([filled.size]))[0]


def densely(every: Sequence[Entries], size: int) -> Ints:
    """The sum of entries as a vector, shape (size,).

    Raises
    ------
    OverflowError
        If an entry would reach 2**62.

    Examples
    --------
    >>> densely(packed([([1, 4], [5, 2]), ([4], [-2])]), size=6).tolist()
    [0, 5, 0, 0, 0, 0]
    """
    sums = np.zeros(size, np.int64)
    for number, entries in enumerate(one for one in every if one.n):
        index, after = entries.index, entries.amounts
        if number:
            after = sums[index] + after
            if bool((np.abs(after) >= LIMIT).any()):
                raise OverflowError("a pane holds too many rows; choose a shorter pane")
        sums[index] = after
    return sums
