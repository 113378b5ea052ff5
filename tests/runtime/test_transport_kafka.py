"""What only a real Kafka can show: open transactions, deleted records, brokers that are away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient

from schemas.errors import BrokerUnavailable, Fenced, Retriable, TransportError
from schemas.topics import TopicSpec
from streams.records import Message
from streams.runtime.broker import Broker, free_port
from streams.runtime.kafka import KafkaTransport
from streams.runtime.kafka_errors import FENCED, REFUSED, UNAVAILABLE, mapped
from streams.runtime.transport import TopicPartition


class Anywhere:
    """A rebalance that starts at the committed offset."""

    def assigned(
        self,
        partitions: Sequence[TopicPartition],
        committed: Mapping[TopicPartition, int | None],
    ) -> Mapping[TopicPartition, int]:
        return {}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        return

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        return


@pytest.fixture
def transport(kafka: Broker) -> Iterator[KafkaTransport]:
    """A transport with little patience."""
    transport = KafkaTransport(kafka.bootstrap, timeout_ms=5_000)
    yield transport
    transport.close()


def make_topic(transport: KafkaTransport, name: str) -> str:
    transport.ensure_topics([TopicSpec(name, 1, "key", "value", retention_ms=None)])
    return name


def open_transaction(kafka: Broker, topic: str, group: str) -> Producer:
    """A transaction that wrote a record and an offset, and is not decided."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, b"undecided")
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})
    producer.send_offsets_to_transaction(
        [Place(topic, 0, 7)], consumer.consumer_group_metadata(), 30
    )
    producer.flush(30)
    consumer.close()
    return producer


class TestOpenTransactions:
    """A reader waits for what may yet be committed, so state and offsets never disagree."""

    @pytest.mark.parametrize("commit", [True, False])
    def test_read_and_committed_wait_for_the_decision(
        self, kafka: Broker, transport: KafkaTransport, prefix: str, commit: bool
    ) -> None:
        """Both answer after the decision, and with it; aborted records are never seen."""
        topic = make_topic(transport, prefix + "state")
        producer = open_transaction(kafka, topic, prefix + "group")
        decide = producer.commit_transaction if commit else producer.abort_transaction
        decided_at: list[float] = []

        def decide_later() -> None:
            time.sleep(0.5)
            decided_at.append(time.monotonic())
            decide(30)

        assert transport.end_offset(topic, 0) == 0
        thread = threading.Thread(target=decide_later)
        thread.start()
        values = [each.value for each in transport.read(topic, 0)]
        offsets = transport.committed(prefix + "group", [(topic, 0)])
        assert time.monotonic() >= decided_at[0]
        thread.join()
        assert values == ([b"undecided"] if commit else [])
        assert offsets == {(topic, 0): 7 if commit else None}

    def test_read_gives_up_in_time(
        self, kafka: Broker, transport: KafkaTransport, prefix: str
    ) -> None:
        """A transaction that stays open is an error to try again, not a shorter log."""
        topic = make_topic(transport, prefix + "state")
        producer = open_transaction(kafka, topic, prefix + "group")
        hasty = KafkaTransport(kafka.bootstrap, timeout_ms=1_000)
        with pytest.raises(Retriable, match="transaction is open"):
            list(hasty.read(topic, 0))
        producer.abort_transaction(30)
        hasty.close()


def test_deleted_records_stop_the_worker(
    kafka: Broker, transport: KafkaTransport, prefix: str
) -> None:
    """A committed offset before the start of the log is an error that says what was deleted."""
    topic = make_topic(transport, prefix + "in")
    sender = transport.sender()
    for number in range(4):
        sender.send(Message(topic, str(number).encode()))
    sender.close()
    member = transport.member(
        group=prefix + "group",
        topics=[topic],
        rebalance=Anywhere(),
        transactional_id=prefix + "worker",
    )
    while not member.owned():
        member.poll(max_records=10, timeout_ms=20)
    member.commit([], {(topic, 0): 1})
    member.close()
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in admin.delete_records([Place(topic, 0, 3)]).values():
        future.result()
    assert transport.beginning_offset(topic, 0) == 3
    assert [each.offset for each in transport.read(topic, 0)] == [3]
    late = transport.member(
        group=prefix + "group",
        topics=[topic],
        rebalance=Anywhere(),
        transactional_id=prefix + "worker",
    )
    with pytest.raises(TransportError, match=r"offset 1, but the log holds 3 to 4.*retention"):
        while True:
            late.poll(max_records=10, timeout_ms=20)
    late.close()


def test_absent_broker_is_named() -> None:
    """Nothing is lost in silence when nobody listens: not by flush, nor by any question."""
    nowhere = KafkaTransport(f"127.0.0.1:{free_port()}", timeout_ms=500)
    sender = nowhere.sender()
    sender.send(Message("alerts", b"1"))
    with pytest.raises(BrokerUnavailable, match=r"1 messages were not delivered"):
        sender.flush()
    with pytest.raises(BrokerUnavailable, match=r"bootstrap\.servers"):
        nowhere.partition_count("alerts")
    with pytest.raises(BrokerUnavailable):
        nowhere.end_offset("alerts", 0)
    nowhere.close()


@pytest.mark.parametrize(
    ("codes", "kind"),
    [(FENCED, Fenced), (REFUSED, TransportError), (UNAVAILABLE, BrokerUnavailable)],
)
def test_errors_are_mapped_by_code(codes: frozenset[int], kind: type[TransportError]) -> None:
    """Every code that needs its own answer gets its own error, with the client's name of it."""
    for code in codes:
        error = KafkaError(code, retriable=True)
        found = mapped(error, "writing")
        assert type(found) is kind
        assert error.name() in str(found)


def test_errors_are_mapped_by_what_they_ask_for() -> None:
    """Fatal is the end, abort and retry are another try, all else is trouble with the log."""
    code = KafkaError.CONCURRENT_TRANSACTIONS
    assert type(mapped(KafkaError(code, fatal=True), "x")) is Fenced
    assert type(mapped(KafkaError(code, retriable=True), "x")) is Retriable
    assert type(mapped(KafkaError(code, txn_requires_abort=True), "x")) is Retriable
    assert type(mapped(KafkaError(code), "x")) is TransportError
