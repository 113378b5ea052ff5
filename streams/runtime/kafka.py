"""The log on Apache Kafka."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient

from schemas.errors import Retriable
from schemas.topics import TopicSpec
from streams.records import Record, one_by_one
from streams.runtime import kafka_topics
from streams.runtime.kafka_errors import mapped, translated
from streams.runtime.kafka_member import KafkaMember, committed_offsets
from streams.runtime.kafka_reader import IGNORED, Reader, place, record_of
from streams.runtime.kafka_sender import KafkaSender
from streams.runtime.partitioner import PARTITIONER
from streams.runtime.transport import Rebalance, TopicPartition, check_topics

LOG: Final = logging.getLogger("kittiwake.kafka")
EOF: Final = KafkaError._PARTITION_EOF
READ_BATCH: Final = 5_000
READ_WAIT_S: Final = 0.05
"""`consume` waits for a full batch or this long, even at the end of the log."""

FETCHED_RECORDS: Final = 20_000
"""With so many fetched ahead a consumer asks for no more; each costs some 400 bytes of overhead."""

FETCHED_KB: Final = 16_384
"""The same in KiB of keys and values, for larger records."""

FETCH_BYTES: Final = 2 << 20
"""Most bytes in one answer of a broker, compressed."""

FETCH_AGAIN_MS: Final = 10
"""A full queue is looked at again after this long; less than it takes to work through it."""

SENDING_KB: Final = 65_536
"""Bound of what a producer has not delivered yet, in KiB; who writes more waits."""

Settings = dict[str, str | int | float | bool]


class KafkaFollower:
    """The `transport.Follower` of a Kafka consumer."""

    def __init__(self, consumer: Consumer, starts: Mapping[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._reader = Reader(consumer)
        self._reader.start(starts, {})

    def poll(self, *, max_records: int, timeout_ms: int) -> list[Record]:
        """The next committed records."""
        return one_by_one(self._reader.poll(max_records=max_records, timeout_ms=timeout_ms))

    def at_end(self) -> bool:
        """True if every committed record was delivered."""
        return self._reader.all_ended()

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of every partition."""
        return dict(self._reader.positions)

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()


