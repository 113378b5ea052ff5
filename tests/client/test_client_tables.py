"""Tables of the client: what it sends is what INGEST reads, on the partition of each key."""

from __future__ import annotations

import builtins
import sys
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka import murmur2 as librdkafka_partition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from hypothesis import given, settings
from hypothesis import strategies as st
from kittiwake_client import InvalidEvent, Publisher, columns
from kittiwake_client.arrow import CONTENT_TYPE, MAX_MESSAGE_BYTES, batches
from kittiwake_client.columns import table_of
from kittiwake_client.murmur2 import partitions_of

from schemas import arrow as schema
from schemas import cloudevents
from streams.ingest.decode.arrow_rows import ArrowRows, rows_of
from streams.records import Record
from streams.runtime.broker import Broker
from streams.runtime.partitioner import partition_of

NOWHERE = "127.0.0.1:1"
SHARDS = 4


def read(*values: bytes) -> ArrowRows:
    """Rows of messages, all of which count."""
    records = [Record("predictions", 0, i, 10**13, None, v, ()) for i, v in enumerate(values)]
    rows, dead = rows_of(records)
    assert dead == []
    return rows


def sent(given: Any, *, version: str | None = "v1") -> ArrowRows:
    """A table as INGEST reads it."""
    table = table_of(given, model="fraud", version=version, now_ms=5)
    return read(*(batch.value for batch in batches(table, partitions=1)))


def test_columns_are_those_of_the_schema() -> None:
    """The client knows every column but the model's, and every family."""
    assert schema.COLUMNS.keys() - {"model"} == columns.COLUMNS
    assert schema.FAMILIES.keys() == columns.FAMILIES
    needed = {name for name, column in schema.COLUMNS.items() if column.needed}
    assert needed == {"prediction_id", "version", "time"}
    for name, column in (schema.COLUMNS | schema.FAMILIES).items():
        if name in columns.COLUMNS | columns.FAMILIES:
            number = name in columns.NUMBERS | columns.NUMBER_FAMILIES
            word = name in columns.WORDS | columns.WORD_FAMILIES | columns.IDS
            assert number == (column.kind is schema.Kind.NUMBER)
            assert word == (column.kind is schema.Kind.TEXT)
            assert (column.path[0] == "output") == (name in columns.ANSWERS)
    assert CONTENT_TYPE == schema.CONTENT_TYPE


@settings(deadline=None)
@given(st.lists(st.text(), max_size=20), st.integers(1, 50))
def test_keys_are_hashed_as_librdkafka_hashes_them(keys: list[str], count: int) -> None:
    """Every length and every byte."""
    raw = [key.encode() for key in keys]
    offsets = np.cumsum([0, *map(len, raw)])
    found = partitions_of(np.frombuffer(b"".join(raw), np.uint8), offsets, count)
    assert found.tolist() == [librdkafka_partition(key, count) for key in raw]


def test_numpy_columns_arrive_as_they_were() -> None:
    """Numbers, flags, texts, vectors; a NaN is a missing value, and so is an infinity."""
    rows = sent(
        {
            "prediction_id": np.array(["p1", "p2", "p3"]),
            "time": np.array([7, 8, 9]),
            "score": np.array([0.25, 0.5, np.nan]),
            "label": [True, None, False],
            "features.amount": np.array([1.5, np.nan, np.inf]),
            "features.new": np.array([True, False, True]),
            "features.n": np.array([1, 2, 3], np.int16),
            "features.country": ["DE", None, "FR"],
            "segments.channel": ["web", "web", "app"],
            "embeddings.text": np.array([[1, 2], [3, 4], [5, 6]], np.float32),
            "scores.cat": [0.5, None, 0.25],
            "lower": [0.5, None, 1],
            "upper": [1.5, None, 2],
            "items": [["a", "b"], [], None],
        }
    )
    first, second, third = (rows.event(i) for i in range(3))
    assert (first.prediction_id, first.model, first.version, first.time) == ("p1", "fraud", "v1", 7)
    assert first.features == {"amount": 1.5, "new": True, "n": 1, "country": "DE"}
    assert second.features == {"new": False, "n": 2}
    assert third.features == {"new": True, "n": 3, "country": "FR"}
    assert first.segments == {"channel": "web"}
    assert first.embeddings == {"text": [1.0, 2.0]}
    assert (first.output.score, first.output.label, first.output.scores) == (
        0.25,
        True,
        {"cat": 0.5},
    )
    assert (first.output.interval, third.output.interval) == ([0.5, 1.5], [1.0, 2.0])
    assert (second.output.interval, second.output.label, third.output.score) == (None, None, None)
    assert [event.output.items for event in (first, second, third)] == [["a", "b"], [], None]


