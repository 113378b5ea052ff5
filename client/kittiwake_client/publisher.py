"""Publish events from inside a model service, without ever holding it up."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from kittiwake_client.events import Headers, encode, headers, rfc3339
from kittiwake_client.kinds import (
    DEPLOYMENT,
    EXECUTED,
    FEEDBACK,
    FEEDBACK_EVENT,
    HEARTBEAT_TYPE,
    PREDICTION,
    PREDICTIONS,
    Kind,
)
from kittiwake_client.received import RollbackRequest

_POLL_S = 0.1

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


class Publisher:
    """Queue events and deliver them in the background.

    A call returns at once: it never waits for the broker. The queue is bounded by count and by
    bytes; when it is full the newest event is dropped and counted. Events of one prediction keep
    their order. Make one publisher for each process, after any fork.

    Parameters
    ----------
    bootstrap
        Brokers as ``host:port``, separated by commas.
    source
        Who publishes, as the CloudEvents source, such as the service's name.
    prefix
        In front of every topic name.
    max_events, max_bytes
        Bounds of the queue; ``max_bytes`` counts the bodies.
    delivery_timeout_ms
        An event that the broker has not taken by then is given up and counted as failed.
    close_timeout_s
        How long `close` waits for the broker to take what is queued.
    config
        More settings of librdkafka, such as those for TLS and SASL.

    Raises
    ------
    InvalidEvent
        By the methods for an event whose required fields are missing or wrong: a mistake of the
        caller's code, whatever the broker does.

    Examples
    --------
    >>> with Publisher("localhost:1", max_events=1, close_timeout_s=0) as publisher:
    ...     event = {"model": "fraud", "version": "v1", "output": {"score": 0.93}}
    ...     publisher.prediction(event, prediction_id="p1")
    ...     publisher.prediction(event, prediction_id="p2")
    True
    False
    >>> publisher.stats().dropped, publisher.stats().failed
    (1, 1)
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        source: str = "kittiwake-client",
        prefix: str = "",
        max_events: int = 100_000,
        max_bytes: int = 64 * 1024 * 1024,
        delivery_timeout_ms: int = 120_000,
        close_timeout_s: float = 10.0,
        config: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        self._source = source
        self._prefix = prefix
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._close_timeout_s = close_timeout_s
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
                **(config or {}),
            }
        )
        self._thread = threading.Thread(target=self._deliver, name="kittiwake-client", daemon=True)
        self._thread.start()

    def prediction(self, event: Mapping[str, object] | None = None, /, **fields: object) -> bool:
        """Queue a prediction event; False if it was dropped.

        Needed: ``prediction_id``, ``model``, ``version``, ``output``. ``time`` is now if left out.
        A shadow (``arm="shadow"``) gives the ``prediction_id`` of the answer that was served as
        ``pair_id``, and its ``time``.
        """
        return self._event(PREDICTION, event, fields)

    def feedback(self, event: Mapping[str, object] | None = None, /, **fields: object) -> bool:
        """Queue a feedback event; False if it was dropped.

        Needed: ``prediction_id``, ``model`` and what is known, such as ``label``.
        """
        return self._event(FEEDBACK_EVENT, event, fields)

    def deployment(self, event: Mapping[str, object] | None = None, /, **fields: object) -> bool:
        """Queue a deployment event; False if it was dropped.

        Needed: ``model``, ``version``, ``action``.
        """
        return self._event(DEPLOYMENT, event, fields)

    def executed(
        self,
        request: RollbackRequest,
        outcome: Literal["applied", "failed", "refused"],
        *,
        executor: str,
        generation: int | None = None,
        detail: str = "",
    ) -> bool:
        """Queue the acknowledgement of a rollback; False if it was dropped.

        Parameters
        ----------
        outcome
            ``applied`` once the target version was read back as serving, ``refused`` if the
            request was stale, else ``failed``.
        executor
            Who did it.
        generation
            That of the deployment afterwards, where it has one.
        """
        return self._event(
            EXECUTED,
            None,
            {
                "kind": "executed",
                "id": f"executed/{request.idempotency_key}",
                "model": request.model,
                "by": self._source,
                "rollback_id": request.rollback_id,
                "idempotency_key": request.idempotency_key,
                "executor": executor,
                "outcome": outcome,
                "generation": generation,
                "detail": detail[:2_000],
            },
        )

    def heartbeat(self, time_ms: int, *, timeout_s: float = 5.0) -> bool:
        """Say that no event before ``time_ms`` will follow, so that windows close without traffic.

        It goes to every partition of predictions and feedback. It asks the broker for their
        number, the first time, for up to ``timeout_s``: call it from a timer, not from a request.
        False if that failed or the queue is full.
        """
        value = json.dumps({"time": time_ms}, separators=(",", ":")).encode()
        queued = True
        for name in (PREDICTIONS, FEEDBACK):
            topic = self._prefix + name
            for partition in range(self._partition_count(topic, timeout_s)):
                attributes = headers(
                    event_type=HEARTBEAT_TYPE,
                    event_id=f"heartbeat/{name}/{partition}/{time_ms}",
                    source=self._source,
                    time=rfc3339(time_ms),
                )
                queued &= self._queue(topic, None, value, attributes, partition)
            queued &= self._partitions.get(topic, 0) > 0
        return queued

    def flush(self, timeout_s: float) -> int:
        """Wait until the queue is empty, at most ``timeout_s``; return how many still wait."""
        self._producer.flush(timeout_s)
        return self.stats().queued

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

    def close(self) -> None:
        """Deliver what waits, for at most ``close_timeout_s``; the rest counts as failed."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._thread.join()
        if self._producer.flush(self._close_timeout_s):
            self._producer.purge()
            self._producer.flush(1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _event(
        self, kind: Kind, event: Mapping[str, object] | None, fields: Mapping[str, object]
    ) -> bool:
        whole = {**event, **fields} if event else fields
        encoded = encode(kind, whole, source=self._source, now_ms=time.time_ns() // 1_000_000)
        topic = self._prefix + encoded.topic
        return self._queue(topic, encoded.key, encoded.value, encoded.headers, -1)

    def _queue(
        self, topic: str, key: bytes | None, value: bytes, attributes: Headers, partition: int
    ) -> bool:
        size = len(value)
        with self._lock:
            full = (
                self._closed.is_set()
                or self._queued >= self._max_events
                or self._queued_bytes + size > self._max_bytes
            )
            if full:
                self._dropped += 1
                return False
            self._queued += 1
            self._queued_bytes += size
        try:
            self._producer.produce(
                topic,
                value,
                key,
                partition,
                headers=attributes,
                on_delivery=self._on_delivery,
            )
        except (BufferError, KafkaException) as error:
            with self._lock:
                self._queued -= 1
                self._queued_bytes -= size
                self._dropped += 1
                self._last_error = str(error)
            return False
        return True

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        with self._lock:
            self._queued -= 1
            self._queued_bytes -= len(message)
            if error is None:
                self._delivered += 1
            else:
                self._failed += 1
                self._last_error = error.str()

    def _on_error(self, error: KafkaError) -> None:
        with self._lock:
            self._last_error = error.str()

    def _deliver(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(_POLL_S)

    def _partition_count(self, topic: str, timeout_s: float) -> int:
        if topic not in self._partitions:
            try:
                found = self._producer.list_topics(topic, timeout_s).topics[topic]
            except KafkaException as error:
                self._on_error(error.args[0])
                return 0
            if found.error is None and found.partitions:
                self._partitions[topic] = len(found.partitions)
        return self._partitions.get(topic, 0)
