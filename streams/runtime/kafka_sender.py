"""Writing to Kafka: one message, and a plain producer."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Delivered

from schemas.errors import BrokerUnavailable
from streams.records import Message
from streams.runtime.kafka_errors import mapped, translated

OnDelivery = Callable[[KafkaError | None, Delivered], None]


def produce(
    producer: Producer,
    message: Message,
    *,
    timeout_ms: int,
    on_delivery: OnDelivery | None = None,
) -> None:
    """Queue a message; wait while the queue is full.

    Raises
    ------
    BrokerUnavailable
        If the queue stays full for ``timeout_ms``.
    TransportError
        If the message cannot be written at all.
    """
    deadline = time.monotonic() + timeout_ms / 1_000
    while True:
        try:
            with translated(f"writing to {message.topic}"):
                # One by one: produce_batch ignores a message's partition and headers.
                producer.produce(
                    message.topic,
                    value=message.value,
                    key=message.key,
                    partition=-1 if message.partition is None else message.partition,
                    timestamp=message.timestamp_ms or 0,
                    headers=list(message.headers),
                    on_delivery=on_delivery,
                )
            return
        except BufferError:
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"writing to {message.topic}: the queue was full for {timeout_ms} ms;"
                    " check that the broker runs and keeps up"
                ) from None
            producer.poll(0.05)


class KafkaSender:
    """The `transport.Sender` of a Kafka producer.

    Parameters
    ----------
    producer
        An idempotent producer without transactions.
    timeout_ms
        Longest wait for a place in the queue, and for `flush`.
    """

    def __init__(self, producer: Producer, *, timeout_ms: int) -> None:
        self._producer = producer
        self._timeout_ms = timeout_ms
        self._failed: list[KafkaError] = []

    def send(self, message: Message) -> None:
        """Queue a message."""
        produce(self._producer, message, timeout_ms=self._timeout_ms, on_delivery=self._delivered)
        self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, _message: Delivered) -> None:
        if error is not None:
            self._failed.append(error)

    def flush(self) -> None:
        """Wait until the log holds everything sent."""
        left = self._producer.flush(self._timeout_ms / 1_000)
        failed, self._failed = self._failed, []
        if failed:
            raise mapped(failed[0], f"writing: {len(failed)} of the messages were not delivered")
        if left:
            raise BrokerUnavailable(
                f"{left} messages were not delivered within {self._timeout_ms} ms;"
                " check that the broker runs"
            )

    def close(self) -> None:
        """`flush`, and send no more."""
        self.flush()
        self._producer.close()
