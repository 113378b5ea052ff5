"""One member of a Kafka consumer group that commits in transactions.

Everything runs on the one thread that calls: the client's batch interface allows no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka import TopicPartition as Place

from schemas.errors import BrokerUnavailable, CommitUnknown, Fenced, Retriable, TransportError
from streams.records import Message, Record, Records, one_by_one
from streams.runtime.kafka_errors import kafka_error, mapped, passes, translated
from streams.runtime.kafka_reader import Reader, place
from streams.runtime.kafka_retry import persist
from streams.runtime.kafka_sender import produce
from streams.runtime.kafka_topics import ends
from streams.runtime.transport import Rebalance, TopicPartition, first_offset

LEAVE_S: Final = 5.0
"""How long a member waits at most until the group knows that it leaves."""


class KafkaMember:
    """The `transport.Member` of a Kafka group.

    Parameters
    ----------
    consumer
        Manual offsets, ``read_committed``, ``enable.partition.eof``, an eager assignor.
    producer
        Makes one with a ``transactional.id``; its predecessor of that name is fenced, and what it
        left open is aborted.
    topics
        What to subscribe to.
    rebalance
        Told of partitions that come and go.
    timeout_ms
        Longest wait for the brokers in any call but `poll`.

    Raises
    ------
    BrokerUnavailable
        If transactions cannot be started in time.
    """

    def __init__(
        self,
        consumer: Consumer,
        producer: Callable[[], Producer],
        *,
        topics: Sequence[str],
        rebalance: Rebalance,
        timeout_ms: int,
    ) -> None:
        self._consumer = consumer
        self._make_producer = producer
        self._rebalance = rebalance
        self._timeout_ms = timeout_ms
        self._reader = Reader(consumer)
        self._failure: BaseException | None = None
        self._over: TransportError | None = None
        self._unanswered = False
        self._producer = producer()
        self._start()
        consumer.subscribe(
            list(topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def poll(self, *, max_records: int, timeout_ms: int) -> list[Record]:
        """The next records; may call the rebalance."""
        return one_by_one(self.fetch(max_records=max_records, timeout_ms=timeout_ms))

    def fetch(self, *, max_records: int, timeout_ms: int) -> list[Records]:
        """The next records in columns; may call the rebalance."""
        self._require_usable()
        try:
            fetched = self._reader.poll(max_records=max_records, timeout_ms=timeout_ms)
        except Fenced as error:
            self._over = error
            raise
        self._raise_failure()
        return fetched

    def commit(self, messages: Sequence[Message], offsets: Mapping[TopicPartition, int]) -> None:
        """Write messages and offsets in one transaction."""
        self._require_usable()
        self._require_owned(offsets)
        if self._unanswered:
            self._start_again()
        try:
            self._producer.begin_transaction()
            for message in messages:
                produce(self._producer, message, timeout_ms=self._timeout_ms)
            self._deliver()
            places = [place(partition, offset) for partition, offset in offsets.items()]
            metadata = self._consumer.consumer_group_metadata()
            persist(
                lambda left: self._producer.send_offsets_to_transaction(places, metadata, left),
                timeout_ms=self._timeout_ms,
            )
        except KafkaException as exception:
            raise self._abort(mapped(kafka_error(exception), "writing a commit")) from exception
        except TransportError as error:
            raise self._abort(error) from error
        try:
            persist(self._producer.commit_transaction, timeout_ms=self._timeout_ms)
        except KafkaException as exception:
            raise self._uncommitted(exception) from exception

    def _deliver(self) -> None:
        """Have all messages of a commit written before it is made.

        What is not delivered in time is certainly not committed; `commit_transaction` would leave
        that open, and without a broker all calls but this one and an abort overstay their time.
        """
        left = self._producer.flush(self._timeout_ms / 1_000)
        if left:
            raise BrokerUnavailable(
                f"writing a commit: {left} of its messages were not taken in"
                f" {self._timeout_ms} ms; check that the brokers keep up"
            )

    def _require_usable(self) -> None:
        if self._over is not None:
            raise Fenced(f"this member ended: {self._over}; make a new one") from self._over

    def _require_owned(self, offsets: Mapping[TopicPartition, int]) -> None:
        if not offsets:
            raise ValueError("a commit needs an offset: it is what fences a member left behind")
        foreign = sorted(offsets.keys() - self._reader.positions.keys())
        if foreign:
            raise Fenced(f"committing {foreign}, which this member does not own: drop their state")

    def _uncommitted(self, exception: KafkaException) -> TransportError:
        error = kafka_error(exception)
        cause = mapped(error, "committing")
        if error.txn_requires_abort():
            return self._abort(cause)
        self._over = cause if isinstance(cause, Fenced) else CommitUnknown(str(cause))
        return self._over

    def _abort(self, cause: TransportError) -> TransportError:
        """Abort; what to raise for the cause."""
        if isinstance(cause, Fenced):
            self._over = cause
        try:
            persist(self._producer.abort_transaction, timeout_ms=self._timeout_ms)
        except KafkaException as exception:
            error = kafka_error(exception)
            failed = mapped(error, f"aborting after «{cause}»")
            if self._over is None and passes(error) and not error.fatal():
                # A new one, once: the old one may be of no more use by the time brokers are back.
                self._producer, self._unanswered = self._make_producer(), True
                return Retriable(str(failed))
            self._over = self._over or failed
            return self._over
        # The broker did answer the abort, so the same commit may go through.
        return Retriable(str(cause)) if isinstance(cause, BrokerUnavailable) else cause

    def _start(self) -> None:
        """Start the producer's transactions; what one of its name left open is aborted by that."""
        with translated("starting transactions"):
            persist(self._producer.init_transactions, timeout_ms=self._timeout_ms)

    def _start_again(self) -> None:
        """Go on starting the producer that stands in for one whose abort nobody answered."""
        try:
            self._start()
        except BrokerUnavailable as error:
            raise Retriable(str(error)) from error
        self._unanswered = False

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Deliver nothing of these partitions."""
        self._reader.pause(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Deliver these partitions again."""
        self._reader.resume(partitions)

    def owned(self) -> Sequence[TopicPartition]:
        """The partitions now assigned."""
        return sorted(self._reader.positions)

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of every owned partition."""
        return dict(self._reader.positions)

    def at_end(self, partition: TopicPartition) -> bool:
        """True if every committed record was delivered."""
        return self._reader.at_end(partition)

    def lag(self) -> Mapping[TopicPartition, int]:
        """Offsets between position and end."""
        return self._reader.lag()

    def close(self) -> None:
        """Leave the group."""
        if self._over is None:
            self._leave()
        self._consumer.close()
        if self._over is None:
            self._producer.close()
            self._over = Fenced("it has left the group")
        self._raise_failure()

    def _leave(self) -> None:
        """Give the partitions to others at once: of a static member, `Consumer.close` alone would
        keep them for its return until its session ends."""
        try:
            if not self._reader.positions:
                # An assignment may wait for an answer; until it has one, nobody can leave.
                self._consumer.assign([])
            self._consumer.unsubscribe()
        except KafkaException as exception:
            error = mapped(kafka_error(exception), "leaving the group")
            if isinstance(error, Fenced):
                return  # The group went on without us: there is nothing left to give back.
            raise error from exception
        deadline = time.monotonic() + LEAVE_S
        while self._consumer.memberid() and time.monotonic() < deadline:
            self._consumer.consume(1, 0.05)

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Keep an error of a callback for `poll` to raise: the client's C code would mangle it."""
        try:
            yield
        except BaseException as failure:
            self._failure = self._failure or failure
            self._reader.stop()

    def _on_assign(self, _consumer: Consumer, places: list[Place]) -> None:
        with self._kept():
            partitions = sorted((item.topic, item.partition) for item in places)
            committed = committed_offsets(self._consumer, partitions, timeout_ms=self._timeout_ms)
            wanted = self._rebalance.assigned(partitions, committed) if partitions else {}
            found = ends(self._consumer, partitions, timeout_ms=self._timeout_ms)
            starts = {
                each: first_offset(
                    each, wanted=wanted.get(each, committed[each]), beginning=low, end=high
                )
                for each, (low, high) in found.items()
            }
            self._reader.start(starts, {each: high for each, (_, high) in found.items()})

    def _on_revoke(self, _consumer: Consumer, _places: list[Place]) -> None:
        with self._kept():
            owned = self.owned()
            if owned and self._over is None:
                self._rebalance.revoked(owned)
            elif owned:
                self._rebalance.lost(owned)
            self._reader.stop()

    def _on_lost(self, _consumer: Consumer, _places: list[Place]) -> None:
        with self._kept():
            owned = self.owned()
            if owned:
                self._rebalance.lost(owned)
            self._reader.stop()


def committed_offsets(
    consumer: Consumer, partitions: Sequence[TopicPartition], *, timeout_ms: int
) -> dict[TopicPartition, int | None]:
    """Offsets of the consumer's group, once its pending commits have been decided."""
    if not partitions:
        return {}
    found: list[Place] = []

    def ask(left: float) -> None:
        found[:] = consumer.committed([place(each) for each in partitions], left)

    with translated(f"asking for the committed offsets of {partitions[0][0]}"):
        persist(ask, timeout_ms=timeout_ms)
    for item in found:
        if item.error is not None:
            raise mapped(item.error, f"the committed offset of {item.topic}[{item.partition}]")
    return {
        (item.topic, item.partition): item.offset if item.offset >= 0 else None for item in found
    }
