"""Events gathered into tables: the same events arrive, and none is lost without being counted."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from hypothesis import given, settings
from hypothesis import strategies as st
from kittiwake_client import InvalidEvent, Publisher, gather
from kittiwake_client.arrow import batches
from kittiwake_client.columns import columns_of, table_of
from kittiwake_client.events import encode, plain_event
from kittiwake_client.kinds import PREDICTION

from schemas import arrow, cloudevents
from schemas.hot import prediction_decoder
from streams.ingest.decode.arrow_rows import rows_of
from streams.records import Record
from streams.runtime.broker import Broker
from streams.runtime.partitioner import partition_of

NOWHERE = "127.0.0.1:1"
SHARDS = 4
EVENT: dict[str, Any] = {"version": "v1", "output": {"score": 0.5}}

numbers = st.floats() | st.integers(-(2**40), 2**40)
events = st.fixed_dictionaries(
    {
        "prediction_id": st.text(min_size=1, max_size=5),
        "version": st.sampled_from(["v1", "v2"]),
        "output": st.fixed_dictionaries(
            {},
            optional={
                "score": numbers,
                "label": st.booleans(),
                "scores": st.dictionaries(st.sampled_from("ab"), numbers),
                "interval": st.lists(st.floats(0, 1), min_size=2, max_size=2),
                "items": st.lists(st.sampled_from("ab")),
            },
        ),
    },
    optional={
        "time": st.sampled_from([7, "2026-03-01T12:00:00.250+01:00"]),
        "features": st.dictionaries(st.sampled_from(["x", "y.z"]), st.none() | st.floats()),
        "segments": st.dictionaries(st.sampled_from("kl"), st.sampled_from("ab")),
        "embeddings": st.dictionaries(st.just("e"), st.lists(st.floats(0, 1))),
        "latency_ms": st.floats(0, 1e6),
        "arm": st.sampled_from(["baseline", "canary", "shadow"]),
        "pair_id": st.text(min_size=1, max_size=5),
        "trace": st.dictionaries(st.just("data"), st.sampled_from("ab")),
    },
)


@settings(deadline=None)
@given(st.lists(events, min_size=1, max_size=8))
def test_gathered_events_are_the_events(given: list[dict[str, Any]]) -> None:
    """What INGEST reads from the table is what it reads from each event's own JSON."""
    given = [{**event, "model": "m"} for event in given if any(event["output"].values())]
    if not given or any(_empty(event["output"]) for event in given):
        return
    plain = [plain_event(PREDICTION, event, now_ms=5) for event in given]
    table = table_of(columns_of(plain), model="m", version=None, now_ms=0)
    (batch,) = batches(table, partitions=1)
    rows, dead = rows_of([Record("predictions", 0, 0, 10**13, None, batch.value, ())])
    assert not dead
    for row, event in enumerate(given):
        alone = prediction_decoder.decode(encode(PREDICTION, event, source="s", now_ms=5).value)
        found = rows.event(row)
        for name in ("prediction_id", "version", "segments", "trace", "arm", "pair_id"):
            assert getattr(found, name) == getattr(alone, name)
        assert found.latency_ms == alone.latency_ms
        assert found.embeddings == alone.embeddings
        assert found.features == {k: v for k, v in alone.features.items() if v is not None}
        for name in ("score", "label", "interval", "items"):
            assert getattr(found.output, name) == getattr(alone.output, name)
        assert (found.output.scores or {}) == (alone.output.scores or {})


def _empty(output: dict[str, Any]) -> bool:
    """Whether JSON would be refused: a null or a NaN among the scores."""
    return any(
        value != value or abs(value) == float("inf") for value in output.get("scores", {}).values()
    )


def test_a_wrong_event_is_raised_at_once_and_nothing_is_held() -> None:
    """With the messages of `Publisher.prediction`."""
    with Publisher(NOWHERE, close_timeout_s=0) as publisher:
        predictions = publisher.gather("fraud")
        for change, said in (
            ({}, "prediction_id is missing"),
            ({"prediction_id": "p", "featurs": {}}, "did you mean features?"),
            ({"prediction_id": "p", "features": {"x": object()}}, "is a object"),
            ({"prediction_id": "p", "time": "yesterday"}, "time is 'yesterday'"),
            ({"prediction_id": "p", "time": "2026-03-01T00:00:00"}, "has no time zone"),
            ({"prediction_id": "p", "arm": "shadow", "pair_id": 7}, "pair_id is 7"),
        ):
            with pytest.raises(InvalidEvent, match=said.replace("?", r"\?")):
                predictions.add(EVENT, **change)
        assert publisher.stats().queued == 0


