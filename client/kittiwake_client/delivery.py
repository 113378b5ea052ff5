"""Messages on their way to the broker: bounded, counted, and delivered in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from kittiwake_client.events import Headers

POLL_S = 0.1

logger = logging.getLogger("kittiwake_client")


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of the events so far.

    ``queued`` wait for the broker now; ``delivered`` were acknowledged by it; ``failed`` were
    given up after ``delivery_timeout_ms`` or at the end; ``dropped`` never entered the queue,
    because it was full. ``last_error`` is the broker's last complaint.
    """

    queued: int
    queued_bytes: int
    delivered: int
    failed: int
    dropped: int
    last_error: str


class Delivery:
    """A bounded queue of messages, and the thread that delivers them.

    Parameters
    ----------
    between
        Called by the thread about every tenth of a second.

    The others are those of `Publisher`.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        max_events: int,
        max_bytes: int,
        delivery_timeout_ms: int,
        config: Mapping[str, str | int | float | bool],
        between: Callable[[], None],
    ) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._between = between
        self._lock = threading.Lock()
        self._queued = self._queued_bytes = 0
        self._delivered = self._failed = self._dropped = 0
        self._last_error = ""
        self._partitions: dict[str, int] = {}
        self._closed = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                # Java's partitioner: INGEST expects a key on the partition that Java would choose.
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "delivery.timeout.ms": delivery_timeout_ms,
                "linger.ms": 20,
                "compression.type": "lz4",
                # Our own bounds come first; librdkafka's must not be the tighter ones.
                "queue.buffering.max.messages": max_events + 1_000,
                "queue.buffering.max.kbytes": max_bytes // 1024 * 2 + 1024,
                "error_cb": self._on_error,
                "logger": logger,
                **config,
            }
        )
        self._thread = threading.Thread(target=self._deliver, name="kittiwake-client", daemon=True)
        self._thread.start()

    def put(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        attributes: Headers,
        partition: int,
        *,
        events: int = 1,
    ) -> bool:
        """Queue a message of so many events; False if it was dropped.

        Without a partition, which is -1, the key chooses.
        """
        size = len(value)
        with self._lock:
            full = (
                self._closed.is_set()
                or self._queued + events > self._max_events
                or self._queued_bytes + size > self._max_bytes
            )
            if full:
                self._dropped += events
                return False
            self._queued += events
            self._queued_bytes += size
        try:
            self._producer.produce(
                topic,
                value,
                key,
                partition,
                headers=attributes,
                on_delivery=self._on_delivery
                if events == 1
                else partial(self._on_delivery, events=events),
            )
        except (BufferError, KafkaException) as error:
            with self._lock:
                self._queued -= events
                self._queued_bytes -= size
                self._dropped += events
                self._last_error = str(error)
            return False
        return True

    def reserve(self, room: bool) -> bool:
        """Take a place for an event that is held back; without room, there or here, it drops."""
        with self._lock:
            full = not room or self._closed.is_set() or self._queued >= self._max_events
            self._dropped += full
            self._queued += not full
        return not full

    def settle(self, *, queued: int = 0, failed: int = 0, dropped: int = 0) -> None:
        """Correct the counts of what is queued, failed and dropped."""
        with self._lock:
            self._queued += queued
            self._failed += failed
            self._dropped += dropped

    def partition_count(self, topic: str, timeout_s: float) -> int:
        """Partitions of a topic, asked for once; 0 if no broker said in time."""
        if topic not in self._partitions:
            try:
                found = self._producer.list_topics(topic, timeout_s).topics[topic]
            except KafkaException as error:
                self._on_error(error.args[0])
                return 0
            if found.error is None and found.partitions:
                self._partitions[topic] = len(found.partitions)
        return self._partitions.get(topic, 0)

    def stats(self) -> Stats:
        """What became of the events so far."""
        with self._lock:
            return Stats(
                queued=self._queued,
                queued_bytes=self._queued_bytes,
                delivered=self._delivered,
                failed=self._failed,
                dropped=self._dropped,
                last_error=self._last_error,
            )

    def flush(self, timeout_s: float) -> None:
        """Wait until all is delivered, at most ``timeout_s``."""
        self._producer.flush(timeout_s)

    @property
    def closed(self) -> bool:
        """Whether nothing is taken any more."""
        return self._closed.is_set()

    def stop(self) -> None:
        """Take nothing more, and end the thread."""
        self._closed.set()
        self._thread.join()

    def drain(self, timeout_s: float) -> None:
        """Deliver what waits, for at most ``timeout_s``; the rest fails."""
        if self._producer.flush(timeout_s):
            self._producer.purge()
            self._producer.flush(1.0)

    def _on_delivery(self, error: KafkaError | None, message: Message, events: int = 1) -> None:
        with self._lock:
            self._queued -= events
            self._queued_bytes -= len(message)
            if error is None:
                self._delivered += events
            else:
                self._failed += events
                self._last_error = error.str()

    def _on_error(self, error: KafkaError) -> None:
        with self._lock:
            self._last_error = error.str()

    def _deliver(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(POLL_S)
            self._between()
