"""Names of predictions in columns: who is looked up in the join store.

A name is a model and an id, as `streams.ingest.keys.name` has it: the length of the model's name,
the model and the id, so that two models never meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Ints
from streams.ingest.keys import prefix
from streams.ingest.ragged import Octets, equal, gather
from streams.ingest.rows import Bools

Hashes: TypeAlias = NDArray[np.uint64]

_MULTIPLIER = np.uint64(0xC6A4A7935BD1E995)
_SHIFT = np.uint64(47)


class Search(NamedTuple):
    """Where searches for names ended in a hash index of some age, and which found their name."""

    age: int
    ends: Ints
    hits: Bools


class Names:
    """n names, each a stretch of one array of bytes.

    Parameters
    ----------
    data
        Bytes of the names, one after the other or with others between.
    starts, ends
        Where each begins and ends, shape (n,).

    Examples
    --------
    >>> names = Names.of("m", ["id-1", "id-2"])
    >>> len(names), names.name(1)
    (2, b'\\x00\\x01mid-2')
    """

    def __init__(self, data: Octets, starts: Ints, ends: Ints) -> None:
        self.data = data
        self.starts = starts
        self.ends = ends
        self.search: Search | None = None

    @classmethod
    def of(cls, model: str, ids: Sequence[str]) -> Self:
        """Of ids of one model."""
        text = "".join(ids)
        if not text.isascii():
            return cls.of_bytes([prefix(model) + id_.encode() for id_ in ids])
        before = prefix(model)
        # A byte is a character here, so the prefix goes between as one.
        between = before.decode("latin-1")
        joined = between.join(["", *ids]).encode("latin-1")
        return cls._joined(joined, _lengths(ids) + len(before))

    @classmethod
    def of_bytes(cls, names: Sequence[bytes]) -> Self:
        """Of names as `streams.ingest.keys.name` has them."""
        return cls._joined(b"".join(names), _lengths(names))

    @classmethod
    def of_ids(cls, models: Sequence[str], places: Ints, ids: Sequence[bytes]) -> Self:
        """Of ids in UTF-8, each of the model at its place among ``models``; shape (n,).

        Examples
        --------
        >>> Names.of_ids(["m", "x"], np.array([1, 0]), [b"a", b"b"]).name(0)
        b'\\x00\\x01xa'
        """
        if len(models) == 1:
            before = prefix(models[0])
            return cls._joined(before.join([b"", *ids]), _lengths(ids) + len(before))
        every = [prefix(model) for model in models]
        pairs = zip(places.tolist(), ids, strict=True)
        return cls.of_bytes([every[place] + id_ for place, id_ in pairs])

    @classmethod
    def of_blocks(cls, model: str, data: Octets, starts: Ints, ends: Ints) -> Self:
        """Of ids of one model in one array of UTF-8, as Arrow has them."""
        before = np.frombuffer(prefix(model), np.uint8)
        n, lengths = len(starts), ends - starts
        ids = gather(data, starts, lengths)
        if n and (lengths == lengths[0]).all():
            table = np.empty((n, len(before) + int(lengths[0])), np.uint8)
            table[:, : len(before)] = before
            table[:, len(before) :] = ids.reshape(n, -1)
            return cls._of_octets(table.reshape(-1), lengths + len(before))
        gaps = np.repeat(np.cumsum(lengths) - lengths, len(before))
        return cls._of_octets(np.insert(ids, gaps, np.tile(before, n)), lengths + len(before))

    @classmethod
    def _joined(cls, joined: bytes, lengths: Ints) -> Self:
        return cls._of_octets(np.frombuffer(joined, np.uint8), lengths)

    @classmethod
    def _of_octets(cls, joined: Octets, lengths: Ints) -> Self:
        ends = np.cumsum(lengths)
        return cls(joined, ends - lengths, ends)

    def __len__(self) -> int:
        return len(self.starts)

    def name(self, row: int) -> bytes:
        """One name."""
        return self.data[self.starts[row] : self.ends[row]].tobytes()

    def take(self, rows: Ints) -> Self:
        """Some of the names, in that order."""
        taken = type(self)(self.data, self.starts[rows], self.ends[rows])
        if "hashes" in self.__dict__:
            taken.__dict__["hashes"] = self.hashes[rows]
        if self.search is not None:
            age, ends, hits = self.search
            taken.search = Search(age, ends[rows], hits[rows])
        return taken

    @cached_property
    def lengths(self) -> Ints:
        """Bytes of each, shape (n,)."""
        return self.ends - self.starts

    @cached_property
    def hashes(self) -> Hashes:
        """`murmur64` of each, shape (n,)."""
        hashes = np.empty(len(self), np.uint64)
        for length in np.unique(self.lengths).tolist():
            rows = np.flatnonzero(self.lengths == length)
            octets = gather(self.data, self.starts[rows], self.lengths[rows])
            hashes[rows] = murmur64(octets.reshape(len(rows), length))
        return hashes

    def firsts(self) -> Bools:
        """Whether a name is not among those before it, shape (n,).

        Examples
        --------
        >>> Names.of("m", ["a", "b", "a"]).firsts().tolist()
        [True, True, False]
        """
        first = np.ones(len(self), np.bool_)
        order = np.argsort(self.hashes, kind="stable")
        ordered = self.hashes[order]
        again = np.flatnonzero(ordered[1:] == ordered[:-1])
        if not again.size:
            return first
        seen: set[bytes] = set()
        for row in np.unique(order[np.concatenate((again, again + 1))]).tolist():
            name = self.name(row)
            first[row] = name not in seen
            seen.add(name)
        return first

    def alone(self) -> Bools:
        """Which names are there once only, shape (n,); by mistake it leaves out one in ages."""
        _, which, counts = np.unique(self.hashes, return_inverse=True, return_counts=True)
        alone: Bools = counts[which] == 1
        return alone

    def each(self) -> list[bytes]:
        """Every name, n in all."""
        return [self.name(row) for row in range(len(self))]

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


def _lengths(values: Sequence[str] | Sequence[bytes]) -> Ints:
    return np.fromiter(map(len, values), np.int64, len(values))
