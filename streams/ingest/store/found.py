"""Found: pending predictions that were looked for, with records of one length in one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from detectors.summary import Ints
from streams.ingest.columns.ragged import Octets


@dataclass(frozen=True, slots=True)
class Found:
    """Pending predictions that were looked for.

    Parameters
    ----------
    rows
        Which of the names have one, shape (n,).
    until_ms
        When each lapses, shape (n,): once the watermark is past that, it is none, whether it has
        left by now or not.
    groups
        Records by their length: which of the n, and their records, shape (k, width).
    """

    rows: Ints
    until_ms: Ints
    groups: Sequence[tuple[Ints, Octets]]

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """What was found in several rounds, in order of rows."""
        parts = [part for part in parts if len(part)]
        if len(parts) < 2:
            nothing = np.zeros(0, np.int64)
            return parts[0] if parts else cls(nothing, nothing, ())
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows)
        places = np.empty(len(rows), np.int64)
        places[order] = np.arange(len(rows))
        starts = np.cumsum([0, *(len(part) for part in parts)])
        groups: dict[int, list[tuple[Ints, Octets]]] = {}
        for start, part in zip(starts.tolist(), parts, strict=False):
            for each, records in part.groups:
                groups.setdefault(records.shape[1], []).append((places[start + each], records))
        return cls(
            rows[order],
            np.concatenate([part.until_ms for part in parts])[order],
            [
                (np.concatenate([rows for rows, _ in same]), np.concatenate([r for _, r in same]))
                for same in groups.values()
            ],
        )

    def __len__(self) -> int:
        return len(self.rows)

    def records(self) -> list[bytes]:
        """The record of each, n in all."""
        records = [b""] * len(self)
        for places, table in self.groups:
            for place, record in zip(places.tolist(), split(table), strict=True):
                records[place] = record
        return records


def split(table: Octets) -> list[bytes]:
    """The rows of a table of shape (n, width)."""
    width, joined = table.shape[1], table.tobytes()
    return [joined[i * width : (i + 1) * width] for i in range(len(table))]


def by_width(records: Octets | Sequence[bytes]) -> Iterator[tuple[Ints, Octets]]:
    """Records by their length: which of the n, and the records, shape (k, width)."""
    if not len(records):
        return
    if isinstance(records, np.ndarray):
        yield np.arange(len(records)), records
        return
    widths = np.fromiter(map(len, records), np.int64, len(records))
    for width in np.unique(widths).tolist():
        rows = np.flatnonzero(widths == width)
        joined = b"".join([records[row] for row in rows.tolist()])
        yield rows, np.frombuffer(joined, np.uint8).reshape(len(rows), width)
