"""The pages that there are, the hour in which each lapses, and how many predictions wait.

A row's address is the number of its page and its place in it. Numbers of pages that have
lapsed are given out again only after the hash index has forgotten their rows.
"""

from __future__ import annotations

import numpy as np

from detectors.summary import Ints
from schemas.errors import ConfigurationError
from streams.ingest.decode.rows import Bools
from streams.ingest.store.hash_index import ADDRESS_BITS
from streams.ingest.store.pages import ROW_BITS, ROWS
from streams.ingest.store.tables import page_keys

MOST = 1 << (ADDRESS_BITS - ROW_BITS)
"""Numbers of pages are from 1 to below this."""

_NONE = -1


class PageTable:
    """Pages by number; ``rows_by_hour`` counts predictions, however often they have changed."""

    def __init__(self) -> None:
        self._hours = np.full(1_024, _NONE, np.int32)
        self._rows = np.zeros(1_024, np.uint8)
        self._next = 1
        self._free: list[int] = []
        self._lapsed: list[int] = []
        self.rows_by_hour: dict[int, int] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the table."""
        return self._hours.nbytes + self._rows.nbytes

    def exhausted(self, count: int) -> bool:
        """Whether so many new pages take numbers that lapsed pages had, if any has lapsed."""
        return bool(self._lapsed) and self._next + count - len(self._free) > MOST

    def add(self, hour: int, count: int) -> Ints:
        """Numbers of new pages that lapse in an hour.

        Raises
        ------
        ConfigurationError
            If there are none left.
        """
        again = [self._free.pop() for _ in range(min(count, len(self._free)))]
        fresh = count - len(again)
        if self._next + fresh > MOST:
            raise ConfigurationError(
                f"more than {MOST * ROWS:,} predictions and labels are kept in one shard; "
                "use more shards, a shorter labels.horizon, or join.sample"
            )
        numbers = np.array([*again, *range(self._next, self._next + fresh)], np.int64)
        self._next += fresh
        self._reach(self._next)
        self._hours[numbers] = hour
        self._rows[numbers] = 0
        return numbers

    def load(self, hours: Ints, numbers: Ints, rows: Ints, replacing: Bools) -> None:
        """Take over pages as they were; ``replacing`` tells which have rows that replace others."""
        self._next = int(numbers.max(initial=0)) + 1
        self._reach(self._next)
        self._hours[numbers], self._rows[numbers] = hours, rows
        self._free = (np.flatnonzero(self._hours[1 : self._next] == _NONE) + 1).tolist()
        each, places = np.unique(hours, return_inverse=True)
        counts = np.bincount(places, np.where(replacing, 0, rows)).astype(np.int64)
        self.rows_by_hour = dict(zip(each.tolist(), counts.tolist(), strict=True))

    def expect(self, hour: int, count: int) -> None:
        """Count predictions that lapse in an hour."""
        self.rows_by_hour[hour] = self.rows_by_hour.get(hour, 0) + count

    def grow(self, numbers: Ints, rows: Ints) -> None:
        """Take note of rows that came to pages, shape (n,)."""
        self._rows[numbers] += rows.astype(np.uint8)

    def size(self, number: int) -> int:
        """Rows of a page."""
        return int(self._rows[number])

    def hours(self, numbers: Ints) -> Ints:
        """The hour in which each page lapses, shape kept."""
        hours: Ints = self._hours[numbers].astype(np.int64)
        return hours

    def alive(self, addresses: Ints) -> Bools:
        """Which addresses are those of rows that have not lapsed, shape kept."""
        numbers = addresses >> ROW_BITS
        return np.asarray(
            (self._hours[numbers] != _NONE) & (addresses & (ROWS - 1) < self._rows[numbers])
        )

    def drop(self, before: int) -> int:
        """Let go of all hours before one; the number of rows that lapse."""
        lapsed = [hour for hour in self.rows_by_hour if hour < before]
        if lapsed:
            hours = self._hours[: self._next]
            numbers = np.flatnonzero((hours != _NONE) & (hours < before))
            self._hours[numbers] = _NONE
            self._lapsed += numbers.tolist()
        return sum(self.rows_by_hour.pop(hour) for hour in lapsed)

    def recycle(self) -> None:
        """Say that nobody remembers pages that have lapsed."""
        self._free += self._lapsed
        self._lapsed = []

    def keys(self, numbers: Ints) -> list[bytes]:
        """Keys of pages, shape (n,)."""
        return page_keys(self.hours(numbers), numbers)

    def _reach(self, size: int) -> None:
        if size > len(self._hours):
            more = max(size, 2 * len(self._hours)) - len(self._hours)
            self._hours = np.concatenate((self._hours, np.full(more, _NONE, np.int32)))
            self._rows = np.concatenate((self._rows, np.zeros(more, np.uint8)))
