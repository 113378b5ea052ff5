"""Which version served which prediction under which policy: answered from the log."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from arrow_streams import batch_of, stream_of
from audited import entries, lines

from schemas import topics
from schemas.policy import Policy, Task
from schemas.predictions import Arm
from schemas.served import Served
from streams.decide.audit import chain
from streams.decide.state import State
from streams.records import Message, Record
from streams.runtime.announce import activate
from streams.runtime.local import LocalTransport
from streams.runtime.partitioner import partition_of
from streams.runtime.served import read_served
from streams.runtime.settings import Settings

SETTINGS = Settings(prefix="t.", shards=4, models=2)
MINUTE = 60_000
OLD = Policy(model="fraud", task=Task.BINARY, owner="old")
NEW = Policy(model="fraud", task=Task.BINARY, owner="new")


class World:
    """A log that is written to as services would; its clock stands at ``now_ms``."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.transport = LocalTransport(clock=lambda: self.now_ms)
        self.transport.ensure_topics(SETTINGS.topics())
        self.sender = self.transport.sender()

    def send(self, topic: str, key: str, content: object) -> None:
        """Publish JSON, or bytes as they are."""
        value = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.sender.send(Message(SETTINGS.topic(topic), value, key=key.encode()))

    def predict(self, identity: str, minute: float, **more: object) -> dict[str, object]:
        """A prediction event, published."""
        event = prediction(identity, minute, **more)
        self.send(topics.PREDICTIONS, str(more.get("pair_id", identity)), event)
        return event

    def tell(self, identity: str, minute: float, **more: object) -> None:
        """A feedback event."""
        event = {"prediction_id": identity, "model": "fraud", "time": int(minute * MINUTE), **more}
        self.send(topics.FEEDBACK, identity, event)

    def who(self, identity: str, *, pair_id: str = "", model: str = "fraud") -> Served | None:
        """What the log knows."""
        return read_served(
            self.transport, SETTINGS, model=model, prediction_id=identity, pair_id=pair_id
        )


def prediction(identity: str, minute: float, **more: object) -> dict[str, object]:
    """A prediction event."""
    return {
        "prediction_id": identity,
        "model": "fraud",
        "version": "v1",
        "time": int(minute * MINUTE),
        "output": {"score": 0.25},
        "features": {"amount": 3},
        **more,
    }


@pytest.fixture
def world() -> World:
    """An empty log with its topics."""
    return World()


def found(served: Served | None) -> Served:
    """What was found; fails where nothing was."""
    assert served is not None
    return served


def test_a_prediction_is_found_with_its_version_and_trace(world: World) -> None:
    """In the one partition of its id; its features stay where they are."""
    for number in range(50):
        world.predict(f"p{number}", number, version=f"v{number % 3}", trace={"data": f"d{number}"})
    served = found(world.who("p31"))
    assert (served.version, served.arm, served.time_ms) == ("v1", Arm.BASELINE, 31 * MINUTE)
    assert served.place.partition == partition_of(b"p31", 4)
    assert served.content["trace"] == {"data": "d31"}
    assert served.content["output"] == {"score": 0.25}
    assert "features" not in served.content
    assert (served.rules, served.deployed, served.decisions, served.chain) == (None, None, [], "")


