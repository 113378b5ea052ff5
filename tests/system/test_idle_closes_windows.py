"""Windows close though nobody calls: in one process, and as processes over a real Kafka."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from job import Job

from schemas import topics
from schemas.policy import Labels, Policy, Task
from schemas.windows import WindowResult
from streams.records import Message
from streams.results import ResultReader
from streams.runtime.announce import activate
from streams.runtime.broker import Broker
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.kafka import KafkaTransport
from streams.runtime.partitioner import partition_of
from streams.runtime.settings import Settings
from streams.runtime.transport import Sender

T0 = 1_800_000_000_000
POLICY = Policy(
    model="quiet",
    task=Task.BINARY,
    pane="1s",
    window="2s",
    lateness="0s",
    labels=Labels(horizon="1m", maturity="3s", lateness="0s", coverage=0.5),
)
SETTINGS = Settings(
    shards=2, poll_ms=0, poll_records=8, idle_ms=1_000, checkpoint_ms=1, checkpoint_records=1 << 60
)


def publish(
    sender: Sender, settings: Settings, number: int, time_ms: int, *, told: bool = True
) -> None:
    """A prediction, and its truth a moment later."""
    name = f"p{number}"
    who = {"prediction_id": name, "model": "quiet", "time": time_ms}
    event = {**who, "version": "v1", "output": {"score": 0.75}}
    for topic, body in ((topics.PREDICTIONS, event), (topics.FEEDBACK, {**who, "label": 1})):
        if told or topic == topics.PREDICTIONS:
            value = json.dumps(body).encode()
            key = name.encode()
            sender.send(Message(settings.topic(topic), value, key=key, timestamp_ms=time_ms))


class Quiet:
    """The job in one process, whose clock is moved by hand."""

    def __init__(self) -> None:
        self.clock = ManualClock(T0)
        self.cluster = Cluster(SETTINGS, clock=self.clock)
        self.sender = self.cluster.transport.sender()
        activate(self.sender, SETTINGS, POLICY)
        self.cluster.start()
        self.reader = ResultReader(self.cluster.transport, SETTINGS)

    def publish(self, number: int, time_ms: int, *, told: bool = True) -> None:
        publish(self.sender, SETTINGS, number, time_ms, told=told)

    def wait(self, elapsed_ms: int) -> list[WindowResult]:
        """Work while time goes by, in steps of 100 ms; the windows by now."""
        for _ in range(0, elapsed_ms, 100):
            self.clock.now_ms += 100
            self.cluster.step()
        self.reader.read()
        return sorted(self.reader.results.windows.values(), key=lambda window: window.start_ms)


@pytest.fixture
def quiet() -> Iterator[Quiet]:
    made = Quiet()
    yield made
    made.cluster.close()


def test_windows_close_and_mature_without_further_traffic(quiet: Quiet) -> None:
    """At the pace of the clock, once both topics have been at their ends for a while."""
    for i in range(20):
        quiet.publish(i, T0 + 50 * i)
    assert quiet.wait(800) == []
    (window,) = quiet.wait(2_500)
    assert (window.start_ms, window.predictions, window.coverage.labelled) == (T0, 20, 20)
    assert not window.coverage.matured
    (window,) = quiet.wait(4_000)
    assert window.coverage.matured


def test_one_busy_shard_is_not_held_up_by_a_silent_one(quiet: Quiet) -> None:
    """A shard without a row waits its time, then it is left out."""
    first = "p0"
    for i in range(60):
        quiet.sender.send(_on_the_shard_of(first, i, T0 + 100 * i))
        quiet.wait(100)
    found = quiet.wait(100)
    assert [window.start_ms - T0 for window in found[:2]] == [0, 2_000]
    assert found[0].predictions == 20


def _on_the_shard_of(key: str, number: int, time_ms: int) -> Message:
    place = partition_of(key.encode(), SETTINGS.shards)
    name = next(
        f"q{number}-{i}"
        for i in range(99)
        if partition_of(f"q{number}-{i}".encode(), SETTINGS.shards) == place
    )
    who = {"prediction_id": name, "model": "quiet", "time": time_ms, "version": "v1"}
    value = json.dumps({**who, "output": {"score": 0.75}}).encode()
    return Message(topics.PREDICTIONS, value, key=name.encode(), timestamp_ms=time_ms)


def test_a_worker_behind_the_log_never_looks_like_a_quiet_model(quiet: Quiet) -> None:
    """However long it takes to read, nothing is idle before the end has been reached."""
    for i in range(400):
        quiet.publish(i, T0 + i)
    for _ in range(20):
        quiet.clock.now_ms += 10_000
        quiet.cluster.step()
    quiet.reader.read()
    assert quiet.reader.results.windows == {}
    (window,) = quiet.wait(12_000)
    assert (window.predictions, window.coverage.labelled) == (400, 400)


def test_a_row_after_the_pause_still_counts(quiet: Quiet) -> None:
    """It is as late as its own partition says, and the window that had closed is revised."""
    quiet.publish(0, T0 + 100)
    (window,) = quiet.wait(4_000)
    assert (window.predictions, window.late) == (1, 0)
    quiet.publish(0, T0 + 50)
    quiet.publish(0, T0 + 100)
    quiet.sender.send(_on_the_shard_of("p0", 1, T0 + 100))
    (revised,) = quiet.wait(1_000)
    assert revised.id == window.id
    assert revised.revision > window.revision
    assert (revised.predictions, revised.duplicates, revised.late) == (2, 2, 0)


def test_processes_over_kafka_close_windows_at_rest(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    """Ten events by the wall clock, then silence: the window is out seconds later."""
    settings = Settings(
        bootstrap=kafka.bootstrap, prefix=prefix, shards=2, idle_ms=500, checkpoint_ms=100
    )
    transport = KafkaTransport(kafka.bootstrap)
    transport.ensure_topics(
        [spec.named(prefix) for spec in topics.table(shards=2, models=settings.models)]
    )
    sender = transport.sender()
    activate(sender, settings, POLICY)
    job = Job(kafka.bootstrap, settings, tmp_path)
    reader = ResultReader(transport, settings)
    try:
        for name in ("ingest-0", "decide-0"):
            job.start(name)
        began_ms = time.time_ns() // 1_000_000
        for i in range(10):
            publish(sender, settings, i, began_ms - began_ms % 2_000 + i)
        sender.flush()
        deadline = time.monotonic() + 60
        while not any(w.coverage.matured for w in reader.results.windows.values()):
            assert time.monotonic() < deadline, job.log("ingest-0") + job.log("decide-0")
            job.check()
            reader.read(timeout_ms=200)
        (window,) = reader.results.windows.values()
        assert (window.predictions, window.coverage.labelled, window.late) == (10, 10, 0)
        job.stop()
    finally:
        job.abandon()
        reader.close()
        sender.close()
        transport.close()
