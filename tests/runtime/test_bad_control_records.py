"""A control record that cannot be used is a dead letter of DECIDE, whenever it came."""

from __future__ import annotations

import base64

from schemas import topics
from schemas.dead_letters import DeadLetter, Reason
from streams.records import Message
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.settings import Settings

SETTINGS = Settings(shards=2, models=2, poll_ms=0)


def deployed(time: str, action: str = "deployed") -> bytes:
    return f'{{"model":"m","version":"v","time":{time},"action":"{action}"}}'.encode()


EARLY, LATE = deployed('"2026-13-01T00:00:00Z"'), deployed("5", "launched")


def test_it_is_told_whether_it_came_before_the_worker_or_after() -> None:
    """With its bytes, its place and what is wrong; the good ones around it count."""
    with Cluster(SETTINGS, clock=ManualClock()) as cluster:
        sender = cluster.transport.sender()
        for value in (EARLY, deployed("7")):
            sender.send(Message(topics.DEPLOYMENTS, value, key=b"m"))
        cluster.drain()
        sender.send(Message(topics.DEPLOYMENTS, LATE, key=b"m"))
        cluster.drain()
        cluster.drain()
        letters = [
            DeadLetter.model_validate_json(record.value or b"")
            for number in range(cluster.transport.partition_count(topics.DEAD_LETTERS) or 0)
            for record in cluster.transport.read(topics.DEAD_LETTERS, number)
        ]
    assert [
        (one.topic, one.offset, one.reason, one.field, base64.b64decode(one.value_base64))
        for one in letters
    ] == [
        (topics.DEPLOYMENTS, 0, Reason.BAD_TIME, "time", EARLY),
        (topics.DEPLOYMENTS, 2, Reason.BAD_SHAPE, "action", LATE),
    ]
    assert "2026-13-01" in letters[0].message
    assert "launched" in letters[1].message
