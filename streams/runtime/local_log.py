"""Topics in the memory of one process, and a reader of them."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.errors import TransportError
from schemas.topics import TopicSpec
from streams.records import Headers, Message, Record, Records, itself
from streams.runtime.partitioner import partition_of
from streams.runtime.transport import TopicPartition

LARGEST_MESSAGE: Final = 1_000_000
"""Bytes; the limit that Kafka clients and brokers start out with."""


@dataclass(slots=True)
class Partition:
    """Records of one partition, also in columns, and the offset after them."""

    topic: str
    number: int
    records: list[Record] = field(default_factory=list)
    offsets: array[int] = field(default_factory=lambda: array("q"))
    timestamps_ms: array[int] = field(default_factory=lambda: array("q"))
    values: list[bytes] = field(default_factory=list)
    end: int = 0

    def add(
        self, time_ms: int, key: bytes | None, value: bytes | None, headers: Headers = ()
    ) -> None:
        """Write a record at the end."""
        self.timestamps_ms.append(time_ms)  # First, for it alone may refuse what it is given.
        self.records.append(Record(self.topic, self.number, self.end, time_ms, key, value, headers))
        self.offsets.append(self.end)
        self.values.append(value or b"")
        self.end += 1

    def since(self, offset: int, count: int) -> Records:
        """At most ``count`` records from an offset on."""
        first = bisect_left(self.offsets, offset)
        found = slice(first, first + count)
        return Records(
            self.topic,
            self.number,
            self.offsets[found],
            self.timestamps_ms[found],
            self.values[found],
            self.records[found],
            itself,
        )


class LocalLog:
    """Topics and group offsets.

    Parameters
    ----------
    clock
        Milliseconds since the epoch, for messages without a time.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._keyless = 0
        self.changed = threading.Condition(threading.RLock())
        self.specs: dict[str, TopicSpec] = {}
        self._partitions: dict[TopicPartition, Partition] = {}
        self._committed: dict[tuple[str, TopicPartition], int] = {}

    def create(self, spec: TopicSpec) -> None:
        """Make an empty topic."""
        self.specs[spec.name] = spec
        for number in range(spec.partitions):
            self._partitions[spec.name, number] = Partition(spec.name, number)

    def partition(self, partition: TopicPartition) -> Partition:
        """A partition's records.

        Raises
        ------
        TransportError
            If there is no such topic or partition.
        """
        found = self._partitions.get(partition)
        if found is None:
            raise TransportError(
                f"no partition {partition[1]} of topic {partition[0]}; create the topic first"
            )
        return found

    def append(self, messages: Sequence[Message]) -> None:
        """Write all messages in one transaction or, if one cannot be written, none."""
        with self.changed:
            placed = [(self._place(message), message) for message in messages]
            for place, message in placed:
                self._write(place, message)
            # The mark of a transaction takes an offset in every partition it wrote to.
            for place in {place for place, _ in placed}:
                self.partition(place).end += 1
            self.changed.notify_all()

    def write(self, message: Message) -> None:
        """Write one message, in no transaction."""
        with self.changed:
            self._write(self._place(message), message)
            self.changed.notify_all()

    def extend(self, topic: str, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Write rows of one topic in order, in no transaction: `write` at a third of its time.

        Parameters
        ----------
        rows
            Of each the time in milliseconds since the epoch, the key and the value.
        """
        with self.changed:
            count = self._count(topic)
            partitions = [self.partition((topic, number)) for number in range(count)]
            for time_ms, key, value in rows:
                _check_size(topic, len(key) + len(value))
                partitions[partition_of(key, count)].add(time_ms, key, value)
            self.changed.notify_all()

    def _place(self, message: Message) -> TopicPartition:
        _check_size(message.topic, len(message.key or b"") + len(message.value or b""))
        number = message.partition
        if number is None:
            count = self._count(message.topic)
            if message.key is None:
                self._keyless += 1
                number = self._keyless % count
            else:
                number = partition_of(message.key, count)
        place = message.topic, number
        self.partition(place)
        return place

    def _count(self, topic: str) -> int:
        spec = self.specs.get(topic)
        return spec.partitions if spec else 1

    def _write(self, place: TopicPartition, message: Message) -> None:
        time_ms = self._clock() if message.timestamp_ms is None else message.timestamp_ms
        self._partitions[place].add(time_ms, message.key, message.value, message.headers)

    def commit_offsets(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Set a group's offsets."""
        self._committed.update({(group, each): offset for each, offset in offsets.items()})

    def committed(
        self, group: str, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int | None]:
        """A group's offsets; None where it has none."""
        return {each: self._committed.get((group, each)) for each in partitions}


def _check_size(topic: str, size: int) -> None:
    if size > LARGEST_MESSAGE:
        raise TransportError(
            f"a message of {size} bytes for {topic} is larger than {LARGEST_MESSAGE};"
            " write it in parts"
        )


class LocalReader:
    """Positions in some partitions of a log.

    Parameters
    ----------
    log
        Where to read.
    starts
        First offset of every partition to read.
    """

    def __init__(self, log: LocalLog, starts: Mapping[TopicPartition, int]) -> None:
        self._log = log
        self.positions = dict(starts)
        self.paused: set[TopicPartition] = set()
        self._ends: dict[TopicPartition, int] = {}

    def take(self, max_records: int) -> list[Records]:
        """The next records of each partition that has some, an equal share of each."""
        every: list[Records] = []
        left = max_records
        active = [each for each in sorted(self.positions) if each not in self.paused]
        for index, each in enumerate(active):
            partition = self._log.partition(each)
            share = -(-left // (len(active) - index))
            taken = partition.since(self.positions[each], share)
            left -= len(taken)
            if len(taken) < share:
                self.positions[each] = partition.end
            elif taken:
                self.positions[each] = taken.offsets[-1] + 1
            if taken:
                every.append(taken)
            self._ends[each] = partition.end
        return every

    def at_end(self, partition: TopicPartition) -> bool:
        """True if the last `take` left nothing."""
        position = self.positions.get(partition)
        active = partition not in self.paused
        return active and position is not None and position == self._ends.get(partition)

    def all_ended(self) -> bool:
        """True if every partition is at its end."""
        return all(self.at_end(each) for each in self.positions)

    def lag(self) -> dict[TopicPartition, int]:
        """Offsets between position and end, as of the last `take`."""
        return {each: max(0, self._ends.get(each, at) - at) for each, at in self.positions.items()}

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Take nothing of these partitions."""
        self.paused.update(each for each in partitions if each in self.positions)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Take these partitions again; whether they are at their end shows at the next take."""
        for each in self.paused.intersection(partitions):
            self.paused.discard(each)
            self._ends.pop(each, None)
