"""Deliver each event to its targets, until each has it or was given up.

Nothing is recorded before the other side has confirmed, and nothing is sent after a recorded
acknowledgement. In between lies one moment in which a crash makes a delivery come again, with the
same key. Where that is recorded is the journal; how the event comes again is the inbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from schemas.act import ActPlan
from schemas.commands import Delivered
from schemas.durations import duration_ms
from schemas.errors import TransportError
from schemas.ids import content_id
from streams.act.incidents import Incidents
from streams.act.journal import Journal
from streams.act.notify.answers import Answer, Verdict, wait_ms
from streams.act.notify.lanes import Lanes
from streams.act.notify.letters import letter
from streams.act.notify.targets import Targets
from streams.act.outgoing import Outgoing, Place
from streams.act.routes import audience
from streams.runtime import catalogue
from streams.runtime.clock import Clock
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

LOG: Final = logging.getLogger("kittiwake.act.notify")
BY: Final = "act"
NOBODY: Final = "nobody"
"""Stands for the target of what the plan sends to nobody."""

OUTCOMES: Final = ("delivered", "retried", "dead")

AT_ONCE: Final = 4
"""Requests under way at one target."""

Sleep = Callable[[float], Awaitable[None]]


class Notifier:
    """Delivers events.

    Parameters
    ----------
    plan, settings
        Where to, how long to try, and the topics' prefix.
    targets
        Sends once.
    journal
        Remembers what is done.
    clock, sleep
        Time, and waiting in seconds.
    metrics
        Where outcomes are counted.
    """

    def __init__(
        self,
        *,
        plan: ActPlan,
        settings: Settings,
        targets: Targets,
        journal: Journal,
        clock: Clock,
        metrics: Metrics,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._targets = targets
        self._journal = journal
        self._clock = clock
        self._metrics = metrics
        self._sleep = sleep
        self._incidents = Incidents()
        self._lanes = Lanes(self._deliver)
        self._gates = {name: asyncio.Semaphore(AT_ONCE) for name in plan.targets}
        self._recording = asyncio.Lock()
        self._owned: set[Place] = set()
        self._asleep: set[asyncio.Task[object]] = set()
        self._closing = False
        for name in plan.targets:
            # Shown from the start: a series that appears has no increase.
            self._metrics.set(catalogue.DELIVERIES_WAITING, 0, target=name)
            for outcome in OUTCOMES:
                self._metrics.inc(catalogue.DELIVERIES, 0, target=name, outcome=outcome)

    async def offer(self, outgoing: Outgoing) -> None:
        """Queue an event for those of its targets that do not have it; waits for none of them."""
        outgoing = self._incidents.note(outgoing)
        names = audience(outgoing, self._plan)
        if names is None or self._closing or self._journal.settled(outgoing.id):
            return
        told = self._journal.delivered(outgoing.id)
        for name in names:
            if name not in told and self._lanes.put(name, outgoing):
                self._show(name)
        if told.issuperset(names):
            await self._record(outgoing, names[-1] if names else NOBODY, "")

    def own(self, places: set[Place]) -> None:
        """Deliver what stands in these partitions from now on."""
        self._owned |= places

    def disown(self, places: set[Place]) -> None:
        """Another worker delivers these; what is under way ends with its present attempt."""
        self._owned -= places
        self._lanes.drop(lambda outgoing: not self._mine(outgoing))

    async def look_back(self, outgoing: Outgoing, *, fresh: bool) -> None:
        """What stands in the log from before; of what is not fresh only its incident counts."""
        if fresh:
            await self.offer(outgoing)
        else:
            self._incidents.note(outgoing)

    async def restored(self, place: Place) -> None:
        """The log is read; nothing had to wait for that here."""

    async def drained(self) -> None:
        """Wait until everything offered is delivered or given up."""
        await self._lanes.drained()

    async def close(self, *, grace_s: float = 5.0) -> None:
        """Stop: attempts under way may end within the grace, all else is dropped unrecorded."""
        self._closing = True
        for sleeping in list(self._asleep):
            sleeping.cancel()
        if tasks := self._lanes.tasks():
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, name: str, outgoing: Outgoing) -> None:
        try:
            await self._until_done(name, outgoing)
        except Exception as error:
            # One event that cannot be put into words must not keep all others from people.
            LOG.exception("%s: delivering %s failed", name, outgoing.id)
            await self._give_up(name, outgoing, f"{type(error).__name__} in Kittiwake: {error}")
        finally:
            self._show(name, less=1)

    async def _until_done(self, name: str, outgoing: Outgoing) -> None:
        since_ms, failures = self._clock.elapsed_ms(), 0
        give_up_ms = duration_ms(self._plan.give_up)
        while self._mine(outgoing):
            answer = await self._attempt(name, outgoing)
            if answer is None:
                return
            if answer.verdict is Verdict.ACCEPTED:
                await self._record(outgoing, name, "")
                return
            left_ms = give_up_ms - (self._clock.elapsed_ms() - since_ms)
            if answer.verdict is Verdict.REFUSED or left_ms <= 0:
                await self._give_up(name, outgoing, answer.reason)
                return
            failures += 1
            key = f"{name}/{outgoing.id}"
            plain_ms = wait_ms(self._plan.retry, failures=failures, key=key)
            wait = min(max(plain_ms, answer.wait_ms), left_ms)
            self._count(name, "retried")
            LOG.warning(
                "%s: %s was not delivered: %s; again in %d ms",
                name,
                outgoing.id,
                answer.reason,
                wait,
            )
            await self._pause(wait)

    async def _attempt(self, name: str, outgoing: Outgoing) -> Answer | None:
        """What came of an attempt; None if it is not to be made any more."""
        async with self._gates[name]:
            # Asked here, for while it waited for its turn another process may have delivered it.
            if not (await self._is_due(name, outgoing) and self._mine(outgoing)):
                return None
            started_ms = self._clock.elapsed_ms()
            answer = await self._targets.attempt(name, outgoing)
            seconds = (self._clock.elapsed_ms() - started_ms) / 1_000
            self._metrics.observe(catalogue.DELIVERY_SECONDS, seconds, target=name)
        return answer

    async def _is_due(self, name: str, outgoing: Outgoing) -> bool:
        """Whether no process has recorded the delivery."""
        await self._log(self._journal.refresh)
        settled = self._journal.settled(outgoing.id)
        return not settled and name not in self._journal.delivered(outgoing.id)

    async def _give_up(self, name: str, outgoing: Outgoing, reason: str) -> None:
        LOG.error("%s: %s is given up: %s", name, outgoing.id, reason)
        await self._record(outgoing, name, reason or "given up")

    async def _record(self, outgoing: Outgoing, name: str, dead: str) -> None:
        names = audience(outgoing, self._plan) or ()
        now_ms = self._clock.wall_ms()
        beside = []
        if dead:
            beside = [letter(outgoing, name, dead, self._settings, now_ms=now_ms)]
        # One after the other, so that exactly the last of an event's targets settles it.
        async with self._recording:
            missing = set(names) - self._journal.delivered(outgoing.id) - {name}
            command = Delivered(
                kind="delivered",
                id=f"delivered/{content_id(outgoing.id, name, not missing)}",
                model=outgoing.event.model,
                time=now_ms,
                by=BY,
                comment=dead[:2_000],
                event_id=outgoing.id,
                target=name,
                dead=bool(dead),
                settled=not missing,
            )
            await self._log(lambda: self._journal.record(command, beside=beside))
        if name != NOBODY:
            self._count(name, "dead" if dead else "delivered")

    async def _log(self, call: Callable[[], Awaitable[None]]) -> None:
        """Do something with the log, however long it is away: the target must not pay for it."""
        failures = 0
        while True:
            try:
                return await call()
            except TransportError as error:
                failures += 1
                LOG.warning("the log: %s", error)
                await self._pause(wait_ms(self._plan.retry, failures=failures, key="log"))

    async def _pause(self, wait: int) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._asleep.add(task)
        try:
            await self._sleep(wait / 1_000)
        finally:
            if task is not None:
                self._asleep.discard(task)

    def _mine(self, outgoing: Outgoing) -> bool:
        if self._closing:
            return False
        return outgoing.partition < 0 or (outgoing.topic, outgoing.partition) in self._owned

    def _count(self, name: str, outcome: str) -> None:
        self._metrics.inc(catalogue.DELIVERIES, target=name, outcome=outcome)

    def _show(self, name: str, *, less: int = 0) -> None:
        self._metrics.set(
            catalogue.DELIVERIES_WAITING, self._lanes.length(name) - less, target=name
        )
