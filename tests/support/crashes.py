"""Workers over the in-process log that die at chosen points, and come again."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from streams.records import Message
from streams.runtime.clock import ManualClock
from streams.runtime.decide_worker import DecideWorker
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.local import LocalSender, LocalTransport
from streams.runtime.local_member import LocalMember
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.transport import Rebalance, TopicPartition

BETWEEN, BEFORE_COMMIT, AFTER_COMMIT, PUBLISHING = (
    "between two steps",
    "before a commit",
    "after a commit",
    "while publishing",
)
INGEST_POINTS = (BETWEEN, BEFORE_COMMIT, AFTER_COMMIT)
DECIDE_POINTS = (*INGEST_POINTS, PUBLISHING)


class Crash(Exception):
    """The process is gone."""


class CrashingTransport(LocalTransport):
    """The in-process log; a worker that comes to the armed point dies there.

    ``after`` calls at the point go through first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._point = ""
        self._after = 0

    def arm(self, point: str, *, after: int = 0) -> None:
        """Let the next worker that comes to a point die."""
        self._point, self._after = point, after

    def come_to(self, point: str) -> None:
        """Die if this is the point."""
        if point == self._point:
            if self._after == 0:
                self._point = ""
                raise Crash(point)
            self._after -= 1

    def member(
        self,
        *,
        group: str,
        topics: Sequence[str],
        rebalance: Rebalance,
        transactional_id: str,
        co_partitioned: bool = True,
    ) -> LocalMember:
        made = super().member(
            group=group,
            topics=topics,
            rebalance=rebalance,
            transactional_id=transactional_id,
            co_partitioned=co_partitioned,
        )
        commit = made.commit

        def crashing(messages: Sequence[Message], offsets: Mapping[TopicPartition, int]) -> None:
            self.come_to(BEFORE_COMMIT)
            commit(messages, offsets)
            self.come_to(AFTER_COMMIT)

        made.commit = crashing
        return made

    def sender(self) -> LocalSender:
        made = super().sender()
        send = made.send

        def crashing(message: Message) -> None:
            self.come_to(PUBLISHING)
            send(message)

        made.send = crashing
        return made


class Crew:
    """Some INGEST workers and one DECIDE worker.

    Parameters
    ----------
    directory
        Each INGEST worker keeps its stores in a folder of its own there.
    keep_disk
        Whether a worker that comes again finds its folder as it was; else it is empty.
    """

    def __init__(
        self,
        transport: CrashingTransport,
        settings: Settings,
        directory: Path,
        *,
        workers: int = 1,
        keep_disk: bool = True,
    ) -> None:
        self.crashes: Counter[str] = Counter()
        self._transport = transport
        self._settings = settings
        self._directory = directory
        self._keep_disk = keep_disk
        self._clock = ManualClock()
        self._metrics = Metrics("crew")
        self.ingest = [self._ingest(i) for i in range(workers)]
        self.decide = self._decide()

    def step(self) -> bool:
        """One step of each; True if anybody had anything to do."""
        took = [worker.step() for worker in (*self.ingest, self.decide)]
        return any(took)

    def crash_ingest(self, number: int, point: str, rng: random.Random) -> None:
        """Let an INGEST worker die at a point, if it comes there, and start it again."""
        worker = self.ingest[number]
        if self._dies(worker, point, rng):
            self.crashes[f"ingest {point}"] += 1
            # What the operating system does for a dead process: open files are closed.
            worker.lost(())
            if not self._keep_disk:
                shutil.rmtree(self._folder(number), ignore_errors=True)
            self.ingest[number] = self._ingest(number)

    def crash_decide(self, point: str, rng: random.Random) -> None:
        """Let DECIDE die at a point, if it comes there, and start it again."""
        if self._dies(self.decide, point, rng):
            self.crashes[f"decide {point}"] += 1
            self.decide = self._decide()

    def drain(self) -> None:
        """Work until all that was published has been decided."""
        idle = 0
        while idle < 3:
            idle = 0 if self.step() else idle + 1
            for worker in self.ingest:
                worker.checkpoint()

    def close(self) -> None:
        """Leave in order."""
        for worker in (*self.ingest, self.decide):
            worker.close()

    def _dies(self, worker: IngestWorker | DecideWorker, point: str, rng: random.Random) -> bool:
        if point == BETWEEN:
            return True
        if worker is self.decide:
            for ingest in self.ingest:
                ingest.checkpoint()
        self._transport.arm(point, after=rng.randint(0, 5) if point == PUBLISHING else 0)
        try:
            worker.step()
            if isinstance(worker, IngestWorker):
                worker.checkpoint()
        except Crash:
            return True
        finally:
            self._transport.arm("")
        return False

    def _folder(self, number: int) -> Path:
        return self._directory / f"ingest-{number}"

    def _ingest(self, number: int) -> IngestWorker:
        settings = self._settings.model_copy(
            update={"worker": str(number), "data": self._folder(number)}
        )
        return IngestWorker(
            transport=self._transport, settings=settings, clock=self._clock, metrics=self._metrics
        )

    def _decide(self) -> DecideWorker:
        return DecideWorker(
            transport=self._transport,
            settings=self._settings,
            clock=self._clock,
            metrics=self._metrics,
        )
