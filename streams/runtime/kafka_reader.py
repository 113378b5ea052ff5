"""What a Kafka consumer delivers, as records; and where it stands in each partition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from operator import ne
from typing import Final, cast

import numpy as np
from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError
from confluent_kafka import Message as Delivered
from confluent_kafka import TopicPartition as Place

from streams.records import Record, Records
from streams.runtime.kafka_errors import UNAVAILABLE, mapped, translated
from streams.runtime.transport import TopicPartition

IGNORED: Final = UNAVAILABLE | {KafkaError._UNKNOWN_BROKER, KafkaError.NOT_COORDINATOR}
"""The consumer connects again by itself."""


def place(partition: TopicPartition, offset: int = OFFSET_INVALID) -> Place:
    """The client's object for a partition, with an offset."""
    topic, number = partition
    return Place(topic, number, offset)


def record_of(delivered: Delivered) -> Record:
    """A delivered message as a record."""
    headers = delivered.headers() or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Record(
        delivered.topic() or "",
        delivered.partition() or 0,
        delivered.offset() or 0,
        delivered.timestamp()[1],
        delivered.key(),
        delivered.value(),
        tuple((name, _octets(value)) for name, value in pairs) if pairs else (),
    )


def columns_of_delivered(partition: TopicPartition, delivered: list[Delivered]) -> Records:
    """Delivered messages of one partition as records in columns."""
    topic, number = partition
    return Records(
        topic,
        number,
        list(map(_offset, delivered)),
        [message.timestamp()[1] for message in delivered],
        [message.value() or b"" for message in delivered],
        delivered,
        record_of,
    )


def _by_partition(messages: Sequence[Delivered]) -> dict[TopicPartition, list[Delivered]]:
    """Messages of each partition, in their order. They come in runs, which are cut out at once."""
    numbers = np.fromiter(map(Delivered.partition, messages), np.int64, len(messages))
    topics = list(map(Delivered.topic, messages))
    begins = np.diff(numbers, prepend=-1) != 0
    if topics.count(topics[0]) < len(topics):
        begins[1:] |= np.fromiter(map(ne, topics, topics[1:]), np.bool_, len(topics) - 1)
    found: dict[TopicPartition, list[Delivered]] = {}
    for start, end in pairwise([*np.flatnonzero(begins).tolist(), len(messages)]):
        found.setdefault(_partition_of(messages[start]), []).extend(messages[start:end])
    return found


def _partition_of(message: Delivered) -> TopicPartition:
    # The client has both for every message.
    return message.topic() or "", message.partition() or 0


def _is_end(event: Delivered) -> bool:
    """Whether an event says that a partition has been read to its end; raises what the consumer
    does not get over by itself."""
    error = cast(KafkaError, event.error())
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    if error.code() not in IGNORED or error.fatal():
        raise mapped(error, f"reading {event.topic() or 'topics'}")
    return False


_offset = cast(Callable[[Delivered], int], Delivered.offset)
"""The client has one for every message."""


def _octets(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


class Reader:
    """Positions of an assigned consumer.

    The positions are our own: the consumer's stored offsets move on events that deliver nothing.

    Parameters
    ----------
    consumer
        A consumer with ``enable.partition.eof``.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.positions: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self._ended: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    def start(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> None:
        """Assign partitions at their first offsets; ``ends`` are the ends known by now."""
        self._consumer.assign([place(partition, offset) for partition, offset in starts.items()])
        self.positions = dict(starts)
        self._ends = dict(ends)
        self._ended.clear()
        self.paused.clear()

    def stop(self) -> None:
        """Give back all partitions; an empty assignment instead would hold up the group."""
        self._consumer.unassign()
        self.positions = {}
        self._ended.clear()
        self.paused.clear()

    def poll(self, *, max_records: int, timeout_ms: int) -> list[Records]:
        """The next records of the partitions assigned, in columns by partition."""
        with translated("reading"):
            delivered = self._consumer.consume(max_records, timeout_ms / 1_000)
        return self.accept(delivered)

    def accept(self, delivered: Iterable[Delivered]) -> list[Records]:
        """Records of deliveries; those of a partition given away meanwhile are dropped."""
        messages = list(delivered)
        events = [message for message in messages if message.error() is not None]
        if events:
            messages = [message for message in messages if message.error() is None]
        ends = list(filter(_is_end, events))
        every = []
        for partition, own in _by_partition(messages).items() if messages else ():
            if partition in self.positions:
                records = columns_of_delivered(partition, own).since(self.positions[partition])
                if records.offsets:
                    self.positions[partition] = records.offsets[-1] + 1
                    every.append(records)
        for message in ends:
            self._end(_partition_of(message), message.offset() or 0)
        return every

    def _end(self, partition: TopicPartition, offset: int) -> None:
        if partition in self.positions and partition not in self.paused:
            # Past the marks of transactions, which take offsets and are no records.
            self.positions[partition] = max(self.positions[partition], offset)
            self._ended[partition] = offset

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Deliver nothing of these; what their ends are is no longer known."""
        chosen = [partition for partition in partitions if partition in self.positions]
        self._consumer.pause([place(partition) for partition in chosen])
        self.paused.update(chosen)
        for partition in chosen:
            self._ended.pop(partition, None)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Deliver these again."""
        chosen = [partition for partition in partitions if partition in self.paused]
        self._consumer.resume([place(partition) for partition in chosen])
        self.paused.difference_update(chosen)

    def at_end(self, partition: TopicPartition) -> bool:
        """True if a partition was read to its end, and nothing has come since."""
        return self._ended.get(partition, -1) >= self.positions.get(partition, 0)

    def all_ended(self) -> bool:
        """True if every partition is at its end."""
        return all(map(self.at_end, self.positions))

    def lag(self) -> dict[TopicPartition, int]:
        """Offsets between position and end, from what the last fetches said."""
        return {partition: self._lag(partition) for partition in self.positions}

    def _lag(self, partition: TopicPartition) -> int:
        if self.at_end(partition):
            return 0
        _, high = self._consumer.get_watermark_offsets(place(partition), cached=True)
        return max(0, max(high, self._ends.get(partition, 0)) - self.positions[partition])
