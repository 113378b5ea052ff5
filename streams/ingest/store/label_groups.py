"""Label groups: records of pending predictions that have changed since their page was written.

Each `SLOTS` rows of a page share a group, so that labels that come in order cost little, and a
label that comes alone costs little more.

::

    mask          one byte, a bit for each row that has changed
    nothing       one byte
    width         two bytes, length of a record, little-endian
    records       width bytes for each bit, from the lowest
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.summary import Ints
from streams.ingest.columns.ragged import Octets

SLOT_BITS = 3
SLOTS = 1 << SLOT_BITS
"""Rows of a group."""

_HEAD = 4


class LabelGroups:
    """Groups as one array of bytes, to read records from.

    Parameters
    ----------
    values
        Packed groups, n in all; None where nothing has changed.
    """

    def __init__(self, values: Sequence[bytes | None]) -> None:
        filled = [value or bytes(_HEAD) for value in values]
        self._data: Octets = np.frombuffer(b"".join(filled), np.uint8)
        lengths = np.fromiter(map(len, filled), np.int64, len(filled))
        starts = np.cumsum(lengths) - lengths
        self._records = starts + _HEAD
        self.masks: Octets = self._data[starts]
        """Which rows of each have changed, shape (n,)."""
        self.widths: Ints = self._data[starts + 2] + 256 * self._data[starts + 3].astype(np.int64)
        """Length of the records of each, shape (n,)."""

    def records(self, groups: Ints, slots: Ints) -> Octets:
        """Records of rows that have changed, all of one width; shape (k, width)."""
        width = int(self.widths[groups[0]])
        before = np.bitwise_count(self.masks[groups] & ((1 << slots) - 1).astype(np.uint8))
        starts = self._records[groups] + before.astype(np.int64) * width
        records: Octets = self._data[starts[:, None] + np.arange(width)]
        return records


def merge(old: Sequence[bytes | None], groups: Ints, slots: Ints, records: Octets) -> list[bytes]:
    """Groups with new records put in.

    Parameters
    ----------
    old
        The groups as they are.
    groups, slots
        Of each new record the place among ``old`` and the row, shape (k,).
    records
        New records, shape (k, width).
    """
    n, width = len(old), records.shape[1]
    table = np.zeros((n, SLOTS, width), np.uint8)
    known = LabelGroups(old)
    filled = np.unpackbits(known.masks[:, None], axis=1, bitorder="little").astype(np.bool_)
    there, rows = np.nonzero(filled)
    if there.size:
        table[there, rows] = known.records(there, rows)
    table[groups, slots] = records
    filled[groups, slots] = True
    heads = np.zeros((n, _HEAD), np.uint8)
    heads[:, 0] = np.packbits(filled, axis=1, bitorder="little")[:, 0]
    heads[:, 2:] = np.array([width], "<u2").view(np.uint8)
    ends = (np.cumsum(filled.sum(axis=1)) * width).tolist()
    head, body = heads.tobytes(), table[filled].tobytes()
    return [
        head[i * _HEAD : (i + 1) * _HEAD] + body[start:end]
        for i, (start, end) in enumerate(zip([0, *ends], ends, strict=False))
    ]
