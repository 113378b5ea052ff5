"""What only a real Kafka can show: open transactions, deleted records, brokers that are away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

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
from streams.runtime.kafka_member import KafkaMember
from streams.runtime.transport import TopicPartition
from tests.support.rebalance import Anywhere

PATIENCE_S = 60
HEARTBEAT_S = 3
"""At most, between two heartbeats of a member."""


@pytest.fixture
def transport(kafka: Broker) -> Iterator[KafkaTransport]:
    """A transport with little patience."""
    transport = KafkaTransport(kafka.bootstrap, timeout_ms=5_000)
    yield transport
    transport.close()


class Noted(Anywhere):
    """One that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def assigned(
        self,
        partitions: Sequence[TopicPartition],
        committed: Mapping[TopicPartition, int | None],
    ) -> Mapping[TopicPartition, int]:
        self.heard.append("assigned")
        return {}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.heard.append("revoked")

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.heard.append("lost")


def make_topic(transport: KafkaTransport, name: str, partitions: int = 1) -> str:
    transport.ensure_topics([TopicSpec(name, partitions, "key", "value", retention_ms=None)])
    return name


def poll_until(holds: Callable[[], bool], *members: KafkaMember) -> None:
    """Poll members in turn until something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        for member in members:
            member.poll(max_records=10, timeout_ms=20)


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


class TestComingAgain:
    """A worker that comes again under its name, while the session of its old self goes on."""

    @pytest.fixture
    def join(self, kafka: Broker, prefix: str) -> Iterator[Callable[[str, Anywhere], KafkaMember]]:
        """Join one group; sessions outlast every test."""
        transport = KafkaTransport(kafka.bootstrap, timeout_ms=5_000, session_timeout_ms=300_000)
        topic = make_topic(transport, prefix + "in", partitions=2)
        members: list[KafkaMember] = []

        def made(name: str, rebalance: Anywhere) -> KafkaMember:
            members.append(
                transport.member(
                    group=prefix + "group",
                    topics=[topic],
                    rebalance=rebalance,
                    transactional_id=prefix + name,
                )
            )
            return members[-1]

        yield made
        for member in members:
            member.close()
        transport.close()

    def test_it_has_its_partitions_and_nobody_else_hears_of_it(
        self, join: Callable[[str, Anywhere], KafkaMember]
    ) -> None:
        """No rebalance, and no wait; the old self can neither read nor commit."""
        noted = Noted()
        staying, old = join("staying", noted), join("died", Anywhere())
        poll_until(lambda: len(staying.owned()) == len(old.owned()) == 1, staying, old)
        heard, owned = list(noted.heard), old.owned()
        again = join("died", Anywhere())
        poll_until(lambda: bool(again.owned()), staying, again)
        assert again.owned() == owned
        with pytest.raises(Fenced):
            poll_until(lambda: False, old)
        with pytest.raises(Fenced):
            old.commit([], dict.fromkeys(owned, 0))
        again.commit([], dict.fromkeys(owned, 0))
        staying.commit([], dict.fromkeys(staying.owned(), 0))
        assert noted.heard == heard

    @pytest.mark.parametrize("heard_s", [0, HEARTBEAT_S + 0.5])
    def test_an_old_self_that_leaves_takes_nothing_away(
        self, join: Callable[[str, Anywhere], KafkaMember], heard_s: float
    ) -> None:
        """Stopped in order before it knew that it had been replaced, or when its client knew."""
        noted = Noted()
        old = join("replaced", Anywhere())
        poll_until(lambda: len(old.owned()) == 2, old)
        again = join("replaced", noted)
        poll_until(lambda: len(again.owned()) == 2, again)
        time.sleep(heard_s)
        old.close()
        for _ in range(20):
            again.poll(max_records=10, timeout_ms=20)
        again.commit([], dict.fromkeys(again.owned(), 0))
        assert noted.heard == ["assigned"]

    def test_one_that_could_not_restore_gives_way_when_it_leaves(
        self, join: Callable[[str, Anywhere], KafkaMember]
    ) -> None:
        """Its assignment was never taken up."""

        class Broken(Anywhere):
            def assigned(
                self,
                partitions: Sequence[TopicPartition],
                committed: Mapping[TopicPartition, int | None],
            ) -> Mapping[TopicPartition, int]:
                raise LookupError("no disk")

        broken = join("broken", Broken())
        with pytest.raises(LookupError):
            poll_until(lambda: False, broken)
        broken.close()
        heir = join("heir", Anywhere())
        poll_until(lambda: len(heir.owned()) == 2, heir)


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