class KafkaTransport:
    """The `transport.Transport` of a Kafka cluster.

    Parameters
    ----------
    bootstrap
        Brokers to ask first, as ``host:port,host:port``.
    settings
        More settings of librdkafka for every client, such as ``security.protocol``.
    session_timeout_ms
        A silent process loses its partitions after this long.
    max_poll_interval_ms
        A member that does not poll loses its partitions after this long.
    transaction_timeout_ms
        A transaction that its process left open is aborted after this long; until then it holds
        up readers. Longer than any commit takes.
    timeout_ms
        Longest wait for the brokers in any call but a poll.
    replication
        Replicas of topics made here; -1 for the cluster's default.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        settings: Mapping[str, str | int | bool] | None = None,
        session_timeout_ms: int = 10_000,
        max_poll_interval_ms: int = 300_000,
        transaction_timeout_ms: int = 15_000,
        timeout_ms: int = 30_000,
        replication: int = -1,
    ) -> None:
        self._settings: Settings = {
            "bootstrap.servers": bootstrap,
            **(settings or {}),
        }
        self._session_timeout_ms = session_timeout_ms
        self._max_poll_interval_ms = max_poll_interval_ms
        self._transaction_timeout_ms = transaction_timeout_ms
        self._timeout_ms = timeout_ms
        self._replication = replication
        self._admin = AdminClient(self._settings, logger=LOG)

    def reach(self, *, timeout_ms: int) -> None:
        """Wait until a broker answers.

        Raises
        ------
        BrokerUnavailable
            If none does in time.
        """
        kafka_topics.partition_counts(self._admin, timeout_ms=timeout_ms)

    def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Create the topics that do not exist and check those that do."""
        kafka_topics.ensure_topics(
            self._admin, topics, replication=self._replication, timeout_ms=self._timeout_ms
        )

    def _counts(self, topics: Sequence[str]) -> dict[str, int | None]:
        there = kafka_topics.partition_counts(self._admin, timeout_ms=self._timeout_ms)
        return {topic: there.get(topic) for topic in topics}

    def partition_count(self, topic: str) -> int | None:
        """Number of partitions; None if there is no such topic."""
        return self._counts([topic])[topic]

    def member(
        self,
        *,
        group: str,
        topics: Sequence[str],
        rebalance: Rebalance,
        transactional_id: str,
        co_partitioned: bool = True,
    ) -> KafkaMember:
        """Join a group."""
        check_topics(self._counts(topics), co_partitioned=co_partitioned)
        extra: Settings = {
            # Range gives partition p of every topic to one member; the sticky ones do not.
            "partition.assignment.strategy": "range",
            "session.timeout.ms": self._session_timeout_ms,
            "heartbeat.interval.ms": min(3_000, self._session_timeout_ms // 3),
            "max.poll.interval.ms": self._max_poll_interval_ms,
            # Static membership: who died and comes again need not wait for its own session to end.
            "group.instance.id": transactional_id,
        }
        return KafkaMember(
            self._consumer(group, extra),
            lambda: self._producer(
                {
                    "transactional.id": transactional_id,
                    "transaction.timeout.ms": self._transaction_timeout_ms,
                }
            ),
            topics=topics,
            rebalance=rebalance,
            timeout_ms=self._timeout_ms,
        )

    def sender(self) -> KafkaSender:
        """A plain idempotent producer."""
        return KafkaSender(self._producer({"linger.ms": 5}), timeout_ms=self._timeout_ms)

    def read(self, topic: str, partition: int, *, start: int = 0) -> Iterator[Record]:
        """Every committed record of what is in the log now."""
        # The end with open transactions: a commit that shows in the group's offsets may still be
        # missing its mark here, and the last stable offset would then stop short of it.
        every = {"isolation.level": "read_uncommitted"}
        beginning, stop = self._ends([(topic, partition)], every)[topic, partition]
        first = max(start, beginning)
        return self._read((topic, partition), first, stop) if first < stop else iter(())

    def _read(self, partition: TopicPartition, first: int, stop: int) -> Iterator[Record]:
        with self._passing("kittiwake-reader") as consumer:
            consumer.assign([place(partition, first)])
            heard = time.monotonic()
            while True:
                with translated(f"reading {partition[0]}"):
                    delivered = consumer.consume(READ_BATCH, READ_WAIT_S)
                for message in delivered:
                    error, offset = message.error(), message.offset() or 0
                    if error is None and offset < stop:
                        yield record_of(message)
                    elif error is None or (error.code() == EOF and offset >= stop):
                        return
                    elif error.code() != EOF and error.code() not in IGNORED:
                        raise mapped(error, f"reading {partition[0]}")
                now = time.monotonic()
                if any(message.error() is None for message in delivered):
                    heard = now
                elif now - heard > self._timeout_ms / 1_000:
                    raise Retriable(
                        f"reading {partition[0]}[{partition[1]}] to offset {stop}: nothing came for"
                        f" {self._timeout_ms} ms; a transaction is open there, or no broker answers"
                    )

    def beginning_offset(self, topic: str, partition: int) -> int:
        """The first offset still in the log."""
        return self._ends([(topic, partition)])[topic, partition][0]

    def end_offset(self, topic: str, partition: int) -> int:
        """The offset after the last committed record."""
        return self._ends([(topic, partition)])[topic, partition][1]

    def _ends(
        self, partitions: Sequence[TopicPartition], extra: Mapping[str, str] | None = None
    ) -> dict[TopicPartition, tuple[int, int]]:
        with self._passing("kittiwake-reader", extra) as consumer:
            return kafka_topics.ends(consumer, partitions, timeout_ms=self._timeout_ms)

    def committed(
        self, group: str, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int | None]:
        """A group's offsets, after every pending commit has been decided."""
        with self._passing(group) as consumer:
            return committed_offsets(consumer, partitions, timeout_ms=self._timeout_ms)

    def tail(self, topics: Sequence[str], *, from_beginning: bool = False) -> KafkaFollower:
        """Follow topics, from their start or from now."""
        counts = self._counts(topics)
        check_topics(counts, co_partitioned=False)
        partitions = [(topic, p) for topic, count in counts.items() for p in range(count or 0)]
        found = self._ends(partitions)
        starts = {each: ends[0 if from_beginning else 1] for each, ends in found.items()}
        return KafkaFollower(self._consumer("kittiwake-follower"), starts)

    def close(self) -> None:
        """Nothing to free: members, senders and followers belong to those who asked for them."""

    @contextmanager
    def _passing(self, group: str, extra: Mapping[str, str] | None = None) -> Iterator[Consumer]:
        """A consumer for one question: one that is kept but not polled would pile up its logs."""
        consumer = self._consumer(group, extra)
        try:
            yield consumer
        finally:
            consumer.close()

    def _consumer(self, group: str, extra: Mapping[str, str | float] | None = None) -> Consumer:
        return Consumer(
            {
                **self._settings,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                # Where to start is decided here, never by the client.
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "fetch.min.bytes": 65_536,
                # One queue for all partitions of a consumer; it may be overrun by one fetch of
                # each broker.
                "queued.min.messages": FETCHED_RECORDS,
                "queued.max.messages.kbytes": FETCHED_KB,
                "fetch.queue.backoff.ms": FETCH_AGAIN_MS,
                "fetch.max.bytes": FETCH_BYTES,
                **(extra or {}),
            },
            logger=LOG,
        )

    def _producer(self, extra: Settings) -> Producer:
        return Producer(
            {
                **self._settings,
                "enable.idempotence": True,
                "partitioner": PARTITIONER,
                "compression.type": "lz4",
                "queue.buffering.max.kbytes": SENDING_KB,
                **extra,
            },
            logger=LOG,
        )
