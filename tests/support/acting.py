"""ACT without Faust, on a log in memory and a clock that sleeps by moving on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from pydantic import BaseModel

from schemas import topics
from schemas.act import ActPlan
from schemas.alerts import Alert
from schemas.commands import Command, read_command
from schemas.dead_letters import DeadLetter
from streams.act.app import Act, assemble
from streams.act.outgoing import INPUTS, Outgoing, Place, read
from streams.act.settings import loads
from streams.records import Message
from streams.runtime.clock import ManualClock
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

NOW_MS = 1_767_225_600_000


class Site:
    """What outlives a process: the log and the time. ``slept`` are the waits, in seconds."""

    def __init__(self, plan: str, environ: Mapping[str, str] | None = None) -> None:
        self.clock = ManualClock(NOW_MS)
        self.transport = LocalTransport(clock=self.clock.wall_ms)
        self.settings = Settings()
        self.transport.ensure_topics(self.settings.topics())
        self.plan: ActPlan = loads(plan)
        self.environ = dict(environ or {})
        self.metrics = Metrics("act")
        self.slept: list[float] = []

    def publish(self, topic: str, key: str, event: BaseModel) -> None:
        """An event of DECIDE."""
        self.transport.sender().send(
            Message(topic=topic, key=key.encode(), value=event.model_dump_json().encode())
        )

    def outgoing(self, alert: Alert) -> Outgoing:
        """An alert as it is read from the log."""
        return read(topics.ALERTS, alert.model_dump_json().encode())

    def commands(self) -> list[Command]:
        """What stands in ``commands``."""
        return [
            read_command(record.value or b"") for record in self.transport.read(topics.COMMANDS, 0)
        ]

    def letters(self) -> list[DeadLetter]:
        """What stands in ``dead-letters``."""
        return [
            DeadLetter.model_validate_json(record.value or b"")
            for record in self.transport.read(topics.DEAD_LETTERS, 0)
        ]

    @asynccontextmanager
    async def act(self) -> AsyncIterator[Act]:
        """A process of ACT that owns every partition and has read what there is."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.clock.now_ms += round(seconds * 1_000)
            await asyncio.sleep(0)

        act = assemble(
            settings=self.settings,
            plan=self.plan,
            environ=self.environ,
            transport=self.transport,
            clock=self.clock,
            metrics=self.metrics,
            sleep=sleep,
        )
        try:
            yield act
        finally:
            await act.inbox.close()
            await act.notifier.close()
            await act.executions.close()
            await act.client.aclose()
            await act.journal.close()

    async def work(self) -> None:
        """Run a process until it has delivered all that is in the log."""
        async with self.act() as act:
            await self.read(act)
            await act.notifier.drained()
            await act.executions.drained()

    async def read(self, act: Act) -> None:
        """Let a process read all topics, twice: as it looks back, and as Faust reads them."""
        places: list[Place] = [(name, 0) for name in INPUTS]
        act.inbox.assigned(places)
        for name, partition in places:
            for record in list(self.transport.read(name, partition)):
                await act.inbox.take((name, partition), record.offset, record.value or b"")
        await act.inbox.settled()
