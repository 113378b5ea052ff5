"""Byte strings in one array: ids and keys of rows without an object for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Self

import numpy as np

from detectors.summary import Ints
from streams.ingest.columns.ragged import Octets, gather, spread


class Strings:
    """n byte strings, each a stretch of one array.

    Parameters
    ----------
    data
        Their bytes, one after the other or with others between.
    starts, ends
        Where each begins and ends, shape (n,).

    Examples
    --------
    >>> strings = Strings.of_bytes([b"ab", b"", b"cde"])
    >>> len(strings), strings[2], list(strings.take(np.array([1, 0])))
    (3, b'cde', [b'', b'ab'])
    """

    def __init__(self, data: Octets, starts: Ints, ends: Ints) -> None:
        self.data = data
        self.starts = starts
        self.ends = ends

    @classmethod
    def of_bytes(cls, strings: Sequence[bytes]) -> Self:
        """Of objects."""
        return cls.of_block(b"".join(strings), _lengths(strings))

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> Self:
        """Of texts, in UTF-8."""
        joined = "".join(texts)
        if not joined.isascii():
            return cls.of_bytes([text.encode() for text in texts])
        # A character is a byte here.
        return cls.of_block(joined.encode(), _lengths(texts))

    @classmethod
    def of_block(cls, block: bytes | Octets, lengths: Ints) -> Self:
        """Of all their bytes one after the other, and the length of each, shape (n,)."""
        ends = np.cumsum(lengths)
        data = block if isinstance(block, np.ndarray) else np.frombuffer(block, np.uint8)
        return cls(data, ends - lengths, ends)

    @classmethod
    def together(cls, parts: Sequence[Strings]) -> Self:
        """One after the other."""
        if len(parts) == 1:
            return cls(parts[0].data, parts[0].starts, parts[0].ends)
        blocks = [gather(part.data, part.starts, part.lengths) for part in parts]
        lengths = [part.lengths for part in parts]
        return cls.of_block(
            np.concatenate([np.zeros(0, np.uint8), *blocks]),
            np.concatenate([np.zeros(0, np.int64), *lengths]),
        )

    @classmethod
    def joined(cls, left: Strings, right: Strings) -> Self:
        """Pairs of two times n strings, each as one string.

        Examples
        --------
        >>> list(Strings.joined(Strings.of_bytes([b"a", b"b"]), Strings.of_bytes([b"1", b"23"])))
        [b'a1', b'b23']
        """
        lengths = left.lengths + right.lengths
        if left.even and right.even:
            tables = [table for part in (left, right) for _, table in part.tables()]
            return cls.of_block(np.concatenate(tables, axis=1).reshape(-1), lengths)
        block = np.empty(int(lengths.sum()), np.uint8)
        starts = np.cumsum(lengths) - lengths
        for part, places in ((left, starts), (right, starts + left.lengths)):
            block[spread(places, part.lengths)] = gather(part.data, part.starts, part.lengths)
        return cls(block, starts, starts + lengths)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> bytes:
        return self.data[self.starts[row] : self.ends[row]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (self[row] for row in range(len(self)))

    def take(self, rows: Ints) -> Self:
        """Some of the strings, in that order."""
        return type(self)(self.data, self.starts[rows], self.ends[rows])

    @cached_property
    def lengths(self) -> Ints:
        """Bytes of each, shape (n,)."""
        return self.ends - self.starts

    @cached_property
    def even(self) -> bool:
        """Whether there are strings, all of one length and not empty."""
        lengths = self.lengths
        return bool(len(lengths) and lengths[0] and (lengths == lengths[0]).all())

    def tables(self) -> Iterator[tuple[Ints, Octets]]:
        """Those of one length after those of another: which they are, shape (m,), and their
        bytes, shape (m, length)."""
        if self.even:
            octets = gather(self.data, self.starts, self.lengths)
            yield np.arange(len(self)), octets.reshape(len(self), -1)
            return
        for length in np.flatnonzero(np.bincount(self.lengths)).tolist():
            rows = np.flatnonzero(self.lengths == length)
            octets = gather(self.data, self.starts[rows], self.lengths[rows])
            yield rows, octets.reshape(len(rows), length)


def _lengths(values: Sequence[str] | Sequence[bytes]) -> Ints:
    return np.fromiter(map(len, values), np.int64, len(values))
