"""Pages: pending predictions as the join store keeps them, packed by the dozen.

A page holds up to `ROWS` predictions that lapse in the same hour and whose records are of one
length. Most records are new and have no label yet: a short page leaves their label states out.

::

    rows, width, short     two bytes each
    records                rows x width, less the label states if short
    until                  rows x 4, milliseconds after the hour's start at which a row lapses
    ends                   rows x 4, where each name ends among the names
    names

All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from detectors.summary import Ints
from streams.ingest.columns.ragged import Octets, gather
from streams.ingest.decode.rows import Bools
from streams.ingest.store.names import Names
from streams.ingest.store.pending import STATES, UNLABELLED

ROW_BITS = 6
ROWS = 1 << ROW_BITS
"""Most rows of a page: with more a single row is dear to read, with fewer every row to write."""

_HEAD = struct.Struct("<HHH")
_UNLABELLED = np.frombuffer(UNLABELLED, np.uint8)


@dataclass(frozen=True, slots=True)
class Rows:
    """n predictions with records of one length.

    Parameters
    ----------
    names
        Who they are.
    records
        Packed predictions (`streams.ingest.store.pending`), shape (n, width).
    until
        Milliseconds after the start of an hour at which each lapses, shape (n,).
    """

    names: Names
    records: Octets
    until: Ints

    def __len__(self) -> int:
        return len(self.until)

    def take(self, rows: Ints) -> Self:
        """Some of the rows, in that order."""
        return type(self)(self.names.take(rows), self.records[rows], self.until[rows])


def unlabelled(records: Octets) -> Bools:
    """Whether records have no label, and never had one; the shape is (n, width)."""
    if records.shape[1] < STATES.stop:
        return np.zeros(len(records), np.bool_)
    words = np.ascontiguousarray(records[:, STATES]).view(np.uint64)
    same = words == _UNLABELLED.view(np.uint64)
    # Most batches are: looking at all of it is much cheaper than row by row.
    return np.ones(len(records), np.bool_) if same.all() else np.asarray(same.all(axis=1))


def pack(rows: Rows, sizes: Ints, *, short: bool) -> Iterator[bytes]:
    """Pages of so many rows each, in order; ``short`` for rows that are all `unlabelled`."""
    names, width = rows.names, rows.records.shape[1]
    stops = np.cumsum(sizes)
    ends = np.cumsum(names.lengths)
    lasts = ends[stops - 1]
    firsts = np.concatenate(([0], lasts[:-1]))
    kept = np.delete(rows.records, STATES, axis=1) if short else rows.records
    records, stored = np.ascontiguousarray(kept).reshape(-1).data, kept.shape[1]
    until = rows.until.astype("<u4").tobytes()
    each = (ends - np.repeat(firsts, sizes)).astype("<u4").tobytes()
    data = gather(names.data, names.starts, names.lengths).data
    start = 0
    for stop, first, last in zip(stops.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
        yield b"".join(
            (
                _HEAD.pack(stop - start, width, short),
                records[start * stored : stop * stored],
                until[4 * start : 4 * stop],
                each[4 * start : 4 * stop],
                data[first:last],
            )
        )
        start = stop


def append(page: bytes, more: bytes, *, first: int) -> bytes:
    """The first rows of a page, at least one, and all of another one of its kind after them."""
    rows, width, short = _HEAD.unpack_from(more)
    stored = width - short * len(UNLABELLED)
    old, new = _columns(page), _columns(more)
    ends = np.frombuffer(old.ends, "<u4")
    last = int(ends[first - 1])
    return b"".join(
        (
            _HEAD.pack(first + rows, width, short),
            old.records[: first * stored],
            new.records,
            old.until[: 4 * first],
            new.until,
            old.ends[: 4 * first],
            (np.frombuffer(new.ends, "<u4") + np.uint32(last)).tobytes(),
            old.names[:last],
            new.names,
        )
    )


class _Columns(NamedTuple):
    records: bytes
    until: bytes
    ends: bytes
    names: bytes


def _columns(page: bytes) -> _Columns:
    rows, width, short = _HEAD.unpack_from(page)
    until = _HEAD.size + rows * (width - short * len(UNLABELLED))
    ends = until + 4 * rows
    names = ends + 4 * rows
    return _Columns(page[_HEAD.size : until], page[until:ends], page[ends:names], page[names:])


class Pages:
    """Pages as one array of bytes, to read rows from.

    Parameters
    ----------
    values
        Packed pages.
    """

    def __init__(self, values: Sequence[bytes]) -> None:
        self.data: Octets = np.frombuffer(b"".join(values), np.uint8)
        lengths = np.fromiter(map(len, values), np.int64, len(values))
        starts = np.cumsum(lengths) - lengths
        heads = self.data[starts[:, None] + np.arange(_HEAD.size)].view("<u2").astype(np.int64)
        self.rows, self.widths, self.short = heads.T
        self._stored = self.widths - self.short * len(UNLABELLED)
        self._records = starts + _HEAD.size
        self._until = self._records + self.rows * self._stored
        self._ends = self._until + 4 * self.rows
        self._names = self._ends + 4 * self.rows

    def names(self, pages: Ints, rows: Ints) -> tuple[Ints, Ints]:
        """Where the names of rows, each of a page, begin and end in ``data``; shape (n,)."""
        ends = self._numbers(self._ends[pages] + 4 * rows)
        starts = np.where(rows, self._numbers(self._ends[pages] + 4 * (rows - (rows > 0))), 0)
        return self._names[pages] + starts, self._names[pages] + ends

    def until(self, pages: Ints, rows: Ints) -> Ints:
        """Milliseconds after the hour's start at which rows lapse, shape (n,)."""
        return self._numbers(self._until[pages] + 4 * rows)

    def records(self, pages: Ints, rows: Ints) -> Iterator[tuple[Ints, Octets]]:
        """Records of rows, by length: which of the rows, and their records, (k, width)."""
        kinds = self.widths[pages] * 2 + self.short[pages]
        for kind in np.unique(kinds).tolist():
            places = np.flatnonzero(kinds == kind)
            width, stored = kind // 2, kind // 2 - kind % 2 * len(UNLABELLED)
            starts = self._records[pages[places]] + rows[places] * stored
            found = self.data[starts[:, None] + np.arange(stored)]
            yield places, _whole(found, width) if kind % 2 else found

    def _numbers(self, starts: Ints) -> Ints:
        numbers: Ints = self.data[starts[:, None] + np.arange(4)].view("<u4")[:, 0].astype(np.int64)
        return numbers


def _whole(stored: Octets, width: int) -> Octets:
    """Records of which the label states were left out, shape (n, width)."""
    records = np.empty((len(stored), width), np.uint8)
    records[:, : STATES.start] = stored[:, : STATES.start]
    records[:, STATES] = _UNLABELLED
    records[:, STATES.stop :] = stored[:, STATES.start :]
    return records
