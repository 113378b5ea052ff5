"""Brokers that are away for a while cost time, and neither membership, memory nor rows."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from job import contents, decisions, results_of
from scenario import Scenario, announce, closing, prefixed, scenario

from schemas import topics
from streams.results import Results
from streams.runtime import catalogue
from streams.runtime.broker import Broker
from streams.runtime.clock import ManualClock, SystemClock
from streams.runtime.cluster import Cluster
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.kafka import KafkaTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

SESSION_MS = 60_000
AWAY_S = 6.0
PATIENCE_S = 120


@pytest.fixture(scope="module")
def story() -> Scenario:
    return scenario(3_000)


@pytest.fixture
def transport(kafka: Broker) -> Iterator[KafkaTransport]:
    made = KafkaTransport(kafka.bootstrap)
    yield made
    made.close()


@pytest.fixture
def hasty(kafka: Broker) -> Iterator[KafkaTransport]:
    """A transport whose calls wait much shorter than the brokers are away."""
    made = KafkaTransport(
        kafka.bootstrap,
        timeout_ms=1_500,
        session_timeout_ms=SESSION_MS,
        max_poll_interval_ms=SESSION_MS,
    )
    yield made
    made.close()


@contextmanager
def away(kafka: Broker) -> Iterator[None]:
    """The broker's process stands still."""
    process = kafka._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def undisturbed(story: Scenario) -> Results:
    """What the same events give over a log that is always there."""
    settings = Settings(shards=2, poll_ms=0, checkpoint_ms=1 << 60)
    cluster = Cluster(settings, clock=ManualClock())
    announce(cluster.transport, settings, story)
    with cluster:
        for message in [*story.messages, *closing(settings, story.end_ms)]:
            cluster.transport.sender().send(message)
        cluster.drain()
        return results_of(cluster.transport, settings)


def test_a_worker_waits_as_a_member_and_goes_on(
    kafka: Broker,
    prefix: str,
    tmp_path: Path,
    transport: KafkaTransport,
    hasty: KafkaTransport,
    story: Scenario,
) -> None:
    """Longer than any call waits: it reads nothing meanwhile, and counts every row once."""
    settings = Settings(
        bootstrap=kafka.bootstrap,
        prefix=prefix,
        shards=2,
        data=tmp_path / "first",
        idle_ms=3_600_000,
        checkpoint_ms=50,
        checkpoint_records=100,
        poll_records=100,
    )
    announce(transport, settings, story)
    sender = transport.sender()
    for message in story.messages:
        sender.send(prefixed(message, settings))
    sender.flush()
    metrics = Metrics("test")
    worker = IngestWorker(transport=hasty, settings=settings, clock=SystemClock(), metrics=metrics)

    def value(metric: catalogue.Declared, **labels: str) -> float:
        return metrics.value(metric, **labels) or 0.0

    def read() -> float:
        return sum(
            value(catalogue.RECORDS, topic=settings.topic(name))
            for name in (topics.PREDICTIONS, topics.FEEDBACK)
        )

    deadline = time.monotonic() + PATIENCE_S
    while value(catalogue.CHECKPOINTS) < 3:
        assert time.monotonic() < deadline
        worker.step()
    with away(kafka):
        until = time.monotonic() + AWAY_S
        while not value(catalogue.COMMIT_RETRIES):
            assert time.monotonic() < until
            worker.step()
        by_then = read()
        assert by_then < len(story.messages)
        while time.monotonic() < until:
            assert worker.step()
        assert read() == by_then
    for message in closing(settings, story.end_ms):
        sender.send(message)
    sender.close()
    expected = len(story.messages) + 2 * settings.shards
    while read() < expected:
        assert time.monotonic() < deadline
        worker.step()
    worker.close()
    assert value(catalogue.REBALANCES) == 1
    plain = undisturbed(story)
    deadline = time.monotonic() + PATIENCE_S
    with Cluster(settings, transport=transport, data=tmp_path / "second") as cluster:
        while len((found := results_of(transport, settings)).windows) < len(plain.windows):
            assert time.monotonic() < deadline
            until = time.monotonic() + 3.0
            while time.monotonic() < until:
                cluster.step()
    assert contents(found) == contents(plain)
    assert decisions(found) == decisions(plain)
