"""Executions: starts an executor for each rollback that is requested and still wanted.

Requests stand in the log beside what became of them. A process that comes late, or again, reads
both before it acts: a request that has expired, or whose evidence was withdrawn, moves nothing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from schemas.errors import TransportError
from schemas.rollouts import RolloutAction, RolloutEvent
from streams.act.execute import Executors, handle
from streams.act.journal import Journal
from streams.act.outgoing import Outgoing, Place
from streams.runtime.clock import Clock

LOG: Final = logging.getLogger("kittiwake.act.executions")

OVER = frozenset(
    {
        RolloutAction.ROLLBACK_REJECTED,
        RolloutAction.ROLLBACK_EXPIRED,
        RolloutAction.ROLLBACK_APPLIED,
        RolloutAction.ROLLBACK_FAILED,
        RolloutAction.ROLLBACK_VERIFIED,
        RolloutAction.ROLLBACK_ESCALATED,
        RolloutAction.ROLLBACK_WITHDRAWN,
    }
)
"""After one of these a rollback is requested no more."""


class Executions:
    """Runs executors, one task for each request; a request under way is not started again."""

    def __init__(self, executors: Executors, journal: Journal, clock: Clock) -> None:
        self._executors = executors
        self._journal = journal
        self._clock = clock
        self._over: set[str] = set()
        self._found: dict[Place, dict[str, RolloutEvent]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    def own(self, places: set[Place]) -> None:
        """Requests in these partitions are acted on here from now on."""
        self._found |= {place: {} for place in places}

    def disown(self, places: set[Place]) -> None:
        """Another worker acts on them; what is under way ends by itself."""
        for place in places:
            self._found.pop(place, None)

    async def look_back(self, outgoing: Outgoing, *, fresh: bool) -> None:
        """What stands in the log from before; nothing starts before `restored`."""
        event = self._noted(outgoing)
        found = self._found.get((outgoing.topic, outgoing.partition))
        if event is not None and fresh and found is not None:
            found[event.idempotency_key] = event

    async def restored(self, place: Place) -> None:
        """The log is read: start what is requested and not over."""
        for event in self._found.get(place, {}).values():
            self._start(event)
        self._found[place] = {}

    async def offer(self, outgoing: Outgoing) -> None:
        """What was just read."""
        event = self._noted(outgoing)
        if event is not None:
            self._start(event)

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def close(self, *, grace_s: float = 5.0) -> None:
        """Stop: what is under way may end within the grace, else its request comes again."""
        if tasks := list(self._running.values()):
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._executors.close()

    def _noted(self, outgoing: Outgoing) -> RolloutEvent | None:
        event = outgoing.event
        if not isinstance(event, RolloutEvent):
            return None
        if event.action in OVER:
            self._over.add(event.rollback_id)
        return event if event.action is RolloutAction.ROLLBACK_REQUESTED else None

    def _is_over(self, event: RolloutEvent) -> bool:
        return bool(event.rollback_id) and event.rollback_id in self._over

    def _start(self, event: RolloutEvent) -> None:
        key = event.idempotency_key
        if self._is_over(event) or key in self._running or self._journal.executed(key):
            return
        task = asyncio.create_task(self._execute(event))
        self._running[key] = task
        task.add_done_callback(lambda _: self._running.pop(key, None))

    async def _execute(self, event: RolloutEvent) -> None:
        try:
            # It may wait behind records that the log is slow to take: what is true now, and what
            # time it is, are asked for after that.
            await self._journal.refresh()
            if not self._is_over(event):
                await handle(event, self._executors, self._journal, self._clock.wall_ms())
        except TransportError as error:
            LOG.warning("rollback of %s is not recorded, and comes again: %s", event.model, error)
        except Exception:
            # Not recorded, so it comes again; until then all other rollbacks go on.
            LOG.exception("rollback of %s failed", event.model)
