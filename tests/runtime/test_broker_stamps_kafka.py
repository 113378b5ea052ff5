"""On Kafka the broker's clock, not the publisher's, says what lies in the future."""

from __future__ import annotations

import time

from schemas import topics
from streams.records import Message
from streams.runtime.broker import Broker
from streams.runtime.kafka import KafkaTransport

HOUR_MS = 3_600_000


def test_a_publisher_with_a_wrong_clock_does_not_stamp_events(kafka: Broker) -> None:
    """Neither one that is ahead, which would move watermarks, nor one that is behind, whose
    events would be past their retention at once."""
    transport = KafkaTransport(kafka.bootstrap, replication=1)
    table = [spec.named("stamps.") for spec in topics.table(shards=1)]
    transport.ensure_topics(table)
    sender = transport.sender()
    before_ms = time.time_ns() // 1_000_000
    for name in ("stamps.predictions", "stamps.feedback"):
        for offset_ms in (-1_000 * 24 * HOUR_MS, 50 * 60_000, 48 * HOUR_MS):
            sender.send(Message(name, b"{}", key=b"k", timestamp_ms=before_ms + offset_ms))
    sender.close()
    after_ms = time.time_ns() // 1_000_000
    for name in ("stamps.predictions", "stamps.feedback"):
        stamps = [record.timestamp_ms for record in transport.read(name, 0)]
        assert len(stamps) == 3
        assert all(before_ms - 1_000 <= stamp <= after_ms + 1_000 for stamp in stamps)
    transport.close()
