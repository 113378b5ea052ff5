"""Origins: which record held each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from detectors.summary import Ints
from schemas.dead_letters import DeadLetter, Reason
from schemas.hot import rows
from streams.dead_letters import dead_letter
from streams.ingest.decode.one_by_one import is_batch
from streams.records import Record, Records


@dataclass(frozen=True, slots=True)
class Origins:
    """Row i of n is the one of index ``indices[i]`` in ``records[places[i]]``; shape (n,), in
    ascending order."""

    records: Records
    places: Ints
    indices: Ints

    @classmethod
    def none(cls, n: int) -> Self:
        """Of rows that no record held."""
        records = Records("", 0, list(range(n)), [0] * n, [b""] * n, (), lambda record: record)
        return cls(records, np.arange(n), np.zeros(n, np.int64))

    @classmethod
    def together(cls, parts: Sequence[Origins]) -> Origins:
        """Of rows of the same records, one part after the other."""
        if len(parts) == 1:
            return parts[0]
        places = np.concatenate([part.places for part in parts])
        return cls(parts[0].records, places, np.concatenate([part.indices for part in parts]))

    def __len__(self) -> int:
        return len(self.places)

    def take(self, chosen: Ints) -> Origins:
        """Those of some of the rows."""
        return Origins(self.records, self.places[chosen], self.indices[chosen])

    def stamps_ms(self) -> Ints:
        """The broker's time of each row's record, shape (n,)."""
        stamps_ms: Ints = self.records.stamps_ms[self.places]
        return stamps_ms

    def record(self, row: int) -> Record:
        """The record that held a row."""
        return self.records[int(self.places[row])]

    def index(self, row: int) -> int:
        """Place of a row inside of its record."""
        return int(self.indices[row])

    def value(self, row: int) -> bytes:
        """The bytes of a row; of a batch, those of the row alone."""
        value = self.records.values[int(self.places[row])]
        return rows(value)[self.index(row)] if is_batch(value) else value

    def refused(self, row: int, reason: Reason, message: str, *, field: str) -> DeadLetter:
        """A dead letter for one row alone."""
        value = self.value(row)
        record, index = self.record(row), self.index(row)
        return dead_letter(record, reason, message, row=index, field=field, value=value)
