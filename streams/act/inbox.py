"""The inbox: reads what DECIDE says, and gives each event to those who act on it.

The log is the queue. What was read but not yet delivered when a process died, or when a partition
moved to another worker, is found again by reading the partition from its start and asking the
journal of each event. Until that is done new events wait, so that the order of the log stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final, Protocol

from schemas.durations import duration_ms
from schemas.errors import TransportError
from streams.act.journal import Journal
from streams.act.outgoing import Outgoing, Place, read
from streams.act.stuck import Progress
from streams.records import Record
from streams.runtime.clock import Clock
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport

LOG: Final = logging.getLogger("kittiwake.act.inbox")
CHUNK: Final = 500
AGAIN_S: Final = 1.0


class Reader(Protocol):
    """Who acts on events."""

    def own(self, places: set[Place]) -> None:
        """Act on what stands in these partitions from now on."""

    def disown(self, places: set[Place]) -> None:
        """Another worker acts on it."""

    async def look_back(self, outgoing: Outgoing, *, fresh: bool) -> None:
        """An event from before; one that is not fresh is too old to be acted on."""

    async def restored(self, place: Place) -> None:
        """All from before has been seen."""

    async def offer(self, outgoing: Outgoing) -> None:
        """An event that was just read; seen before or not."""


class Inbox:
    """Gives events to their readers, in the order of the log.

    Parameters
    ----------
    transport, settings
        Where the topics are.
    journal
        Says what is done.
    readers
        Who acts on the rest.
    give_up
        Duration; what has been in the log for longer is not looked for again.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        settings: Settings,
        journal: Journal,
        readers: Sequence[Reader],
        clock: Clock,
        give_up: str,
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._journal = journal
        self._readers = readers
        self._clock = clock
        self._give_up_ms = duration_ms(give_up)
        self._restored: dict[Place, asyncio.Event] = {}
        self._next: dict[Place, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken = asyncio.Event()
        self.trouble: BaseException | None = None

    def assigned(self, places: Collection[Place]) -> None:
        """These partitions are this worker's now: look for what is left to do in them."""
        gone = set(self._restored) - set(places)
        self.revoked(gone)
        new = {place: asyncio.Event() for place in set(places) - set(self._restored)}
        self._restored |= new
        if new:
            task = asyncio.create_task(self._restore(new))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def revoked(self, places: Collection[Place]) -> None:
        """Another worker may have these partitions."""
        for place in places:
            if event := self._restored.pop(place, None):
                event.set()
            self._next.pop(place, None)
        for reader in self._readers:
            reader.disown(set(places))

    async def take(self, place: Place, offset: int, value: bytes) -> None:
        """An event that was just read; never raises but for cancellation."""
        # Anew after each wait: the partition may have gone and come back, all to be read again.
        while (restored := self._restored.get(place)) and not restored.is_set():
            await restored.wait()
        if place not in self._restored:
            return  # Its next owner reads it.
        topic, partition = place
        self._next[place] = max(self._next.get(place, 0), offset + 1)
        try:
            outgoing = read(topic, value, partition=partition, offset=offset)
        except ValueError as error:
            LOG.error("skipped: %s", error)
            return
        for reader in self._readers:
            await reader.offer(outgoing)

    async def broken(self) -> None:
        """Wait until looking for what is left has failed for good; ``trouble`` says why."""
        await self._broken.wait()

    def progress(self) -> dict[Place, Progress]:
        """How far each partition is taken, and how much waits; asks the broker."""
        return {
            place: Progress(taken, self._end(place) - taken)
            for place, taken in dict(self._next).items()
        }

    def _end(self, place: Place) -> int:
        topic, partition = place
        return self._transport.end_offset(self._settings.topic(topic), partition)

    def places(self) -> frozenset[Place]:
        """The partitions that are this worker's."""
        return frozenset(self._restored)

    async def settled(self) -> None:
        """Wait until nothing is looked for any more."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Look for nothing any more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Agents would wait for it, and nobody would hear of anything.
            self.trouble = error
            self._broken.set()

    async def _restore(self, places: dict[Place, asyncio.Event]) -> None:
        while True:
            try:
                await self._journal.catch_up()
                for place, restored in sorted(places.items(), key=lambda item: item[0]):
                    await self._look_through(place, restored)
                return
            except TransportError as error:
                LOG.warning("looking for what is left to deliver: %s; again", error)
                await asyncio.sleep(AGAIN_S)

    async def _look_through(self, place: Place, restored: asyncio.Event) -> None:
        """Stops if the partition goes; should it come back, another looks through it."""
        if self._restored.get(place) is not restored:
            return
        topic, partition = place
        for reader in self._readers:
            reader.own({place})
        since_ms = self._clock.wall_ms() - self._give_up_ms
        end = await asyncio.to_thread(self._end, place)
        records = await asyncio.to_thread(
            self._transport.read, self._settings.topic(topic), partition
        )
        while chunk := await asyncio.to_thread(_next, records):
            for record in chunk:
                if self._restored.get(place) is not restored:
                    return
                await self._again(topic, record, since_ms)
                end = max(end, record.offset + 1)
        if self._restored.get(place) is restored:
            for reader in self._readers:
                await reader.restored(place)
            self._next[place] = end
            restored.set()

    async def _again(self, topic: str, record: Record, since_ms: int) -> None:
        if record.value is None:
            return
        try:
            outgoing = read(topic, record.value, partition=record.partition, offset=record.offset)
        except ValueError as error:
            LOG.error("skipped: %s", error)
            return
        for reader in self._readers:
            await reader.look_back(outgoing, fresh=record.timestamp_ms >= since_ms)


def _next(records: Iterator[Record]) -> list[Record]:
    return list(islice(records, CHUNK))
