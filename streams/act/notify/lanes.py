"""Lanes: what waits for a target, in order within each story, side by side between them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Final

from streams.act.outgoing import Outgoing

LOG: Final = logging.getLogger("kittiwake.act.notify")

Deliver = Callable[[str, Outgoing], Awaitable[None]]
Lane = tuple[str, str]
"""A target's name and a story."""


class Lanes:
    """Runs a delivery after the other in each lane.

    A target that is down holds up its own lanes only, and an event that a target does not take
    only those of its story.

    Parameters
    ----------
    deliver
        Called with a target's name and an event; the next of the lane comes when it is done.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self._waiting: dict[Lane, deque[Outgoing]] = {}
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        self._held: set[tuple[str, str]] = set()
        self._lengths: Counter[str] = Counter()

    def put(self, name: str, outgoing: Outgoing) -> bool:
        """Queue an event for a target; False if it is there already."""
        held = (name, outgoing.id)
        if held in self._held:
            return False
        self._held.add(held)
        self._lengths[name] += 1
        lane = (name, outgoing.story)
        self._waiting.setdefault(lane, deque()).append(outgoing)
        if lane not in self._tasks:
            self._tasks[lane] = asyncio.create_task(self._run(lane))
        return True

    def drop(self, gone: Callable[[Outgoing], bool]) -> None:
        """Forget what waits and is gone; what is being delivered ends by itself."""
        for (name, story), waiting in self._waiting.items():
            # The first is with its task.
            first, *others = waiting
            lost = {outgoing.id for outgoing in others if gone(outgoing)}
            self._held -= {(name, id_) for id_ in lost}
            self._lengths[name] -= len(lost)
            kept = [outgoing for outgoing in others if outgoing.id not in lost]
            self._waiting[name, story] = deque([first, *kept])

    def length(self, name: str) -> int:
        """How many events wait for a target, with those being delivered."""
        return self._lengths[name]

    def tasks(self) -> list[asyncio.Task[None]]:
        """One for each lane with something in it."""
        return list(self._tasks.values())

    async def drained(self) -> None:
        """Wait until nothing waits any more."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, lane: Lane) -> None:
        name, _ = lane
        try:
            while waiting := self._waiting.get(lane):
                outgoing = waiting[0]
                try:
                    await self._deliver(name, outgoing)
                except Exception:
                    # Those behind it are not to go with it.
                    LOG.exception("%s: %s is left, and comes again", name, outgoing.id)
                finally:
                    self._waiting[lane].popleft()
                    self._held.discard((name, outgoing.id))
                    self._lengths[name] -= 1
        finally:
            self._waiting.pop(lane, None)
            self._tasks.pop(lane, None)
