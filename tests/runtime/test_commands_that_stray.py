"""A command on a partition that is not its model's is a dead letter: one chain for each model."""

from __future__ import annotations

import json

from schemas import topics
from schemas.audit import AuditRecord
from schemas.dead_letters import DeadLetter, Reason
from streams.records import Message
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.partitioner import partition_of
from streams.runtime.settings import Settings

MODELS = 4
SETTINGS = Settings(shards=1, models=MODELS, poll_ms=0)


def pin(name: str) -> bytes:
    body = {"kind": "pin", "id": name, "model": "fraud", "time": 0, "by": "ada"}
    return json.dumps({**body, "comment": "x" * 2_000}).encode()


def test_a_stray_command_is_refused_and_says_where_it_belongs() -> None:
    """Only the one that is where its model is counts; the others stop nothing."""
    own = partition_of(b"fraud", MODELS)
    with Cluster(SETTINGS, clock=ManualClock()) as cluster:
        sender = cluster.transport.sender()
        for number in range(MODELS):
            sender.send(Message(topics.COMMANDS, pin(f"p{number}"), partition=number))
        sender.send(Message(topics.COMMANDS, b'{"kind":"dance"}', partition=own))
        sender.send(Message(topics.COMMANDS, pin("last"), key=b"fraud"))
        tick = {"kind": "tick", "id": "t", "model": "*", "time": 0, "by": "act"}
        for number in range(MODELS):
            sender.send(Message(topics.COMMANDS, json.dumps(tick).encode(), partition=number))
        cluster.drain()
        records = [
            AuditRecord.model_validate_json(record.value or b"")
            for number in range(MODELS)
            for record in cluster.transport.read(topics.AUDIT, number)
        ]
        dead = [
            DeadLetter.model_validate_json(record.value or b"")
            for number in range(cluster.transport.partition_count(topics.DEAD_LETTERS) or 0)
            for record in cluster.transport.read(topics.DEAD_LETTERS, number)
        ]
    assert [(one.sequence, one.event_id) for one in records] == [(0, f"p{own}"), (1, "last")]
    strays = [one for one in dead if one.reason is Reason.STRAY]
    assert sorted(one.partition for one in strays) == [n for n in range(MODELS) if n != own]
    assert all(f"write it to partition {own}" in one.message for one in strays)
    assert [one.reason for one in dead if one not in strays] == [Reason.BAD_SHAPE]
