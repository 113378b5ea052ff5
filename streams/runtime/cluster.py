"""Every worker of one machine in one process and one thread: for the demo, tests and replay."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

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
        self.transport.ensure_topics(settings.topics())
        self.metrics = metrics or Metrics("local")
        self._workers: tuple[IngestWorker, DecideWorker] | None = None

    def start(self) -> Self:
        """Start the workers; control records published before are known from the first row on."""
        transport, settings, clock, metrics = (
            self.transport,
            self.settings,
            self.clock,
            self.metrics,
        )
        self._workers = (
            IngestWorker(transport=transport, settings=settings, clock=clock, metrics=metrics),
            DecideWorker(transport=transport, settings=settings, clock=clock, metrics=metrics),
        )
        return self

    def step(self) -> bool:
        """One step of each worker; True if either had anything to do."""
        ingest, decide = self._started()
        took = ingest.step()
        return decide.step() or took

    def drain(self) -> None:
        """Work until everything published so far has been decided."""
        ingest, decide = self._started()
        while ingest.step():
            pass
        while ingest.checkpoint():
            pass
        while decide.step():
            pass

    def close(self) -> None:
        """Stop the workers."""
        for worker in self._workers or ():
            worker.close()
        self.transport.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def _started(self) -> tuple[IngestWorker, DecideWorker]:
        if self._workers is None:
            raise RuntimeError("start the cluster first")
        return self._workers

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
