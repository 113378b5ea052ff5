"""A hash index in one array: from the hash of a name to where its row is.

Open addressing with linear probing, for whole batches at once. A slot is 64 bits: the upper 36 of
the hash, and 28 of an address; 0 is an empty slot. Where slots lie follows the order of the
hashes, so that a table is filled from sorted slots in one pass, and a new one from an old one in
pieces. Hashes may collide: whoever asks compares the names, and asks for the next candidate.

References
----------
.. [1] Knuth, The Art of Computer Programming 3, 6.4, algorithm L.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Ints
from streams.ingest.store.names import Hashes

Slots: TypeAlias = NDArray[np.uint64]

ADDRESS_BITS = 28
"""Addresses are from 1 to below 2 to the power of this."""

FULL, ROOMY = 0.7, 0.5
"""A table is rebuilt before more than this share of it is taken, so that about that share is."""

LEAST = 1 << 15
"""Slots of an index that is empty."""

_PIECE = 1 << 16
"""Slots that are moved together; a rebuild takes a few more arrays of that size."""

_MANY, _STRIDE = 512, 16
"""Searches that go on one place at a time, together; fewer go on by so many places."""

_BITS = np.uint64(ADDRESS_BITS)
_ADDRESS = np.uint64((1 << ADDRESS_BITS) - 1)
_HALF = np.uint64(32)


class HashIndex:
    """Addresses by hash; several may have the same hash.

    Parameters
    ----------
    hash_mask
        Bits of a hash that count; fewer make hashes collide.
    """

    def __init__(self, *, hash_mask: int = (1 << 64) - 1) -> None:
        self._mask = np.uint64(hash_mask)
        self._taken = 0
        self._table: Slots = np.zeros(LEAST, np.uint64)

    def __len__(self) -> int:
        return self._taken

    @property
    def nbytes(self) -> int:
        """Bytes of the table."""
        return self._table.nbytes

    def homes(self, hashes: Hashes) -> Ints:
        """Where the search for each hash begins, shape (n,)."""
        return self._homes(hashes & self._mask)

    def candidates(self, hashes: Hashes, places: Ints) -> tuple[Ints, Ints]:
        """The next address that may be that of each hash, looked for from a place on.

        Returns
        -------
        Addresses, 0 where there is none, and the places at which the searches ended, of shape
        (n,). A search goes on at the place after that.
        """
        table, wanted = self._table, (hashes & self._mask) >> _BITS
        ends = self._inside(places)
        slots = table[ends]
        left = np.flatnonzero(_goes_on(slots, wanted))
        while left.size > _MANY:
            ends[left] = places = self._inside(ends[left] + 1)
            slots[left] = here = table[places]
            left = left[_goes_on(here, wanted[left])]
        # A step of few searches costs as much as its numpy calls: they look at several places.
        places = ends[left] + 1
        while left.size:
            some = self._inside(places[:, None] + np.arange(_STRIDE))
            several = table[some]
            ended = ~_goes_on(several, wanted[left, None])
            steps = ended.argmax(axis=1)
            there = ended.any(axis=1)
            found, on = np.flatnonzero(there), np.flatnonzero(~there)
            slots[left[found]] = several[found, steps[found]]
            ends[left[found]] = some[found, steps[found]]
            left, places = left[on], places[on] + _STRIDE
        return addresses_of(slots), ends

    def insert(self, hashes: Hashes, addresses: Ints, places: Ints | None = None) -> None:
        """Add an address for each hash; there must be room for them (`full`).

        ``places`` are where searches for them ended without success, if these were made.
        """
        table, size = self._table, len(self._table)
        slots = self.slots(hashes, addresses)
        places = self._homes(slots) if places is None else places
        self._taken += len(slots)
        while slots.size:
            places = np.where(places == size, 0, places)
            free = np.flatnonzero(table[places] == 0)
            # Of several that come to one free place, one is there afterwards.
            table[places[free]] = slots[free]
            on = np.flatnonzero(table[places] != slots)
            slots, places = slots[on], places[on] + 1

    def at(self, places: Ints) -> Ints:
        """The addresses of slots at which searches ended with success, shape (n,)."""
        return addresses_of(self._table[places])

    def replace(self, hashes: Hashes, addresses: Ints, places: Ints) -> None:
        """Let slots at which searches ended with success have other addresses."""
        self._table[places] = self.slots(hashes, addresses)

    def full(self, coming: int) -> bool:
        """Whether so many more fit only after a `rebuild`."""
        return self._taken + coming > FULL * len(self._table)

    def rebuild(self, coming: int, alive: Callable[[Ints], NDArray[np.bool_]]) -> None:
        """Forget what is not alive, and make room for so many more.

        ``alive`` tells which of n addresses are to be kept.
        """
        old = self._table
        cut = (old[start : start + _PIECE] for start in range(0, len(old), _PIECE))
        kept = sum(int(alive(addresses_of(piece[piece != 0])).sum()) for piece in cut)
        pieces = (piece[alive(addresses_of(piece))] for piece in self._pieces(old))
        self._fill(pieces, kept + coming)

    def load(self, slots: Slots) -> None:
        """Begin anew with `slots` in order."""
        cut = range(0, len(slots), _PIECE)
        self._fill((slots[start : start + _PIECE] for start in cut), len(slots))

    def slots(self, hashes: Hashes, addresses: Ints) -> Slots:
        """Slots of hashes and their addresses, shape (n,)."""
        return (hashes & self._mask & ~_ADDRESS) | addresses.astype(np.uint64)

    def _fill(self, pieces: Iterable[Slots], count: int) -> None:
        """A new table of slots in order; each goes to its home or to the place after the last."""
        table = np.zeros(max(LEAST, int(count / ROOMY)), np.uint64)
        self._table, self._taken = table, 0
        last, beyond = -1, [table[:0]]
        for piece in pieces:
            steps = np.arange(len(piece))
            homes = np.maximum(self._homes(piece), last + 1)
            places = np.maximum.accumulate(homes - steps) + steps
            inside = int(np.searchsorted(places, len(table)))
            table[places[:inside]] = piece[:inside]
            self._taken += inside
            beyond.append(piece[inside:].copy())  # A view would keep all pieces alive.
            last = int(places[-1]) if len(piece) else last
        rest = np.concatenate(beyond)
        self.insert(rest, addresses_of(rest))

    def _pieces(self, table: Slots) -> Iterator[Slots]:
        """The slots of a table in order; a piece ends where no search goes on."""
        size = len(table)
        start = _gap(table, 0)
        first = table[:start]
        homes = (first >> _HALF) * np.uint64(size) >> _HALF
        over = homes > np.arange(start, dtype=np.uint64)
        yield np.sort(first[~over])
        while start < size:
            stop = _gap(table, min(start + _PIECE, size))
            piece = table[start:stop]
            piece = piece[piece != 0]
            yield np.sort(np.concatenate((piece, first[over])) if stop == size else piece)
            start = stop

    def _inside(self, places: Ints) -> Ints:
        """Places of which those beyond the end are at the beginning again, shape kept."""
        size = len(self._table)
        return np.where(places < size, places, places - size)

    def _homes(self, slots: Slots) -> Ints:
        homes: Ints = ((slots >> _HALF) * np.uint64(len(self._table)) >> _HALF).astype(np.int64)
        return homes


def addresses_of(slots: Slots) -> Ints:
    """The addresses of slots, shape kept."""
    addresses: Ints = (slots & _ADDRESS).astype(np.int64)
    return addresses


def _goes_on(slots: Slots, wanted: Slots) -> NDArray[np.bool_]:
    """Where a search has not ended: slots that are taken, by other hashes than ``wanted``."""
    return np.asarray((slots != 0) & (slots >> _BITS != wanted))


def collisions(slots: Slots) -> Ints:
    """Places of slots, which are in order, whose hash others have as well."""
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(slots), _PIECE):
        hashes = slots[start : start + _PIECE + 1] >> _BITS
        same = np.flatnonzero(hashes[1:] == hashes[:-1]) + start
        found += [same, same + 1]
    return np.unique(np.concatenate(found))


def _gap(table: Slots, start: int) -> int:
    """The first place from ``start`` on that is empty, or the end."""
    while start < len(table):
        empty = np.flatnonzero(table[start : start + 1_024] == 0)
        if empty.size:
            return start + int(empty[0])
        start += 1_024
    return len(table)
