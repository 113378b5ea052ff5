"""``kittiwake up``: one process that keeps all others running, and ends them with itself."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas import topics
from schemas.policy import Labels, Policy, Task
from streams.records import Message
from streams.results import ResultReader
from streams.runtime.announce import activate
from streams.runtime.broker import Broker
from streams.runtime.kafka import KafkaTransport
from streams.runtime.settings import Settings

POLICY = Policy(
    model="m",
    task=Task.BINARY,
    pane="1s",
    window="2s",
    lateness="0s",
    labels=Labels(horizon="1m", maturity="3s", lateness="0s"),
)


class Up:
    """``kittiwake up`` over a broker."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._log = directory / "up.log"
        environment = os.environ | {
            "KITTIWAKE_BOOTSTRAP": settings.bootstrap,
            "KITTIWAKE_PREFIX": settings.prefix,
            "KITTIWAKE_SHARDS": str(settings.shards),
            "KITTIWAKE_DATA": str(directory / "state"),
            "KITTIWAKE_IDLE_MS": str(settings.idle_ms),
            "KITTIWAKE_CHECKPOINT_MS": str(settings.checkpoint_ms),
        }
        command = [sys.executable, "-m", "streams.cli", "up", "--metrics-port", "0"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    @property
    def said(self) -> str:
        return self._log.read_text()

    def started(self, child: str) -> list[int]:
        """Process ids of a child, in order of its starts."""
        return [int(found) for found in re.findall(rf"{child} runs as process (\d+)", self.said)]

    def wait(self, reached: Callable[[], bool], *, timeout_s: float = 60) -> None:
        """Until something is so, while `up` runs."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)


def alive(process: int) -> bool:
    """Whether there is such a process; a dead child that nobody waited for counts as alive."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def settings(kafka: Broker, prefix: str) -> Settings:
    return Settings(
        bootstrap=kafka.bootstrap, prefix=prefix, shards=2, idle_ms=500, checkpoint_ms=100
    )


@pytest.fixture
def up(settings: Settings, tmp_path: Path) -> Iterator[Up]:
    made = Up(settings, tmp_path)
    yield made
    for process in (*made.started("ingest 0"), *made.started("decide")):
        if made.process.poll() is None and alive(process):
            os.kill(process, signal.SIGKILL)
    made.process.kill()
    made.process.wait()


def publish(transport: KafkaTransport, settings: Settings, names: range) -> None:
    """Predictions of this moment."""
    sender = transport.sender()
    now_ms = time.time_ns() // 1_000_000
    for i in names:
        who = {"prediction_id": f"p{i}", "model": "m", "version": "v1", "time": now_ms}
        value = json.dumps({**who, "output": {"score": 0.5}}).encode()
        sender.send(Message(settings.topic(topics.PREDICTIONS), value, key=f"p{i}".encode()))
    sender.close()


def test_killed_children_come_again_and_all_end_together(up: Up, settings: Settings) -> None:
    """SIGKILL costs no event; SIGTERM ends everything in order, with code 0."""
    up.wait(lambda: bool(up.started("decide")))
    transport = KafkaTransport(settings.bootstrap)
    sender = transport.sender()
    activate(sender, settings, POLICY)
    sender.close()
    reader = ResultReader(transport, settings)

    def counted() -> int:
        reader.read(timeout_ms=100)
        return sum(window.predictions for window in reader.results.windows.values())

    publish(transport, settings, range(20))
    up.wait(lambda: counted() == 20)
    for child in ("ingest 0", "decide"):
        (first,) = up.started(child)
        os.kill(first, signal.SIGKILL)
    publish(transport, settings, range(20, 50))
    up.wait(lambda: counted() == 50)
    for child in ("ingest 0", "decide"):
        assert f"{child} ended with -9; starts again in 0.5 s" in up.said
        assert len(up.started(child)) == 2
    children = [up.started("ingest 0")[1], up.started("decide")[1]]
    assert all(map(alive, children))
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(timeout=40) == 0, up.said
    assert not any(map(alive, children))
    assert "does not stop" not in up.said
    reader.close()
    transport.close()


def test_a_broker_that_cannot_serve_ends_up_with_one_line(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    """Before any child is started: topics of another shape are no case for restarts."""
    settings = Settings(bootstrap=kafka.bootstrap, prefix=prefix, shards=2)
    transport = KafkaTransport(kafka.bootstrap)
    transport.ensure_topics([spec.named(prefix) for spec in topics.table(shards=3)])
    transport.close()
    started = Up(settings, tmp_path)
    assert started.process.wait(timeout=40) == 1
    assert started.said.startswith("error ")
    assert settings.topic("predictions") in started.said
    assert "runs as process" not in started.said
