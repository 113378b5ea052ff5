"""AlertConsumer: every event at least once, and again when its handler failed."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from kittiwake_client import AlertConsumer, Received

from streams.runtime.broker import Broker

IDLE_S = 1.5


@pytest.fixture
def alerts(kafka: Broker, prefix: str) -> Alerts:
    """Topics of alerts and rollouts, and a way to write to them."""
    return Alerts(kafka.bootstrap, prefix)


class Alerts:
    """What DECIDE would publish."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self._producer = Producer({"bootstrap.servers": bootstrap})
        admin = AdminClient({"bootstrap.servers": bootstrap})
        topics = [NewTopic(prefix + name, 1, 1) for name in ("alerts", "rollouts")]
        for future in admin.create_topics(topics).values():
            future.result(30)

    def publish(self, *ids: str, model: str = "fraud", topic: str = "alerts") -> None:
        """Write an event for each id."""
        for one in ids:
            body = {"id": one, "action": "opened", "model": model}
            self.write(json.dumps(body).encode(), topic=topic)

    def write(self, value: bytes, *, topic: str = "alerts") -> None:
        """Write bytes."""
        self._producer.produce(self.prefix + topic, value)
        assert self._producer.flush(30) == 0

    def consumer(
        self,
        *,
        group: str = "pager",
        topics: Sequence[str] = ("alerts", "rollouts"),
        models: set[str] | None = None,
        remember: int = 10_000,
    ) -> AlertConsumer:
        """A consumer that ends when nothing comes."""
        return AlertConsumer(
            self.bootstrap,
            group=self.prefix + group,
            prefix=self.prefix,
            idle_timeout_s=IDLE_S,
            config={"session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000},
            topics=topics,
            models=models,
            remember=remember,
        )


def _ids(consumer: AlertConsumer) -> list[str]:
    with consumer:
        return [received.id for received in consumer]


def test_confirmed_events_do_not_come_again(alerts: Alerts) -> None:
    """A group goes on after the last confirmed event; another group has its own position."""
    alerts.publish("a", "b")
    assert _ids(alerts.consumer()) == ["a", "b"]
    alerts.publish("c")
    assert _ids(alerts.consumer()) == ["c"]
    assert _ids(alerts.consumer(group="mail")) == ["a", "b", "c"]


def test_a_failed_handler_gets_the_event_again(alerts: Alerts) -> None:
    """The exception reaches the caller, and the same consumer starts again at that event."""
    alerts.publish("a", "b", "c")
    calls: list[str] = []

    def handler(received: Received) -> None:
        calls.append(received.id)
        if calls.count("b") == 1 and received.id == "b":
            raise RuntimeError("pager is down")

    with alerts.consumer() as consumer:
        with pytest.raises(RuntimeError, match="pager is down"):
            consumer.run(handler)
        consumer.run(handler)
    assert calls == ["a", "b", "b", "c"]


def test_a_crash_in_a_handler_brings_the_event_to_the_next_process(alerts: Alerts) -> None:
    """What was at hand when the process died is not confirmed."""
    alerts.publish("a", "b")

    def handler(received: Received) -> None:
        if received.id == "b":
            raise SystemExit

    with alerts.consumer() as consumer, pytest.raises(SystemExit):
        consumer.run(handler)
    assert _ids(alerts.consumer()) == ["b"]


def test_leaving_the_loop_leaves_the_event_unconfirmed(alerts: Alerts) -> None:
    """After a break the event at hand comes again."""
    alerts.publish("a", "b")
    with alerts.consumer() as consumer:
        for received in consumer:
            if received.id == "b":
                break
        assert [received.id for received in consumer] == ["b"]


def test_repetitions_are_left_out_within_what_is_remembered(alerts: Alerts) -> None:
    """A repeated id is handed out once, unless more ids than remembered lie between."""
    alerts.publish("a", "a", "b", "a", "c", "d", "a")
    assert _ids(alerts.consumer(remember=2)) == ["a", "b", "c", "d", "a"]
    assert _ids(alerts.consumer(group="all")) == ["a", "b", "c", "d"]


def test_other_models_are_passed_over_for_good(alerts: Alerts) -> None:
    """The filter hides them, and their offsets are confirmed on leaving."""
    alerts.publish("a", model="fraud")
    alerts.publish("b", model="credit")
    assert _ids(alerts.consumer(models={"fraud"})) == ["a"]
    assert _ids(alerts.consumer()) == []


def test_both_topics_are_read(alerts: Alerts) -> None:
    """Events say which topic they came from, without the prefix."""
    alerts.publish("a")
    alerts.publish("r", topic="rollouts")
    with alerts.consumer() as consumer:
        assert {(r.topic, r.id) for r in consumer} == {("alerts", "a"), ("rollouts", "r")}


def test_bytes_that_are_no_event_do_not_stop_the_rest(
    alerts: Alerts, caplog: pytest.LogCaptureFixture
) -> None:
    """They are named in the log with their offset, and passed over."""
    broken = [b"", b"{", b"[]", b'{"id":1}', b"\xff", b"[" * 100_000]
    for value in broken:
        alerts.write(value)
    alerts.publish("a")
    assert _ids(alerts.consumer(topics=["alerts"])) == ["a"]
    for offset in range(len(broken)):
        assert f"at offset {offset} passed over" in caplog.text


def test_stop_ends_after_the_event_at_hand(alerts: Alerts) -> None:
    """A handler may stop its consumer; its event is confirmed."""
    alerts.publish("a", "b")
    with alerts.consumer() as consumer:
        consumer.run(lambda _: consumer.stop())
    assert _ids(alerts.consumer()) == ["b"]


def test_a_topic_that_does_not_exist_is_an_error(kafka: Broker) -> None:
    """Waiting would not mend it, so it is said."""
    with (
        AlertConsumer(kafka.bootstrap, group="lost", prefix="no-such.") as consumer,
        pytest.raises(KafkaException, match=r"no-such\."),
    ):
        next(iter(consumer))
