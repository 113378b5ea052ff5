"""What docs/arrow.md shows can be done as shown, and INGEST reads what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.arrow import MAGIC
from streams.ingest.decode.arrow_rows import ArrowRows, rows_of
from streams.records import Record

SHARDS = 4


def read(values: list[bytes]) -> ArrowRows:
    """Rows of streams, all of which count."""
    found, dead = rows_of(
        Record("predictions", 0, i, 10**13, None, value, ()) for i, value in enumerate(values)
    )
    assert dead == []
    return found


@pytest.fixture
def blocks(pages: Any) -> list[str]:
    """The Python of the page."""
    return [text for language, text in pages["docs/arrow.md"].blocks if language == "python"]


def test_the_client_sends_both_kinds_of_tables(kafka: Any, prefix: str, blocks: list[str]) -> None:
    """Whole, and gathered."""
    topic = prefix + "predictions"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic(topic, SHARDS, 1)])[topic].result(30)
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": prefix})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(SHARDS)])
    for block, rows in zip(blocks[:2], (10_000, 1_000), strict=True):
        shown = '"localhost:9092"'
        assert shown in block
        exec(block.replace(shown, f'"{kafka.bootstrap}", prefix="{prefix}"'), {})
        values: list[bytes] = []
        while not values or len(read(values)) < rows:
            message = consumer.poll(20)
            assert message is not None, "the broker did not answer"
            values.append(message.value() or b"")
        found = read(values)
        assert all(value.startswith(MAGIC) for value in values)
        assert set(found.keys()) == {f"order-{i}".encode() for i in range(rows)}
        assert found.event(0).version == "v12"
    consumer.close()


def test_a_stream_by_hand(blocks: list[str]) -> None:
    """Without the client."""
    names: dict[str, Any] = {}
    exec(blocks[2], names)
    found = read([names["value"]])
    assert (found.event(0).model, found.event(0).time) == ("fraud", 1_772_319_600_250)
    assert [found.event(i).features for i in range(2)] == [{"amount": 92.5}, {}]