def test_only_its_own_partition_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others may hold anything."""
    world.predict("p1", 1)
    read: list[tuple[str, int]] = []
    plain = world.transport.read

    def noted(topic: str, partition: int, *, start: int = 0) -> Iterator[Record]:
        read.append((topic, partition))
        return plain(topic, partition, start=start)

    monkeypatch.setattr(world.transport, "read", noted)
    found(world.who("p1"))
    number = partition_of(b"p1", 4)
    assert [each for each in read if each[0] == "t.predictions"] == [("t.predictions", number)]
    assert [each for each in read if each[0] == "t.feedback"] == [("t.feedback", number)]
    assert [each for each in read if each[0] == "t.audit"] == [
        ("t.audit", partition_of(b"fraud", 2))
    ]


def test_the_policy_is_that_of_its_event_time(world: World) -> None:
    """However late it came into the log; one published after it is marked."""
    activate(world.sender, SETTINGS, OLD)
    activate(world.sender, SETTINGS, NEW, effective_at_ms=10 * MINUTE)
    world.now_ms = 20 * MINUTE
    world.predict("before", 9.99)
    world.predict("after", 10)
    for name, policy in (("before", OLD), ("after", NEW)):
        rules = found(world.who(name)).rules
        assert rules is not None
        assert (rules.policy, rules.reference, rules.later) == (policy.hash, "", False)
    world.now_ms = 30 * MINUTE
    activate(world.sender, SETTINGS, NEW, effective_at_ms=5 * MINUTE)
    rules = found(world.who("before")).rules
    assert rules is not None
    assert (rules.policy, rules.effective_at_ms, rules.later) == (NEW.hash, 5 * MINUTE, True)


def test_the_deployment_of_its_version_is_named(world: World) -> None:
    """The newest one by its event time."""
    for minute, version, action, share in (
        (0, "v1", "deployed", 1.0),
        (3, "v2", "canary_started", 0.1),
        (8, "v2", "promoted", 1.0),
    ):
        event = {"model": "fraud", "version": version, "time": minute * MINUTE, "action": action}
        world.send(topics.DEPLOYMENTS, "fraud", {**event, "share": share, "generation": minute})
    world.predict("p1", 5, version="v2", arm="canary")
    deployed = found(world.who("p1")).deployed
    assert deployed is not None
    assert (deployed.action, deployed.share, deployed.generation) == ("canary_started", 0.1, 3)


def test_feedback_is_told_in_the_order_of_the_log(world: World) -> None:
    """With every change, and of this model and prediction alone."""
    world.predict("p1", 1)
    world.tell("p1", 5, label=True, source="chargebacks")
    world.tell("p1", 9, label=False, kind="correction")
    world.tell("p1", 7, kind="retraction")
    world.tell("p1", 7, label=True, model="other")
    told = found(world.who("p1")).feedback
    assert [each.content["kind"] for each in told] == ["truth", "correction", "retraction"]
    assert [each.content.get("label") for each in told] == [True, False, None]
    assert told[0].content["source"] == "chargebacks"


def test_repeats_are_no_second_answer(world: World) -> None:
    """The first in the log is the one that counts."""
    world.predict("p1", 1)
    world.predict("p1", 2, version="v9")
    world.predict("p1", 2, model="other", version="v8")
    served = found(world.who("p1"))
    assert (served.version, len(served.repeats)) == ("v1", 1)
    assert found(world.who("p1", model="other")).version == "v8"


def test_a_row_of_a_batch_and_an_escaped_id_are_found(world: World) -> None:
    """Where the bytes of the id do not stand in the record as they are, too."""
    batch = [prediction("p-a", 1), prediction("größe", 2)]
    assert b"gr\\u00f6" in json.dumps(batch).encode()
    world.send(topics.PREDICTIONS, "größe", batch)
    served = found(world.who("größe"))
    assert (served.place.row, served.time_ms) == (1, 2 * MINUTE)


def test_a_row_of_a_table_is_found(world: World) -> None:
    """Columns are no obstacle."""
    value = stream_of(batch_of([prediction("p-a", 1), prediction("größe", 2)]))
    world.send(topics.PREDICTIONS, "größe", value)
    served = found(world.who("größe"))
    assert (served.place.row, served.time_ms) == (1, 2 * MINUTE)


def test_a_shadow_is_found_beside_the_answer_that_it_shadows(world: World) -> None:
    """And the truth of the one is that of the other."""
    world.predict("p1", 1)
    world.predict("s1", 1, version="v2", arm="shadow", pair_id="p1")
    world.tell("p1", 5, label=True)
    assert found(world.who("p1")).shadows == {"s1": "v2"}
    shadow = found(world.who("s1", pair_id="p1"))
    assert (shadow.version, shadow.arm, len(shadow.feedback)) == ("v2", Arm.SHADOW, 1)


def test_what_is_not_there_is_not_answered(world: World) -> None:
    """Another id, another model, or bytes that are no event."""
    world.predict("p1", 1)
    world.send(topics.PREDICTIONS, "p2", b'{"prediction_id": "p2"')
    assert world.who("p2") is None
    assert world.who("p1", model="other") is None


def test_decisions_whose_window_it_was_in_are_named(world: World) -> None:
    """Of its version and segment; with the advice that was in force, and each once."""
    told = entries(9)
    told[4] = (*told[4][:4], {**told[4][4], "canary": "v7", "baseline": "v6"})
    told[6] = (*told[6][:4], {**told[6][4], "segment": "region=EU", "window_start_ms": 0})
    told[3] = (*told[3][:4], {**told[3][4], "segment": "region=US"})
    advice = [
        ("fraud", "advice", f"advice-{minute}", minute * MINUTE, {"summary": f"at {minute}"})
        for minute in (1, 3, 5)
    ]
    made = chain(State(), [*told, *advice])
    for line in [*lines(made), *lines(made)[2:]]:
        world.send(topics.AUDIT, "fraud", line)
    world.predict("p1", 3.5, segments={"region": "EU"})
    world.predict("p4", 4.5, segments={"region": "EU"})
    served = found(world.who("p1"))
    assert [each.event_id for each in served.decisions] == ["event-6"]
    assert served.decisions[0].hash == made[6].hash
    assert served.advice is not None
    assert served.advice.summary == "at 3"
    assert served.chain == ""
    assert [each.event_id for each in found(world.who("p4")).decisions] == ["event-6"]


def test_a_broken_chain_is_said(world: World) -> None:
    """What it says of decisions may be made up."""
    made = lines(chain(State(), entries(5)))
    for line in (*made[:2], *made[3:]):
        world.send(topics.AUDIT, "fraud", line)
    world.predict("p1", 1)
    assert "t.audit[" in found(world.who("p1")).chain
    assert "record 2 should stand here" in found(world.who("p1")).chain
