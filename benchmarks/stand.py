"""A test stand: a real Kafka with topics and policies, and processes of production on it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from benchmarks.processes import Processes
from schemas.policy import Policy
from schemas.reference import ReferenceProfile
from streams.runtime.announce import activate
from streams.runtime.broker import Broker
from streams.runtime.kafka import KafkaTransport
from streams.runtime.settings import Settings

INGEST, DECIDE = "ingest-0", "decide-0"


@dataclass(frozen=True, slots=True)
class Stand:
    """What a benchmark works with."""

    settings: Settings
    transport: KafkaTransport
    processes: Processes


@contextmanager
def stand(policies: Iterable[Policy], reference: ReferenceProfile | None) -> Iterator[Stand]:
    """A broker on a disk of its own, the topics, and policies that hold from the start.

    No worker runs yet. All that was written is removed at the end, and all processes are stopped,
    also if this one is told to end.
    """
    signal.signal(signal.SIGTERM, _leave)
    with TemporaryDirectory(prefix="kittiwake-stand-") as name:
        folder = Path(name)
        with Broker(folder / "kafka") as broker:
            settings = Settings(bootstrap=broker.bootstrap, data=folder / "state")
            transport = KafkaTransport(broker.bootstrap)
            transport.ensure_topics(settings.topics())
            sender = transport.sender()
            for policy in policies:
                known = reference and reference.model_copy(update={"model": policy.model})
                activate(sender, settings, policy, known)
            sender.close()
            with Processes(settings, folder) as processes:
                yield Stand(settings, transport, processes)
            transport.close()


def _leave(number: int, frame: FrameType | None) -> None:
    """Unwind, so that nothing is left running."""
    sys.exit(128 + number)
