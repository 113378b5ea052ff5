"""The job as processes over a real Kafka: start, kill, wait, read the results."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from schemas.alerts import ENDS, AlertAction
from schemas.rollouts import RolloutAction
from streams.results import ResultReader, Results
from streams.runtime.kafka import KafkaTransport
from streams.runtime.progress import decided, ingested
from streams.runtime.settings import Settings

TURNS = frozenset({AlertAction.OPENED, *ENDS})
VERDICTS = frozenset(
    {
        RolloutAction.HOLD,
        RolloutAction.STEP_ADVISED,
        RolloutAction.PROMOTION_ADVISED,
        RolloutAction.CANARY_ADVISED,
        RolloutAction.STOP_ADVISED,
        RolloutAction.ROLLBACK_ADVISED,
        RolloutAction.EXPIRED,
    }
)


class Job:
    """INGEST, DECIDE and ACT processes of one prefix."""

    def __init__(self, bootstrap: str, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._begun: dict[str, int] = {}
        self._environment = os.environ | {
            "KITTIWAKE_BOOTSTRAP": bootstrap,
            "KITTIWAKE_PREFIX": settings.prefix,
            "KITTIWAKE_DATA": str(directory / "state"),
            "KITTIWAKE_SHARDS": str(settings.shards),
            "KITTIWAKE_IDLE_MS": str(settings.idle_ms),
            "KITTIWAKE_CHECKPOINT_MS": str(settings.checkpoint_ms),
            "PYTHONFAULTHANDLER": "1",
        }

    def start(self, name: str, *arguments: str) -> None:
        """Start ``ingest-0``, ``ingest-1``, ``decide-0``, ``act-0`` …"""
        kind, _, worker = name.partition("-")
        log = (self._directory / f"{name}.log").open("ab")
        self._begun[name] = log.tell()
        command = [sys.executable, "-m", "streams.cli", kind, "--worker", worker, *arguments]
        self._running[name] = subprocess.Popen(
            command, env=self._environment, stdout=log, stderr=log
        )

    def wait_for(self, *names: str) -> None:
        """Until processes have said, since they were last started, that they run."""
        for name in names:
            deadline, log = time.monotonic() + 60, self._directory / f"{name}.log"
            while b"metrics on port" not in log.read_bytes()[self._begun[name] :]:
                self.check()
                assert time.monotonic() < deadline, f"{name} says nothing"
                time.sleep(0.1)

    def kill(self, name: str) -> None:
        """SIGKILL; fails if the process had ended by itself."""
        process = self._running.pop(name)
        assert process.poll() is None, self.log(name)
        process.kill()
        process.wait()

    def leave(self, name: str) -> None:
        """SIGTERM; the process must leave in order."""
        process = self._running.pop(name)
        process.terminate()
        assert process.wait(timeout=60) == 0, f"{process.returncode}: {self.log(name)}"

    def lose_disk(self, name: str) -> None:
        """Remove what a process that does not run had on disk, as on a new host."""
        shutil.rmtree(self._directory / "state" / name)

    def stop(self) -> None:
        """SIGTERM to all; each must leave in order."""
        for process in self._running.values():
            process.terminate()
        for name, process in self._running.items():
            assert process.wait(timeout=60) == 0, f"{process.returncode}: {self.log(name)}"
        self._running.clear()

    def abandon(self) -> None:
        """Leave nothing running, whatever happened."""
        for process in self._running.values():
            process.kill()
            process.wait()
        self._running.clear()

    def check(self) -> None:
        """Every process runs."""
        for name, process in self._running.items():
            assert process.poll() is None, self.log(name)

    def log(self, name: str) -> str:
        """The end of a process's output."""
        return (self._directory / f"{name}.log").read_text()[-4_000:]

    def wait(self, transport: KafkaTransport, *, timeout_s: float) -> None:
        """Until everything published has been taken in and decided."""
        deadline = time.monotonic() + timeout_s
        for reached in (ingested, decided):
            while not reached(transport, self.settings):
                self.check()
                assert time.monotonic() < deadline, f"not {reached.__name__} in {timeout_s} s"
                time.sleep(0.3)


def results_of(transport: KafkaTransport, settings: Settings) -> Results:
    """Everything on the output topics by now."""
    reader = ResultReader(transport, settings)
    reader.read(timeout_ms=500)
    reader.close()
    return reader.results


def contents(results: Results) -> dict[str, str]:
    """The content of the last revision of every window, by id."""
    return {window.id: window.content for window in results.windows.values()}


def published(transport: KafkaTransport, settings: Settings, topic: str) -> dict[str, set[bytes]]:
    """Every body on an output topic, by CloudEvents id."""
    found: dict[str, set[bytes]] = defaultdict(set)
    name = settings.topic(topic)
    for partition in range(transport.partition_count(name) or 0):
        for record in transport.read(name, partition):
            found[dict(record.headers)["ce_id"].decode()].add(record.value or b"")
    return found


def decisions(results: Results) -> set[str]:
    """Ids of what the evidence alone decides: alerts that open or end, verdicts on rollouts.

    Left out is what depends on when DECIDE looks: updates of stories, amendments by labels that
    come later, and what time and people make of a rollback.
    """
    turns = {one.id for one in results.alerts.values() if one.action in TURNS}
    return turns | {one.id for one in results.rollouts.values() if one.action in VERDICTS}
