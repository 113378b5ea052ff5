"""A whole job leaves a whole chain: INGEST and DECIDE, with a restart in the middle."""

from __future__ import annotations

from scenario import announce, closing, scenario

from schemas import topics
from schemas.audit import AuditRecord
from schemas.commands import read_command
from streams.audit.verify import verify
from streams.records import Message
from streams.runtime.audit_log import checkpointed_heads, read_audit
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.local import LocalTransport
from streams.runtime.served import read_served
from streams.runtime.settings import Settings

SETTINGS = Settings(shards=1, models=1, poll_ms=0, checkpoint_ms=1 << 60)
PIN = b'{"kind":"pin","id":"c1","model":"fraud","time":0,"by":"ada","comment":"fair"}'


def ids(transport: LocalTransport, topic: str) -> set[str]:
    """Ids of the events of a topic, by their headers."""
    return {dict(record.headers)["ce_id"].decode() for record in transport.read(topic, 0)}


def test_every_decision_and_command_of_a_job_is_in_its_chain() -> None:
    """Once each, over a restart; DECIDE remembers the head, a prediction finds its decisions."""
    story = scenario(2_000)
    transport, clock = LocalTransport(), ManualClock()
    announce(transport, SETTINGS, story)
    half = len(story.messages) // 2
    parts = (story.messages[:half], [*story.messages[half:], *closing(SETTINGS, story.end_ms)])
    sender = transport.sender()
    for part in parts:
        with Cluster(SETTINGS, transport=transport, clock=clock) as cluster:
            for message in part:
                sender.send(message)
            sender.send(Message(topics.COMMANDS, PIN, key=b"fraud"))
            cluster.drain()
    heads = checkpointed_heads(transport, SETTINGS, None)
    found = list(read_audit(transport, SETTINGS, None))
    chain = verify(found, heads=heads)["fraud"]
    assert chain.fault is None
    assert heads == {"fraud": {chain.ends - 1: chain.hashes[-1]}}
    records = [AuditRecord.model_validate_json(value) for _, value in found]
    by_kind = {
        family: {record.event_id for record in records if record.kind.startswith(family)}
        for family in ("alert.", "rollout.", "command.")
    }
    assert by_kind["alert."] == ids(transport, topics.ALERTS)
    assert by_kind["rollout."] == ids(transport, topics.ROLLOUTS)
    assert by_kind["command."] == {read_command(PIN).id}
    assert len({record.event_id for record in records}) == chain.ends
    alert = next(record for record in records if record.kind == "alert.opened")
    served = read_served(transport, SETTINGS, model="fraud", prediction_id="tx-1999")
    assert served is not None
    assert served.rules is not None
    assert (served.chain, served.rules.policy) == ("", alert.subject["policy"])
    assert all(each.sequence < chain.ends for each in served.decisions)
    assert served.decisions
