"""ACT as a process on a real Kafka, killed at random: nothing is lost, and nothing moves twice."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from job import Job
from published import an_alert
from pydantic import BaseModel
from receiver import Posted, Receiver
from rollback_requests import requested
from rollback_targets import Call, JsonServer, Reply

from schemas import topics
from schemas.commands import Command, Delivered, Executed, Outcome, Tick, read_command
from streams.records import Message
from streams.runtime.broker import Broker
from streams.runtime.kafka import KafkaTransport
from streams.runtime.settings import Settings

KILLS = 3
ALERTS = 40
ROLLBACKS = 12
AGAIN_S = 5
WAIT_S = 150

PLAN = """
targets:
  ops: {{kind: webhook, url: "{ops}"}}
default: [ops]
retry: {{first: 100ms, longest: 500ms}}
tick: 1s
executors:
- {{kind: http, name: fleet, models: ["m*"], url: "{fleet}/{{model}}"}}
"""
PROBING = """
targets:
  ops: {{kind: webhook, url: "{ops}"}}
default: [ops]
tick: 1s
probe: {{every: 1s, timeout: 6s}}
"""


@dataclass
class Fleet:
    """Deployments by model, each with a real ``If-Match``; counts what really changed."""

    generations: dict[str, int] = field(default_factory=lambda: defaultdict(lambda: 7))
    versions: dict[str, str] = field(default_factory=lambda: defaultdict(lambda: "v12"))
    changes: Counter[str] = field(default_factory=Counter)

    def __call__(self, call: Call) -> Reply:
        model = call.path.strip("/")
        tag = f'"{self.generations[model]}"'
        if call.method == "PUT":
            if call.headers.get("If-Match") != tag:
                return 412, {}, {"message": "changed meanwhile"}
            if call.body["version"] != self.versions[model]:
                self.versions[model] = call.body["version"]
                self.generations[model] += 1
                self.changes[model] += 1
        generation = self.generations[model]
        body = {"version": self.versions[model], "generation": generation}
        return 200, {"ETag": f'"{generation}"'}, body


class Arrival(NamedTuple):
    """A delivery as the receiver saw it, before it answered."""

    key: str
    event_id: str
    at_ms: int


class Site:
    """Topics on a broker, people's webhook, deployments, and processes that come and go."""

    def __init__(self, broker: Broker, prefix: str, directory: Path, stack: ExitStack) -> None:
        self.settings = Settings(
            bootstrap=broker.bootstrap,
            prefix=prefix,
            shards=2,
            models=2,
            idle_ms=2_000,
            checkpoint_ms=200,
        )
        self.transport = KafkaTransport(broker.bootstrap)
        self.transport.ensure_topics(self.settings.topics())
        self.sender = self.transport.sender()
        self.arrivals: list[Arrival] = []
        self.ops = stack.enter_context(Receiver(seen=self._seen))
        self.fleet = Fleet()
        self.server = stack.enter_context(JsonServer(self.fleet))
        self.job = Job(broker.bootstrap, self.settings, directory)
        self._directory = directory

    def start_act(self, plan: str) -> None:
        """A process of ACT."""
        file = self._directory / "act.yaml"
        file.write_text(plan.format(ops=self.ops.url, fleet=self.server.url))
        self.job.start("act-0", "--config", str(file))

    def say(self, topic: str, key: str, event: BaseModel) -> None:
        """What DECIDE says, by a plain producer as its outbox does."""
        value = event.model_dump_json().encode()
        self.sender.send(Message(self.settings.topic(topic), value, key=key.encode()))
        self.sender.flush()

    def commands(self, topic: str = topics.COMMANDS) -> list[tuple[int, Command]]:
        """What stands in ``commands``, or another topic of commands, with the broker's stamps."""
        name = self.settings.topic(topic)
        return [
            (record.timestamp_ms, read_command(record.value or b""))
            for partition in range(self.settings.models)
            for record in self.transport.read(name, partition)
        ]

    def settled(self) -> set[str]:
        """Events that nobody need deliver any more."""
        return {
            command.event_id
            for _, command in self.commands()
            if isinstance(command, Delivered) and command.settled
        }

    def executed(self) -> dict[str, set[Outcome]]:
        """Outcomes of each key."""
        found: dict[str, set[Outcome]] = defaultdict(set)
        for _, command in self.commands():
            if isinstance(command, Executed):
                found[command.idempotency_key].add(command.outcome)
        return found

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until it is true, while all processes run."""
        deadline = time.monotonic() + WAIT_S
        while not true():
            self.job.check()
            assert time.monotonic() < deadline, self.job.log("act-0")
            time.sleep(0.2)

    def close(self) -> None:
        """Leave nothing running."""
        self.job.abandon()
        self.sender.close()
        self.transport.close()

    def _seen(self, posted: Posted) -> None:
        now_ms = time.time_ns() // 1_000_000
        self.arrivals.append(Arrival(posted.key, posted.json["id"], now_ms))


@pytest.fixture
def site(kafka: Broker, prefix: str, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        made = Site(kafka, prefix, tmp_path, stack)
        yield made
        made.close()


def test_killed_at_random_act_loses_nothing_and_moves_nothing_twice(site: Site) -> None:
    """Each alert comes at least once under one key, and never after its acknowledgement. Each
    rollback makes at most one transition; those whose deployment has moved on make none."""
    rng = random.Random(5)
    site.ops.replies.extend([(503, {}, "")] * 5)
    site.server.faults += ["drop", 500, "drop"]
    far_ms = time.time_ns() // 1_000_000 + 3_600_000
    moved_on = {f"m{i}" for i in range(0, ROLLBACKS, 3)}
    for model in moved_on:
        site.fleet.generations[model], site.fleet.versions[model] = 8, "v13"
    waves: list[list[tuple[str, str, BaseModel]]] = [[] for _ in range(KILLS + 1)]
    for i in range(ALERTS):
        waves[rng.randrange(KILLS + 1)].append(
            (topics.ALERTS, f"a{i}", an_alert(id=f"a{i}-1", alert_id=f"a{i}"))
        )
    for i in range(ROLLBACKS):
        request = requested(
            id=f"r{i}",
            model=f"m{i}",
            rollback_id=f"rollback-{i}",
            idempotency_key=f"key-{i}",
            expires_at_ms=far_ms,
        )
        waves[rng.randrange(KILLS + 1)].append((topics.ROLLOUTS, f"m{i}", request))
    for wave in waves[:-1]:
        site.start_act(PLAN)
        before = len(site.arrivals) + len(site.server.calls)
        for event in wave:
            site.say(*event)
        wanted = rng.randint(1, max(1, len(wave)))
        site.until(
            lambda: len(site.arrivals) + len(site.server.calls) >= before + wanted  # noqa: B023
        )
        time.sleep(rng.random() * 0.3)
        site.job.kill("act-0")
    everything = [event for wave in waves for event in wave]
    alerts = {f"a{i}-1" for i in range(ALERTS)}
    keys = {f"key-{i}" for i in range(ROLLBACKS)}
    said_at = 0.0

    def done() -> bool:
        # DECIDE says again what nobody has confirmed; here it says all of it again.
        nonlocal said_at
        if time.monotonic() - said_at > AGAIN_S:
            said_at = time.monotonic()
            for event in everything:
                site.say(*event)
        return site.settled() >= alerts and site.executed().keys() >= keys

    site.start_act(PLAN)
    site.until(done)
    site.job.stop()

    assert {arrival.event_id for arrival in site.arrivals} == alerts
    assert all(arrival.key == arrival.event_id for arrival in site.arrivals)
    acknowledged = {
        command.event_id: stamp_ms
        for stamp_ms, command in reversed(site.commands())
        if isinstance(command, Delivered)
    }
    late = [a for a in site.arrivals if a.at_ms > acknowledged[a.event_id]]
    assert late == []
    expected = {f"m{i}": 1 for i in range(ROLLBACKS)}
    assert dict(site.fleet.changes) == {m: n for m, n in expected.items() if m not in moved_on}
    for i in range(ROLLBACKS):
        outcome = Outcome.REFUSED if f"m{i}" in moved_on else Outcome.APPLIED
        assert site.executed()[f"key-{i}"] == {outcome}
    assert all(isinstance(command, Tick) for _, command in site.commands(topics.TICKS))
    assert site.commands(topics.TICKS)


def test_probes_page_while_decide_is_dead_and_resolve_when_it_is_back(site: Site) -> None:
    """The whole job: DECIDE is killed, ACT says so, is killed in turn, and says when it is over."""
    for name in ("ingest-0", "decide-0"):
        site.job.start(name)
    site.start_act(PROBING)
    windows = site.settings.topic(topics.WINDOWS)
    site.until(
        lambda: all(
            any(b'"labelled":2' in (record.value or b"") for record in found)
            for found in (site.transport.read(windows, p) for p in range(site.settings.models))
        )
    )
    site.job.kill("decide-0")
    site.until(lambda: len(_bodies(site, "opened")) == site.settings.models)
    site.job.kill("act-0")
    site.start_act(PROBING)
    site.job.start("decide-0")
    opened = _bodies(site, "opened")
    site.until(lambda: _bodies(site, "resolved").keys() == opened.keys())
    site.job.stop()
    assert {body["metric"] for body in opened.values()} == {"probe"}
    assert {body["severity"] for body in opened.values()} == {"page"}
    assert all(arrival.key == arrival.event_id for arrival in site.arrivals)
    assert len({arrival.event_id for arrival in site.arrivals}) == 2 * site.settings.models


def _bodies(site: Site, action: str) -> dict[str, dict[str, object]]:
    """What people were told of each alert."""
    bodies = [posted.json for posted in list(site.ops.posted)]
    return {body["alert_id"]: body for body in bodies if body["action"] == action}
