"""What is timed: the CPU of this process, all its threads, over one way of reading a topic."""

from __future__ import annotations

import gc
import time
from collections.abc import Generator, Iterable, Mapping, Sequence

import msgspec
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as Place

from schemas import topics
from schemas.hot import hot_type
from schemas.predictions import PredictionEvent
from streams.records import Message
from streams.runtime import catalogue, malloc
from streams.runtime.clock import SystemClock
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.kafka import FETCH_AGAIN_MS, FETCH_BYTES, FETCHED_KB, FETCHED_RECORDS
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.transport import TopicPartition, Transport

BATCH = 5_000
"""Records that the floor asks for at once; with twice as many it is no faster."""

_decode = msgspec.json.Decoder(hot_type(PredictionEvent)).decode


Values = Generator[list[bytes], None, None]
"""Values of the predictions topic from its start, batch by batch, without end."""


def floor(values: Values, count: int) -> float:
    """CPU-seconds to read ``count`` predictions and decode them, and nothing else.

    ``values`` must not have been started: a consumer fetches ahead from its first moment.
    """
    begun = started()
    seen = 0
    while seen < count:
        seen += len([_decode(value) for value in next(values)])
    return time.process_time() - begun


def in_memory(transport: Transport, settings: Settings) -> Values:
    """From the log in memory."""
    follower = transport.tail([settings.topic(topics.PREDICTIONS)], from_beginning=True)
    while True:
        records = follower.poll(max_records=BATCH, timeout_ms=50)
        yield [record.value or b"" for record in records]


def in_kafka(settings: Settings) -> Values:
    """From the client library alone, set up as the transport sets it up."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap,
            "group.id": "floor",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 50,
            "fetch.min.bytes": 65_536,
            "queued.min.messages": FETCHED_RECORDS,
            "queued.max.messages.kbytes": FETCHED_KB,
            "fetch.queue.backoff.ms": FETCH_AGAIN_MS,
            "fetch.max.bytes": FETCH_BYTES,
        }
    )
    topic = settings.topic(topics.PREDICTIONS)
    consumer.assign([Place(topic, number, 0) for number in range(settings.shards)])
    try:
        while True:
            delivered = consumer.consume(BATCH, 0.05)
            yield [message.value() or b"" for message in delivered if message.error() is None]
    finally:
        consumer.close()


class TimedWorker(IngestWorker):
    """An INGEST worker that knows when its last restore was done: it has fetched nothing then."""

    begun = 0.0

    def assigned(
        self,
        partitions: Sequence[TopicPartition],
        committed: Mapping[TopicPartition, int | None],
    ) -> Mapping[TopicPartition, int]:
        """Restore, then start the clock."""
        starts = super().assigned(partitions, committed)
        self.begun = started()
        return starts


def ingest(transport: Transport, settings: Settings, topic: str, count: int) -> float:
    """CPU-seconds of an INGEST worker, once restored, until it has committed ``count`` records."""
    group = settings.prefix + "kittiwake-ingest"
    partitions = [(settings.topic(topic), number) for number in range(settings.shards)]
    metrics = Metrics("ingest")
    worker = TimedWorker(
        transport=transport, settings=settings, clock=SystemClock(), metrics=metrics
    )
    while (metrics.value(catalogue.RECORDS, topic=settings.topic(topic)) or 0) < count:
        worker.step()
    worker.checkpoint()
    spent = time.process_time() - worker.begun
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


def started() -> float:
    """The clock; what was there before is where the collector does not look, and the heap is bound
    as `kittiwake ingest` binds it, also for the floor."""
    malloc.bound()
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return time.process_time()
