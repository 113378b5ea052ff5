"""What is timed: the CPU of this process, all its threads, over one way of reading a topic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from confluent_kafka import Consumer, TopicPartition

from schemas import topics
from schemas.hot import hot_type
from schemas.predictions import PredictionEvent
from streams.runtime import catalogue
from streams.runtime.clock import SystemClock
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.transport import Message, Transport

BATCH = 5_000
"""Records asked for at once, by the floor as by INGEST."""

_decode = msgspec.json.Decoder(hot_type(PredictionEvent)).decode


class Reader(Protocol):
    """Hands out the values of a topic, batch by batch."""

    def __call__(self) -> Iterable[bytes]: ...


def floor(read: Reader, count: int) -> float:
    """CPU-seconds to read ``count`` predictions and decode them, and nothing else."""
    begun = time.process_time()
    seen = 0
    while seen < count:
        seen += len([_decode(value) for value in read()])
    return time.process_time() - begun


def local_reader(transport: Transport, settings: Settings) -> tuple[Reader, Callable[[], None]]:
    """A reader of the log in memory, and what ends it."""
    follower = transport.tail([settings.topic(topics.PREDICTIONS)], from_beginning=True)

    def read() -> Iterable[bytes]:
        return [record.value or b"" for record in follower.poll(max_records=BATCH, timeout_ms=50)]

    return read, follower.close


def kafka_reader(settings: Settings) -> tuple[Reader, Callable[[], None]]:
    """A reader of the client library alone, set up as the transport sets it up."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap,
            "group.id": "floor",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 50,
            "fetch.min.bytes": 65_536,
            "queued.max.messages.kbytes": 32_768,
        }
    )
    topic = settings.topic(topics.PREDICTIONS)
    consumer.assign([TopicPartition(topic, number, 0) for number in range(settings.shards)])

    def read() -> Iterable[bytes]:
        return [m.value() or b"" for m in consumer.consume(BATCH, 0.05) if m.error() is None]

    return read, consumer.close


def ingest(transport: Transport, settings: Settings, topic: str, count: int) -> float:
    """CPU-seconds of an INGEST worker from its start until it has committed ``count`` records."""
    group = settings.prefix + "kittiwake-ingest"
    partitions = [(settings.topic(topic), number) for number in range(settings.shards)]
    metrics = Metrics("ingest")
    begun = time.process_time()
    worker = IngestWorker(
        transport=transport, settings=settings, clock=SystemClock(), metrics=metrics
    )
    while (metrics.value(catalogue.RECORDS, topic=settings.topic(topic)) or 0) < count:
        worker.step()
    worker.checkpoint()
    spent = time.process_time() - begun
    worker.close()
    committed = sum(offset or 0 for offset in transport.committed(group, partitions).values())
    if committed < count:
        raise RuntimeError(f"{committed} of {count} records of {topic} were committed")
    return spent


def publish(transport: Transport, messages: Iterable[Message]) -> None:
    """Write messages; off the clock."""
    sender = transport.sender()
    for message in messages:
        sender.send(message)
    sender.flush()
    sender.close()