def test_tables_of_arrow_are_taken_as_they_are() -> None:
    """Chunked, with dictionaries, with timestamps of any zone; without a time it is now."""
    moment = datetime(2026, 3, 1, 12, 0, 0, 250_999, tzinfo=UTC)
    table = pa.table(
        {
            "prediction_id": pa.chunked_array([["p1"], ["p2"]]),
            "version": pa.chunked_array(
                [pa.array(["v1"]).dictionary_encode(), pa.array(["v2"]).dictionary_encode()]
            ),
            "time": pa.array([moment, moment], pa.timestamp("us", "Europe/Berlin")),
            "score": pa.array([0.5, 0.75], pa.float32()),
        },
        metadata={"pandas": "noise"},
    )
    rows = sent(table, version=None)
    assert [rows.event(i).version for i in range(2)] == ["v1", "v2"]
    assert rows.times_ms.tolist() == [1_772_366_400_250] * 2
    assert sent(table.drop_columns(["time"]), version=None).times_ms.tolist() == [5, 5]


def test_each_row_goes_to_the_partition_of_its_key_in_order() -> None:
    """A shadow with a pair to that of the pair; nothing is lost, nothing sent twice."""
    n = 2_000
    arms = np.where(np.arange(n) % 3 == 0, "shadow", "baseline")
    pairs = [f"pair-{i}" if i % 2 else None for i in range(n)]
    given = {
        "prediction_id": [f"p-{i}" for i in range(n)],
        "arm": arms,
        "pair_id": pairs,
        "time": np.arange(n),
        "score": np.linspace(0, 1, n),
    }
    table = table_of(given, model="fraud", version="v1", now_ms=5)
    times = []
    for batch in batches(table, partitions=7):
        rows = read(batch.value)
        assert {partition_of(key, 7) for key in list(rows.keys())} == {batch.partition}
        assert len(rows) == batch.rows
        assert rows.event(0).prediction_id == batch.first_id
        own = rows.times_ms.tolist()
        assert own == sorted(own)
        assert batch.time_ms == own[-1]
        times += own
    assert sorted(times) == list(range(n))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=60), st.integers(1_500, 20_000))
def test_no_message_is_longer_than_it_may_be(sizes: list[int], most: int) -> None:
    """But for one that is a single row."""
    given = {
        "prediction_id": [f"p{i}" for i in range(len(sizes))],
        "score": [0.5] * len(sizes),
        "error": ["x" * size for size in sizes],
    }
    table = table_of(given, model="fraud", version="v1", now_ms=5)
    made = list(batches(table, partitions=2, max_bytes=most))
    assert all(len(batch.value) <= most or batch.rows == 1 for batch in made)
    assert sum(batch.rows for batch in made) == len(sizes)


def test_a_long_dictionary_is_not_repeated_in_every_message() -> None:
    """A text that has thousands of values travels as text."""
    n = 100_000
    words = pa.array([f"street {i}" for i in range(n)]).dictionary_encode()
    given = {"prediction_id": [f"p{i}" for i in range(n)], "score": [0.5] * n, "features.s": words}
    table = table_of(given, model="fraud", version="v1", now_ms=5)
    made = list(batches(table, partitions=8))
    assert all(len(batch.value) <= MAX_MESSAGE_BYTES for batch in made)
    assert sum(len(batch.value) for batch in made) < 2 * table.nbytes


GOOD: dict[str, Any] = {"prediction_id": ["p1"], "score": [0.5]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prediction_id": None}, "column prediction_id is missing; add it"),
        ({"prediction_id": [7]}, "column prediction_id is int64; make it text"),
        ({"prediction_id": pa.array([None], pa.string())}, "column prediction_id has a null"),
        ({"prediction_id": [""]}, "texts of 0 to 0 characters; make them 1 to 256 long"),
        ({"prediction_id": ["x" * 257]}, "make them 1 to 256 long"),
        ({"prediction_id": ["p1", "p2"]}, "these columns are no table"),
        ({"score": None}, "no column says what the model answered; add one, such as score, label"),
        ({"score": ["high"]}, "column score is string; make it numbers"),
        ({"scor": [1]}, "unknown column scor; did you mean score?"),
        ({"amount": [1]}, "unknown column amount; did you mean features.amount?"),
        ({"model": ["fraud"]}, "give it as model=, not as a column"),
        ({"time": [-1]}, "column time has a null, or a time before 1970"),
        ({"time": [1.5]}, "column time is double; give milliseconds since 1970"),
        ({"time": np.array(["2026-03-01"], "datetime64[ms]")}, "has no time zone; cast it"),
        ({"segments.k": [1]}, "column segments.k is int64; make it text"),
        ({"features.x": [object()]}, "these columns are no table"),
    ],
)
def test_a_wrong_table_is_explained_and_nothing_is_queued(
    change: dict[str, Any], said: str
) -> None:
    """The message names the column and says what to do."""
    given = {name: values for name, values in (GOOD | change).items() if values is not None}
    with Publisher(NOWHERE, close_timeout_s=0) as publisher:
        with pytest.raises(InvalidEvent, match=r"^predictions: ") as caught:
            publisher.predictions(given, model="fraud", version="v1", timeout_s=0.1)
        assert said in str(caught.value)
        with pytest.raises(InvalidEvent, match="column version is missing"):
            publisher.predictions(GOOD, model="fraud", timeout_s=0.1)
        with pytest.raises(InvalidEvent, match="model is ''; give its name"):
            publisher.predictions(GOOD, model="", version="v1", timeout_s=0.1)
        assert publisher.stats().queued == publisher.stats().dropped == 0


