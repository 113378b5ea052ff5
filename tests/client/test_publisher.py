"""Publisher: it never holds a service up, and what it delivers lies where INGEST looks for it."""

from __future__ import annotations

import json
import threading
import time

import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from kittiwake_client import InvalidEvent, Publisher, RollbackRequest

from schemas import cloudevents
from schemas.commands import Executed, read_command
from schemas.predictions import PredictionEvent
from streams.runtime.broker import Broker
from streams.runtime.partitioner import partition_of

NOWHERE = "127.0.0.1:1"
EVENT = {"model": "fraud", "version": "v1", "output": {"score": 0.5}, "time": 7}
SHARDS = 4


@pytest.fixture
def topics(kafka: Broker, prefix: str) -> str:
    """Predictions and feedback exist under the prefix."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    names = [prefix + name for name in ("predictions", "feedback", "deployments", "commands")]
    for future in admin.create_topics([NewTopic(name, SHARDS, 1) for name in names]).values():
        future.result(30)
    return prefix


def _read(broker: Broker, topic: str) -> list[Message]:
    """Every record of a topic, partition by partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": "reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(SHARDS)])
    found: list[Message] = []
    ended = 0
    while ended < SHARDS:
        message = consumer.poll(20)
        assert message is not None, "the broker did not answer"
        if message.error() is None:
            found.append(message)
        else:
            ended += 1
    consumer.close()
    return found


def test_without_a_broker_the_queue_fills_and_the_newest_is_dropped() -> None:
    """Calls return, the bound on the count holds, and every event is accounted for."""
    with Publisher(NOWHERE, max_events=10, close_timeout_s=0) as publisher:
        taken = [publisher.prediction(EVENT, prediction_id=f"p{n}") for n in range(25)]
        assert taken == [True] * 10 + [False] * 15
        stats = publisher.stats()
        assert (stats.queued, stats.dropped, stats.delivered) == (10, 15, 0)
    stats = publisher.stats()
    assert (stats.queued, stats.queued_bytes, stats.failed) == (0, 0, 10)


def test_the_queue_is_bounded_by_bytes() -> None:
    """Large events fill it sooner."""
    with Publisher(NOWHERE, max_bytes=10_000, close_timeout_s=0) as publisher:
        features = {"text": "x" * 3_000}
        taken = [
            publisher.prediction(EVENT, prediction_id=f"p{n}", features=features) for n in range(5)
        ]
        assert taken == [True, True, True, False, False]
        assert 9_000 < publisher.stats().queued_bytes <= 10_000
        assert publisher.prediction(EVENT, prediction_id="small")


def test_an_event_that_no_broker_takes_is_dropped_not_raised() -> None:
    """A body beyond the largest message is counted; the caller goes on."""
    with Publisher(NOWHERE, close_timeout_s=0) as publisher:
        assert not publisher.prediction(EVENT, prediction_id="p", features={"t": "x" * 2_000_000})
        stats = publisher.stats()
        assert (stats.queued, stats.queued_bytes, stats.dropped) == (0, 0, 1)
        assert "too large" in stats.last_error


def test_an_event_that_waits_too_long_fails_and_makes_room() -> None:
    """After the delivery time an event is given up in the background."""
    with Publisher(NOWHERE, max_events=1, delivery_timeout_ms=100, close_timeout_s=0) as publisher:
        assert publisher.prediction(EVENT, prediction_id="p1")
        for _ in range(100):
            if publisher.stats().failed:
                break
            time.sleep(0.1)
        stats = publisher.stats()
        assert (stats.failed, stats.queued, stats.queued_bytes) == (1, 0, 0)
        assert publisher.prediction(EVENT, prediction_id="p2")


def test_a_mistake_of_the_caller_is_raised_and_nothing_is_queued() -> None:
    """An event without a required field is a `ValueError` at once."""
    with Publisher(NOWHERE, close_timeout_s=0) as publisher:
        with pytest.raises(InvalidEvent, match="prediction_id is missing"):
            publisher.prediction(EVENT)
        assert issubclass(InvalidEvent, ValueError)
        assert publisher.stats().queued == 0


def test_a_closed_publisher_drops() -> None:
    """Late calls of a service that shuts down are counted, and closing twice is no error."""
    publisher = Publisher(NOWHERE, close_timeout_s=0)
    publisher.close()
    publisher.close()
    assert not publisher.prediction(EVENT, prediction_id="p")
    assert publisher.stats().dropped == 1