def test_without_a_broker_events_wait_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the publisher's queue and by the gatherer's own bound; in the end they failed."""
    with Publisher(NOWHERE, max_events=10, close_timeout_s=0) as publisher:
        predictions = publisher.gather("fraud", linger_ms=0)
        taken = [predictions.add(EVENT, prediction_id=f"p{i}") for i in range(12)]
        assert taken == [True] * 10 + [False] * 2
        assert (publisher.stats().queued, publisher.stats().dropped) == (10, 2)
    assert (publisher.stats().queued, publisher.stats().failed) == (0, 10)
    assert not predictions.add(EVENT, prediction_id="late")
    monkeypatch.setattr(gather, "MOST_HELD", 3)
    with Publisher(NOWHERE, close_timeout_s=0) as publisher:
        predictions = publisher.gather("fraud", linger_ms=60_000)
        assert [predictions.add(EVENT, prediction_id=f"p{i}") for i in range(4)] == [
            *(True, True, True, False)
        ]
        assert publisher.stats().dropped == 1


@pytest.fixture
def topic(kafka: Broker, prefix: str) -> str:
    """Predictions exist under the prefix."""
    name = prefix + "predictions"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(name, SHARDS, 1)])[name].result(30)
    return name


def read(broker: Broker, topic: str, events: int) -> list[tuple[str | None, list[bytes]]]:
    """Content type and keys of each message, up to so many events, on the right partitions."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "gathers"})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(SHARDS)])
    found: list[tuple[str | None, list[bytes]]] = []
    while sum(len(keys) for _, keys in found) < events:
        message = consumer.poll(20)
        assert message is not None, "the broker did not answer"
        kind = cloudevents.content_type(message.headers() or [])
        keys = [message.key() or b""]
        if kind == arrow.CONTENT_TYPE:
            value = message.value() or b""
            rows, _ = rows_of([Record("predictions", 0, 0, 10**13, None, value, ())])
            keys = list(rows.keys())
        assert {partition_of(key, SHARDS) for key in keys} == {message.partition()}
        found.append((kind, keys))
    consumer.close()
    return found


def test_events_arrive_in_a_few_messages(kafka: Broker, prefix: str, topic: str) -> None:
    """One for each partition, once closed; they count as delivered one by one."""
    with Publisher(kafka.bootstrap, prefix=prefix) as publisher:
        predictions = publisher.gather("fraud", linger_ms=60_000)
        for i in range(1_000):
            assert predictions.add(EVENT, prediction_id=f"p{i}")
        assert publisher.stats().queued == 1_000
    stats = publisher.stats()
    assert (stats.delivered, stats.failed, stats.dropped, stats.queued) == (1_000, 0, 0, 0)
    found = read(kafka, topic, 1_000)
    assert [kind for kind, _ in found] == [arrow.CONTENT_TYPE] * SHARDS
    assert {key for _, keys in found for key in keys} == {b"p%d" % i for i in range(1_000)}


def test_events_leave_after_the_linger_time(kafka: Broker, prefix: str, topic: str) -> None:
    """By themselves, in the background."""
    with Publisher(kafka.bootstrap, prefix=prefix) as publisher:
        publisher.gather("fraud", linger_ms=50).add(EVENT, prediction_id="p1")
        for _ in range(200):
            if publisher.stats().delivered:
                break
            time.sleep(0.1)
        assert publisher.stats().delivered == 1


def test_values_that_no_column_holds_travel_one_by_one(
    kafka: Broker, prefix: str, topic: str
) -> None:
    """A number here and a text there: each event as JSON, none lost."""
    with Publisher(kafka.bootstrap, prefix=prefix) as publisher:
        predictions = publisher.gather("fraud", linger_ms=60_000)
        predictions.add(EVENT, prediction_id="p1", features={"x": 1.5})
        predictions.add(EVENT, prediction_id="p2", features={"x": "high"})
        assert publisher.flush(30) == 0
        assert publisher.stats().delivered == 2
    found = read(kafka, topic, 2)
    assert sorted(found) == [("application/json", [b"p1"]), ("application/json", [b"p2"])]
