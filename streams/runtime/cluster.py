"""Every worker of one machine in one process and one thread: for the demo, tests and replay."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from schemas import topics
from streams.runtime.clock import Clock, SystemClock
from streams.runtime.decide_worker import DecideWorker
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport


class Cluster:
    """INGEST and DECIDE over one transport, driven step by step.

    The code is the code of production; only the loop differs.

    Parameters
    ----------
    settings
        As for the processes. The state directory is a temporary one unless given.
    transport
        The in-process transport unless given.
    metrics
        Where both workers show what they do.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: Transport | None = None,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        data: Path | None = None,
    ) -> None:
        self._scratch = TemporaryDirectory(prefix="kittiwake-") if data is None else None
        where = data or Path(self._scratch.name if self._scratch else ".")
        self.settings = settings.model_copy(update={"data": where})
        self.clock = clock or SystemClock()
        self.transport = transport or LocalTransport()
        self.transport.ensure_topics(
            [
                spec.named(settings.prefix)
                for spec in topics.table(shards=settings.shards, models=settings.models)
            ]
        )
        self.metrics = metrics or Metrics("local")
        self._ingest: IngestWorker | None = None
        self._decide: DecideWorker | None = None

    def start(self) -> Self:
        """Start the workers; control records published before are known from the first row on."""
        parts = (self.transport, self.settings, self.clock, self.metrics)
        self._ingest = IngestWorker(
            transport=parts[0], settings=parts[1], clock=parts[2], metrics=parts[3]
        )
        self._decide = DecideWorker(
            transport=parts[0], settings=parts[1], clock=parts[2], metrics=parts[3]
        )
        return self

    def step(self) -> bool:
        """One step of each worker; True if either had anything to do."""
        if self._ingest is None or self._decide is None:
            raise RuntimeError("start the cluster first")
        took = self._ingest.step()
        return self._decide.step() or took

    def drain(self) -> None:
        """Work until everything published so far has been decided."""
        if self._ingest is None or self._decide is None:
            raise RuntimeError("start the cluster first")
        while self._ingest.step():
            pass
        while self._ingest.checkpoint():
            pass
        while self._decide.step():
            pass

    def close(self) -> None:
        """Stop the workers."""
        if self._ingest is not None:
            self._ingest.close()
        if self._decide is not None:
            self._decide.close()
        self.transport.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
