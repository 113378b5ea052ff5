"""Act on alerts and rollouts, at least once and rarely twice."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Literal, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from kittiwake_client.kinds import ALERTS, ROLLOUTS
from kittiwake_client.received import Received

_POLL_S = 0.2
_STOPPING = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)
"""Errors that waiting does not mend."""

logger = logging.getLogger("kittiwake_client")


class AlertConsumer:
    """Iterate over alerts and rollout events.

    An event is confirmed when the next one is asked for, so after a crash it comes again: at
    least once. Repetitions of the last ``remember`` ids are left out. Leaving the loop early, by
    ``break`` or an exception, leaves the last event unconfirmed: it comes again.

    Parameters
    ----------
    bootstrap
        Brokers as ``host:port``, separated by commas.
    group
        Consumer group; instances of one group share the events.
    topics
        ``alerts``, ``rollouts`` or both.
    prefix
        In front of every topic name.
    models
        Only events of these models; None for all.
    start
        Where a group without a confirmed position begins.
    idle_timeout_s
        End the iteration when nothing came for so long, counted from having joined the group;
        None waits for ever.
    remember
        How many ids are kept to recognise repetitions.
    config
        More settings of librdkafka, such as those for TLS and SASL.

    Raises
    ------
    KafkaException
        While iterating, if a topic does not exist or may not be read.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        group: str,
        topics: Sequence[str] = (ALERTS, ROLLOUTS),
        prefix: str = "",
        models: Collection[str] | None = None,
        start: Literal["earliest", "latest"] = "earliest",
        idle_timeout_s: float | None = None,
        remember: int = 10_000,
        config: Mapping[str, str | int | float | bool] | None = None,
    ) -> None:
        self._prefix = prefix
        self._models = None if models is None else frozenset(models)
        self._idle_timeout_s = idle_timeout_s
        self._remember = remember
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._stopped = threading.Event()
        self._joined = False
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "auto.offset.reset": start,
                # What was passed over is confirmed in the background, what was handled at once.
                "enable.auto.commit": True,
                "auto.commit.interval.ms": 1_000,
                "enable.auto.offset.store": False,
                "logger": logger,
                **(config or {}),
            }
        )
        self._consumer.subscribe([prefix + topic for topic in topics], on_assign=self._on_assign)

    def __iter__(self) -> Generator[Received, None, None]:
        while (found := self._next()) is not None:
            message, received = found
            handled = False
            try:
                yield received
                handled = True
            finally:
                if not handled:
                    self._rewind(message)
            self._confirm(message, received)

    def run(self, handler: Callable[[Received], None]) -> None:
        """Hand every event to ``handler``; an event is confirmed once the handler has returned.

        Raises
        ------
        Exception
            Whatever the handler raises; the event is not confirmed and comes again.
        """
        with contextlib.closing(iter(self)) as events:
            for received in events:
                handler(received)

    def stop(self) -> None:
        """End the iteration after the event at hand; any thread may call it."""
        self._stopped.set()

    def close(self) -> None:
        """Leave the group."""
        self._stopped.set()
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> tuple[Message, Received] | None:
        """The next event to hand out; None at the end."""
        last = time.monotonic()
        while not self._stopped.is_set():
            joined = self._joined
            message = self._consumer.poll(_POLL_S)
            if not joined:
                last = time.monotonic()
            if message is None:
                idle_s = time.monotonic() - last
                if self._idle_timeout_s is not None and idle_s >= self._idle_timeout_s:
                    return None
                continue
            if _is_event(message):
                last = time.monotonic()
                received = self._parse(message)
                if received is not None and self._wanted(received):
                    return message, received
                self._pass_over(message)
        return None

    def _on_assign(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._joined = True

    def _parse(self, message: Message) -> Received | None:
        topic = (message.topic() or "").removeprefix(self._prefix)
        try:
            return Received.parse(topic, message.value() or b"")
        except ValueError as error:
            logger.warning("%s at offset %s passed over", error, message.offset())
            return None

    def _wanted(self, received: Received) -> bool:
        if received.id in self._seen:
            self._seen.move_to_end(received.id)
            return False
        return self._models is None or received.model in self._models

    def _confirm(self, message: Message, received: Received) -> None:
        # Remembered only now: an event whose handler failed must come again.
        self._seen[received.id] = None
        while len(self._seen) > self._remember:
            self._seen.popitem(last=False)
        self._pass_over(message)
        try:
            self._consumer.commit(message=message, asynchronous=False)
        except KafkaException as error:
            # Another member has the partition now, or the broker is away: it may come again.
            logger.warning("%s %s not confirmed: %s", received.topic, received.id, error)

    def _pass_over(self, message: Message) -> None:
        with contextlib.suppress(KafkaException):  # the partition was taken away meanwhile
            self._consumer.store_offsets(message=message)

    def _rewind(self, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is None or partition is None or offset is None:
            return
        # Closed, or not ours any more: then it comes again from the last confirmed position.
        with contextlib.suppress(KafkaException, RuntimeError):
            self._consumer.seek(TopicPartition(topic, partition, offset))


def _is_event(message: Message) -> bool:
    """Whether the message is a record; raises for errors that waiting does not mend."""
    error = message.error()
    if error is None:
        return True
    if error.fatal() or error.code() in _STOPPING:
        raise KafkaException(error)
    logger.warning("waiting: %s", error.str())
    return False