def test_without_a_broker_the_rows_are_dropped_and_counted() -> None:
    """Nobody knows the number of partitions then."""
    with Publisher(NOWHERE, close_timeout_s=0) as publisher:
        assert publisher.predictions(GOOD, model="fraud", version="v1", timeout_s=0.2) == 0
        assert publisher.stats().dropped == 1


def test_without_pyarrow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else of the client works without it."""
    whole = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name.split(".")[0] == "pyarrow":
            raise ImportError("No module named 'pyarrow'", name="pyarrow")
        return whole(name, *args, **more)

    for name in ("kittiwake_client.arrow", "kittiwake_client.columns"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.delattr(sys.modules["kittiwake_client"], name.split(".")[1], raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with (
        Publisher(NOWHERE, close_timeout_s=0) as publisher,
        pytest.raises(ImportError, match=r"pyarrow.*install kittiwake-client\[arrow\]"),
    ):
        publisher.predictions(GOOD, model="fraud", version="v1")


@pytest.fixture
def topic(kafka: Broker, prefix: str) -> str:
    """Predictions exist under the prefix."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(prefix + "predictions", SHARDS, 1)])[
        prefix + "predictions"
    ].result(30)
    return prefix + "predictions"


def messages(broker: Broker, topic: str, count: int) -> list[Message]:
    """So many records of a topic."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "tables"})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(SHARDS)])
    found: list[Message] = []
    while len(found) < count:
        delivered = consumer.consume(count - len(found), 20)
        assert delivered, "the broker did not answer"
        found += delivered
    consumer.close()
    return found


def test_a_table_over_kafka(kafka: Broker, prefix: str, topic: str) -> None:
    """Rows count as events; a message is a CloudEvent on the partition of all its rows."""
    n = 30_000
    given = {
        "prediction_id": [f"p{i}" for i in range(n)],
        "score": np.linspace(0, 1, n),
        "features.text": ["x" * 100] * n,
    }
    with Publisher(kafka.bootstrap, prefix=prefix, source="shop") as publisher:
        assert publisher.predictions(given, model="fraud", version="v1") == n
        assert publisher.flush(30) == 0
        stats = publisher.stats()
        assert (stats.delivered, stats.failed, stats.dropped, stats.queued_bytes) == (n, 0, 0, 0)
    ids: list[bytes] = []
    found = messages(kafka, topic, SHARDS + 1)
    for message in found:
        headers = message.headers() or []
        assert cloudevents.event_type(headers) == cloudevents.PREDICTION
        assert cloudevents.content_type(headers) == schema.CONTENT_TYPE
        value = message.value() or b""
        assert value.startswith(schema.MAGIC)
        assert len(value) <= MAX_MESSAGE_BYTES
        own = read(value).keys()
        assert {partition_of(key, SHARDS) for key in own} == {message.partition()}
        ids += own
    assert len({dict(message.headers() or [])["ce_id"] for message in found}) == len(found)
    assert len(set(ids)) > n // 2


def test_a_full_queue_drops_whole_messages(kafka: Broker, prefix: str, topic: str) -> None:
    """What is dropped is counted by row."""
    given = {"prediction_id": [f"p{i}" for i in range(1_000)], "score": [0.5] * 1_000}
    with Publisher(kafka.bootstrap, prefix=prefix, max_events=600) as publisher:
        queued = publisher.predictions(given, model="fraud", version="v1")
        assert 0 < queued <= 600
        assert publisher.stats().dropped == 1_000 - queued
    assert publisher.stats().delivered == queued
