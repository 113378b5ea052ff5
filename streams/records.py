"""Records: what is read from the log and written to it, whatever the log is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

Headers = tuple[tuple[str, bytes], ...]


class Record(NamedTuple):
    """A record as read. A tuple: made once for each event, at a quarter of a dataclass' cost.

    Parameters
    ----------
    offset
        Place in the partition. Offsets grow, but not by one: transactions take offsets too.
    timestamp_ms
        What the producer or the broker stamped, in milliseconds since the epoch.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Records(Sequence[Record]):
    """Records of one partition in columns; a `Record` is made where one is asked for.

    Parameters
    ----------
    offsets, timestamps_ms, values
        Of each record, in order of offset; a value that is missing is empty.
    source, make
        What the log's client delivered for each, and how it becomes a `Record`.

    Examples
    --------
    >>> one = Record("predictions", 0, 7, 1_000, None, b"{}", ())
    >>> (records,) = columns_of([one])
    >>> records.offsets, records.values, records[0] is one
    ([7], [b'{}'], True)
    """

    __slots__ = (
        "_make",
        "_source",
        "_stamps_ms",
        "offsets",
        "partition",
        "timestamps_ms",
        "topic",
        "values",
    )

    def __init__(
        self,
        topic: str,
        partition: int,
        offsets: Sequence[int],
        timestamps_ms: Sequence[int],
        values: list[bytes],
        source: Sequence[Any],
        make: Callable[[Any], Record],
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offsets = offsets
        self.timestamps_ms = timestamps_ms
        self.values = values
        self._source = source
        self._stamps_ms: NDArray[np.int64] | None = None
        self._make = make

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Records: ...
    def __getitem__(self, place: int | slice) -> Record | Records:
        if isinstance(place, int):
            return self._make(self._source[place])
        return Records(
            self.topic,
            self.partition,
            self.offsets[place],
            self.timestamps_ms[place],
            self.values[place],
            self._source[place],
            self._make,
        )

    def each(self) -> list[Record]:
        """All of them."""
        return list(map(self._make, self._source))

    def since(self, offset: int) -> Records:
        """Those at an offset or after it."""
        if not self.offsets or self.offsets[0] >= offset:
            return self
        return self[sum(seen < offset for seen in self.offsets) :]

    @property
    def stamps_ms(self) -> NDArray[np.int64]:
        """``timestamps_ms`` as an array, shape (n,)."""
        if self._stamps_ms is None:
            self._stamps_ms = np.array(self.timestamps_ms, np.int64)
        return self._stamps_ms

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return sum(map(len, self.values))


def columns_of(records: Iterable[Record]) -> list[Records]:
    """Records by topic and partition, in columns, in the order in which each comes first."""
    found: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        found.setdefault((record.topic, record.partition), []).append(record)
    return list(map(in_columns, found.values()))


def in_columns(records: Sequence[Record]) -> Records:
    """Records of one partition, one at least, in columns."""
    return Records(
        records[0].topic,
        records[0].partition,
        [record.offset for record in records],
        [record.timestamp_ms for record in records],
        [record.value or b"" for record in records],
        records,
        itself,
    )


def one_by_one(columns: Iterable[Records]) -> list[Record]:
    """Every record, those of one partition after the other."""
    return list(chain.from_iterable(own.each() for own in columns))


def itself(record: Record) -> Record:
    """How a `Record` is made where there already is one."""
    return record


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be written.

    Parameters
    ----------
    partition
        None lets the key choose, by `partitioner.partition_of`; no key, no promise.
    timestamp_ms
        Milliseconds since the epoch; None stamps the moment of sending.
    """

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: Headers = ()
    timestamp_ms: int | None = None
