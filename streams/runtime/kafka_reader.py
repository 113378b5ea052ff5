"""What a Kafka consumer delivers, as records; and where it stands in each partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

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
        [message.offset() or 0 for message in delivered],
        [message.timestamp()[1] for message in delivered],
        [message.value() or b"" for message in delivered],
        delivered,
        record_of,
    )


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
        self._ended: set[TopicPartition] = set()
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
        before = dict(self.positions)
        ended = self._ended
        found: dict[TopicPartition, list[Delivered]] = {}
        for message in delivered:
            error = message.error()
            if error is not None:
                self._event(message, error)
                continue
            # The client has both for every message.
            partition: TopicPartition = (message.topic(), message.partition())  # type: ignore[assignment]
            if partition in found:
                found[partition].append(message)
            elif partition in before:
                found[partition] = [message]
            if ended:
                ended.discard(partition)
        every = []
        for partition, own in found.items():
            records = columns_of_delivered(partition, own).since(before[partition])
            if records.offsets:
                after = records.offsets[-1] + 1
                self.positions[partition] = max(self.positions[partition], after)
                every.append(records)
        return every

    def _event(self, message: Delivered, error: KafkaError) -> None:
        partition = (message.topic() or "", message.partition() or 0)
        if error.code() != KafkaError._PARTITION_EOF:
            if error.code() not in IGNORED or error.fatal():
                raise mapped(error, f"reading {partition[0] or 'topics'}")
        elif partition in self.positions and partition not in self.paused:
            # Past the marks of transactions, which take offsets and are no records.
            self.positions[partition] = max(self.positions[partition], message.offset() or 0)
            self._ended.add(partition)

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Deliver nothing of these; what their ends are is no longer known."""
        chosen = [partition for partition in partitions if partition in self.positions]
        self._consumer.pause([place(partition) for partition in chosen])
        self.paused.update(chosen)
        self._ended.difference_update(chosen)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Deliver these again."""
        chosen = [partition for partition in partitions if partition in self.paused]
        self._consumer.resume([place(partition) for partition in chosen])
        self.paused.difference_update(chosen)

    def at_end(self, partition: TopicPartition) -> bool:
        """True if the last event of a partition was its end."""
        return partition in self._ended

    def all_ended(self) -> bool:
        """True if every partition is at its end."""
        return self._ended >= self.positions.keys()

    def lag(self) -> dict[TopicPartition, int]:
        """Offsets between position and end, from what the last fetches said."""
        return {partition: self._lag(partition) for partition in self.positions}

    def _lag(self, partition: TopicPartition) -> int:
        if partition in self._ended:
            return 0
        _, high = self._consumer.get_watermark_offsets(place(partition), cached=True)
        return max(0, max(high, self._ends.get(partition, 0)) - self.positions[partition])
