"""ACT dies at each point where it speaks to the log, a target or a deployment, and comes again."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import pytest
from acting import NOW_MS, Site
from published import an_alert
from receiver import Posted, Receiver
from rollback_requests import HOUR_MS, requested
from rollback_targets import Call, JsonServer, Reply

from schemas import topics
from schemas.commands import Delivered, Executed, Outcome
from streams.records import Message, Record
from streams.runtime.local import LocalFollower, LocalSender, LocalTransport

PLAN = """
targets:
  ops: {{kind: webhook, url: "{ops}"}}
  log: {{kind: webhook, url: "{ops}"}}
default: [ops, log]
retry: {{first: 1s, jitter: 0}}
executors:
- {{kind: http, name: fleet, models: ["*"], url: "{fleet}/{{model}}"}}
"""
ALERTS = ("a1", "a2", "a3")
LIVE, STALE = "fraud", "credit"


PLACES = (
    "before a look at the journal",
    "while a target answers",
    "before a record",
    "after a record",
    "before a deployment's GET",
    "before a deployment's PUT",
    "after a deployment's PUT",
)


class Gone(BaseException):
    """The process is dead: not an error that anybody could handle."""


@dataclass
class Fate:
    """Kills the process when it comes to a place for the n-th time; a dead one says no more."""

    place: str = ""
    time: int = 0
    come_to: Counter[str] = field(default_factory=Counter)
    died: bool = False

    def point(self, name: str) -> None:
        """The process comes to a place."""
        self.come_to[name] += 1
        self.died |= name == self.place and self.come_to[name] == self.time
        self.check()

    def check(self) -> None:
        """A dead process gets no further."""
        if self.died:
            raise Gone(self.place)

    def arrive(self, name: str) -> None:
        """The same where another process answers: it goes on, the one that asked is dead."""
        with suppress(Gone):
            self.point(name)


class FatefulTransport(LocalTransport):
    """The in-process log, under whose calls a process may die."""

    fate = Fate()

    def sender(self) -> LocalSender:
        """A producer that dies before a message is in the log, or right after."""
        made = super().sender()
        send, fate = made.send, self.fate

        def sending(message: Message) -> None:
            fate.point("before a record")
            send(message)
            fate.point("after a record")

        made.send = sending
        return made

    def tail(self, names: list[str], *, from_beginning: bool = False) -> LocalFollower:
        """A reader that dies before it looks, which is before each attempt."""
        made = super().tail(names, from_beginning=from_beginning)
        poll, fate = made.poll, self.fate

        def polling(*, max_records: int, timeout_ms: int) -> list[Record]:
            fate.point("before a look at the journal")
            return poll(max_records=max_records, timeout_ms=timeout_ms)

        made.poll = polling
        return made


class World:
    """One log, one webhook that two targets share, two deployments; processes that die."""

    def __init__(self, ops: Receiver) -> None:
        self.fate = Fate()
        self.changes: Counter[str] = Counter()
        self.state = {LIVE: ("v12", 7), STALE: ("v13", 8)}
        self.after_the_end: list[str] = []
        self.fleet = JsonServer(self._answer)
        ops.seen = self._seen
        self.ops = ops

    def run(self, place: str, time: int) -> Fate:
        """A process that dies at a place, if it comes that far, and one that does not."""
        with self.fleet:
            self.site = Site(PLAN.format(ops=self.ops.url, fleet=self.fleet.url))
            self.site.transport.close()
            self.site.transport = FatefulTransport(clock=self.site.clock.wall_ms)
            self.site.transport.ensure_topics(self.site.settings.topics())
            for name in ALERTS:
                self.site.publish(topics.ALERTS, name, an_alert(id=f"{name}-1", alert_id=name))
            for model in (LIVE, STALE):
                event = requested(
                    id=f"request-{model}",
                    model=model,
                    idempotency_key=f"key-{model}",
                    rollback_id=f"rollback-{model}",
                    expires_at_ms=NOW_MS + HOUR_MS,
                )
                self.site.publish(topics.ROLLOUTS, model, event)
            self.fate = self.site.transport.fate = Fate(place, time)
            with suppress(Gone):
                asyncio.run(self._until_death())
            died, self.fate = self.fate, Fate()
            self.site.transport.fate = self.fate
            asyncio.run(self.site.work())
        return died

    async def _until_death(self) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        working = asyncio.create_task(self.site.work())
        while not working.done() and not self.fate.died:
            await asyncio.sleep(0.002)
        if self.fate.died:
            working.cancel()
        with suppress(Gone, asyncio.CancelledError):
            await working

    def _seen(self, posted: Posted) -> None:
        settled = [c for c in self.site.commands() if isinstance(c, Delivered)]
        told = Counter(command.event_id for command in settled)
        if told[posted.json["id"]] == 2:
            self.after_the_end.append(posted.key)
        self.fate.arrive("while a target answers")

    def _answer(self, call: Call) -> Reply:
        model = call.path.strip("/")
        self.fate.arrive(f"before a deployment's {call.method}")
        version, generation = self.state[model]
        if call.method == "PUT":
            if call.headers.get("If-Match") != f'"{generation}"':
                return 412, {}, {}
            self.changes[model] += 1
            version, generation = call.body["version"], generation + 1
            self.state[model] = (version, generation)
            self.fate.arrive("after a deployment's PUT")
        return 200, {"ETag": f'"{generation}"'}, {"version": version, "generation": generation}


@pytest.mark.parametrize("place", PLACES)
def test_wherever_it_dies_nothing_is_lost_and_nothing_moves_twice(place: str) -> None:
    """The first time there, the second, until a process comes through. Each alert reaches both
    targets under its one key and none after its record; one rollback is applied by one change,
    the stale one is refused and changes nothing."""
    for time in count(1):
        with Receiver() as ops:
            world = World(ops)
            fate = world.run(place, time)
            told = Counter(ops.keys)
        assert set(told) == {f"{name}-1" for name in ALERTS}, fate
        # To each of two targets once, and once more what was under way when the process died.
        assert all(2 <= times <= 4 for times in told.values()), fate
        assert world.after_the_end == [], fate
        assert all(posted.key == posted.json["id"] for posted in ops.posted), fate
        assert world.changes == {LIVE: 1}, fate
        outcomes = {
            command.idempotency_key: command.outcome
            for command in world.site.commands()
            if isinstance(command, Executed)
        }
        expected = {f"key-{LIVE}": Outcome.APPLIED, f"key-{STALE}": Outcome.REFUSED}
        assert outcomes == expected, fate
        if not fate.died:
            break
    assert time > 1
