"""The entries of a pane that are not zero, as packed bytes: so they are held, and stored."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

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
    def index(self) -> Ints:
        """The places, shape (n,)."""
        width = len(self.places) // self.n if self.n else 2
        return np.frombuffer(self.places, _PLACES[width]).astype(np.int64)

    @property
    def amounts(self) -> Ints:
        """What stands there, shape (n,)."""
        width = len(self.values) // self.n if self.n else 1
        return np.frombuffer(self.values, _VALUES[width]).astype(np.int64)


def packed(index: Sequence[int] | Ints, values: Sequence[int] | Ints) -> Entries:
    """The entries of a vector; a place that comes twice holds the sum, zeros are left out.

    Raises
    ------
    OverflowError
        If an entry reaches 2**62.

    Examples
    --------
    >>> entries = packed([7, 2, 7, 5], [1, -300, 2, 0])
    >>> entries.index.tolist(), entries.amounts.tolist(), len(entries.values)
    ([2, 7], [-300, 3], 4)
    """
    places, amounts = np.asarray(index, np.int64), np.asarray(values, np.int64)
    if np.count_nonzero(places[1:] > places[:-1]) < places.size - 1:
        places, inverse = np.unique(places, return_inverse=True)
        sums = np.zeros(places.size, np.int64)
        np.add.at(sums, inverse, amounts)
        amounts = sums
    if np.count_nonzero(amounts) < amounts.size:
        filled = np.flatnonzero(amounts)
        places, amounts = places[filled], amounts[filled]
    return _narrow(places, amounts)


def _narrow(places: Ints, amounts: Ints) -> Entries:
    """Entries of places in order, none of which holds zero."""
    if not places.size:
        return Entries(0, b"", b"")
    largest = max(int(amounts.max()), -int(amounts.min()))
    if largest >= LIMIT:
        raise OverflowError("a pane holds too many rows; choose a shorter pane")
    wide = _VALUES[next(width for width in _VALUES if largest < 1 << 8 * width - 1)]
    narrow = _PLACES[2 if int(places[-1]) < 1 << 16 else 4]
    return Entries(places.size, places.astype(narrow).tobytes(), amounts.astype(wide).tobytes())


def added(first: Entries, second: Entries) -> Entries:
    """The sum of two panes.

    Raises
    ------
    OverflowError
        If an entry would reach 2**62.

    Examples
    --------
    >>> both = added(packed([1, 4], [5, 2]), packed([4, 9], [-2, 1]))
    >>> both.index.tolist(), both.amounts.tolist()
    ([1, 9], [5, 1])
    """
    if not first.n or not second.n:
        return first if first.n else second
    one, other = first.index, second.index
    sums = np.zeros(max(int(one[-1]), int(other[-1])) + 1, np.int64)
    sums[one] = first.amounts
    sums[other] += second.amounts
    places = np.flatnonzero(sums)
    return _narrow(places, sums[places])


def densely(entries: Entries, sums: Ints) -> None:
    """Add entries to a vector in place.

    Raises
    ------
    OverflowError
        If an entry would reach 2**62.
    """
    if not entries.n:
        return
    index = entries.index
    after = sums[index] + entries.amounts
    if bool((np.abs(after) >= LIMIT).any()):
        raise OverflowError("a pane holds too many rows; choose a shorter pane")
    sums[index] = after
