"""Names of predictions in columns: who is looked up in the join store.

A name is a model and an id, as `streams.ingest.store.keys.name` has it: the length of the model's
name, the model and the id, so that two models never meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Ints
from streams.ingest.columns.ragged import Octets, equal
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.rows import Bools
from streams.ingest.store.keys import prefix

Hashes: TypeAlias = NDArray[np.uint64]

_MULTIPLIER = np.uint64(0xC6A4A7935BD1E995)
_SHIFT = np.uint64(47)


class Search(NamedTuple):
    """Where searches for names ended in a hash index of some age, and which found their name."""

    age: int
    ends: Ints
    hits: Bools


class Names(Strings):
    """n names.

    Examples
    --------
    >>> names = Names.of("m", ["id-1", "id-2"])
    >>> len(names), names[1]
    (2, b'\\x00\\x01mid-2')
    """

    def __init__(self, data: Octets, starts: Ints, ends: Ints) -> None:
        super().__init__(data, starts, ends)
        self.search: Search | None = None

    @classmethod
    def of(cls, model: str, ids: Sequence[str]) -> Self:
        """Of ids of one model."""
        return cls.of_ids([model], np.zeros(len(ids), np.int64), Strings.of_texts(ids))

    @classmethod
    def of_ids(cls, models: Sequence[str], places: Ints, ids: Strings) -> Self:
        """Of ids in UTF-8, each of the model at its place among ``models``; shape (n,)."""
        prefixes = Strings.of_bytes([prefix(model) for model in models])
        return cls.joined(prefixes.take(places), ids)

    def take(self, rows: Ints) -> Self:
        """Some of the names, in that order."""
        taken = super().take(rows)
        if "hashes" in self.__dict__:
            taken.__dict__["hashes"] = self.hashes[rows]
        if self.search is not None:
            age, ends, hits = self.search
            taken.search = Search(age, ends[rows], hits[rows])
        return taken

    @cached_property
    def hashes(self) -> Hashes:
        """`murmur64` of each, shape (n,)."""
        hashes = np.empty(len(self), np.uint64)
        for rows, table in self.tables():
            hashes[rows] = murmur64(table)
        return hashes

    def firsts(self) -> Bools:
        """Whether a name is not among those before it, shape (n,).

        Examples
        --------
        >>> Names.of("m", ["a", "b", "a"]).firsts().tolist()
        [True, True, False]
        """
        first = np.ones(len(self), np.bool_)
        # Sorting values is much cheaper than sorting rows, and mostly answers the question.
        ordered = np.sort(self.hashes)
        if not np.any(ordered[1:] == ordered[:-1]):
            return first
        order = np.argsort(self.hashes)
        ordered = self.hashes[order]
        again = np.flatnonzero(ordered[1:] == ordered[:-1])
        seen: set[bytes] = set()
        for row in np.unique(order[np.concatenate((again, again + 1))]).tolist():
            name = self[row]
            first[row] = name not in seen
            seen.add(name)
        return first

    def alone(self) -> Bools:
        """Which names are there once only, shape (n,); by mistake it leaves out one in ages."""
        _, which, counts = np.unique(self.hashes, return_inverse=True, return_counts=True)
        alone: Bools = counts[which] == 1
        return alone

    def equal(self, data: Octets, starts: Ints, ends: Ints) -> Bools:
        """Whether each is the same as a name elsewhere, shape (n,)."""
        same: Bools = self.lengths == ends - starts
        rows = np.flatnonzero(same)
        same[rows] = equal(self.data, self.starts[rows], data, starts[rows], self.lengths[rows])
        return same


def murmur64(table: Octets) -> Hashes:
    """MurmurHash64A of each row, seed 0; the shape is (n, length).

    Examples
    --------
    >>> hex(murmur64(np.frombuffer(b"kittiwake", np.uint8)[None])[0])
    '0x8b4107cc69dccf0a'

    References
    ----------
    .. [1] Appleby, SMHasher, MurmurHash2.cpp.
    """
    rows, length = table.shape
    whole = length & ~7
    hashes = np.full(rows, length * int(_MULTIPLIER) & 0xFFFFFFFFFFFFFFFF, np.uint64)
    words = np.ascontiguousarray(table[:, :whole]).view("<u8").T if whole else ()
    for word in words:
        mixed = word * _MULTIPLIER
        mixed ^= mixed >> _SHIFT
        mixed *= _MULTIPLIER
        hashes ^= mixed
        hashes *= _MULTIPLIER
    if length > whole:
        rest = np.zeros((rows, 8), np.uint8)
        rest[:, : length - whole] = table[:, whole:]
        hashes ^= rest.view("<u8")[:, 0]
        hashes *= _MULTIPLIER
    hashes ^= hashes >> _SHIFT
    hashes *= _MULTIPLIER
    return hashes ^ (hashes >> _SHIFT)