def test_heartbeats_without_a_broker_are_refused() -> None:
    """False says that no partition was reached."""
    with Publisher(NOWHERE, close_timeout_s=0) as publisher:
        assert not publisher.heartbeat(5, timeout_s=0.2)


def test_events_lie_on_the_partition_of_their_key(kafka: Broker, topics: str) -> None:
    """A prediction and its feedback share a partition, the one that murmur2 names."""
    with Publisher(kafka.bootstrap, prefix=topics, source="shop") as publisher:
        for n in range(200):
            assert publisher.prediction(EVENT, prediction_id=f"p{n}")
            assert publisher.feedback(prediction_id=f"p{n}", model="fraud", label="yes")
        assert publisher.deployment(model="fraud", version="v1", action="deployed")
        assert publisher.flush(30) == 0
        stats = publisher.stats()
        assert (stats.delivered, stats.failed, stats.dropped) == (401, 0, 0)
    for name in ("predictions", "feedback"):
        records = _read(kafka, topics + name)
        assert len(records) == 200
        for record in records:
            assert record.partition() == partition_of(record.key() or b"", SHARDS)


def test_a_record_is_a_cloud_event(kafka: Broker, topics: str) -> None:
    """Headers in binary mode, a bare JSON body."""
    with Publisher(kafka.bootstrap, prefix=topics, source="shop") as publisher:
        publisher.prediction(EVENT, prediction_id="p1")
    (record,) = _read(kafka, topics + "predictions")
    assert dict(record.headers() or []) == dict(
        cloudevents.headers(type=cloudevents.PREDICTION, source="shop", id="fraud/p1", time_ms=7)
    )
    event = PredictionEvent.model_validate_json(record.value() or b"")
    assert (event.prediction_id, event.time) == ("p1", 7)


def test_events_of_one_prediction_keep_their_order(kafka: Broker, topics: str) -> None:
    """A label and its corrections arrive as they were published."""
    with Publisher(kafka.bootstrap, prefix=topics) as publisher:
        for at in range(500):
            publisher.feedback(prediction_id="p1", model="fraud", time=at, label="yes")
    bodies = [json.loads(record.value() or b"") for record in _read(kafka, topics + "feedback")]
    assert [body["time"] for body in bodies] == list(range(500))


def test_a_heartbeat_reaches_every_partition(kafka: Broker, topics: str) -> None:
    """Each partition of both topics gets one, without key, as a heartbeat event."""
    with Publisher(kafka.bootstrap, prefix=topics) as publisher:
        assert publisher.heartbeat(1_000)
    for name in ("predictions", "feedback"):
        records = _read(kafka, topics + name)
        assert sorted(record.partition() or 0 for record in records) == list(range(SHARDS))
        for record in records:
            assert record.key() is None
            assert record.value() == b'{"time":1000}'
            assert dict(record.headers() or [])["ce_type"] == cloudevents.HEARTBEAT.encode()


def test_threads_share_a_publisher(kafka: Broker, topics: str) -> None:
    """Whatever eight threads publish is delivered or counted as dropped, nothing else."""
    with Publisher(kafka.bootstrap, prefix=topics, max_events=500) as publisher:

        def publish(thread: int) -> None:
            for n in range(500):
                publisher.prediction(EVENT, prediction_id=f"t{thread}-{n}")

        threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    stats = publisher.stats()
    assert (stats.queued, stats.queued_bytes, stats.failed) == (0, 0, 0)
    assert stats.delivered + stats.dropped == 4_000
    assert len(_read(kafka, topics + "predictions")) == stats.delivered


def test_what_came_of_a_rollback_is_a_command(kafka: Broker, topics: str) -> None:
    """On the partition of its model, under one id however often it is told."""
    request = RollbackRequest(
        *("k1", "fraud", "v2", "v1", "v1", 3, 1_000, "harm", "v2 is worse"), rollback_id="r1"
    )
    with Publisher(kafka.bootstrap, prefix=topics, source="deployer") as publisher:
        for _ in range(2):
            assert publisher.executed(request, "applied", executor="deployer", generation=4)
    first, second = _read(kafka, topics + "commands")
    command = read_command(first.value() or b"")
    assert isinstance(command, Executed)
    assert (command.rollback_id, command.outcome.value, command.generation) == ("r1", "applied", 4)
    assert (command.idempotency_key, command.by) == ("k1", "deployer")
    assert first.partition() == partition_of(b"fraud", SHARDS)
    assert command.id == read_command(second.value() or b"").id
