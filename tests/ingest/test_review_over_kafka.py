"""Review requests over a real Kafka: an INGEST that is killed asks for the same, once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from job import Job, published
from scenario import POLICY, Scenario, prefixed, scenario

from schemas import topics
from schemas.review import Review
from streams.runtime.announce import activate
from streams.runtime.broker import Broker
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.kafka import KafkaTransport
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport

ASKS = POLICY.model_copy(update={"review": Review(uncertain=0.5, audit=0.2, disputed=0.7)})


@pytest.fixture(scope="module")
def story() -> Scenario:
    return scenario(4_000)


@pytest.fixture
def job(kafka: Broker, prefix: str, tmp_path: Path) -> Iterator[Job]:
    settings = Settings(
        bootstrap=kafka.bootstrap, prefix=prefix, idle_ms=3_600_000, checkpoint_ms=200
    )
    made = Job(kafka.bootstrap, settings, tmp_path)
    yield made
    made.abandon()


def requests(transport: Transport, settings: Settings) -> dict[str, set[bytes]]:
    """Bodies by id, as one who reads what is committed sees them."""
    return published(transport, settings, topics.REVIEW)


def in_process(story: Scenario) -> dict[str, set[bytes]]:
    settings = Settings(poll_ms=0, checkpoint_ms=1 << 60)
    cluster = Cluster(settings, clock=ManualClock())
    activate(cluster.transport.sender(), settings, ASKS)
    with cluster:
        for message in story.messages:
            cluster.transport.sender().send(message)
        cluster.drain()
        return requests(cluster.transport, settings)


def test_a_kill_changes_no_request_and_repeats_none(
    kafka: Broker, job: Job, story: Scenario
) -> None:
    """The transaction of a checkpoint holds them; number of shards and process do not matter."""
    expected = in_process(story)
    assert len(expected) > 700
    settings, transport = job.settings, KafkaTransport(kafka.bootstrap)
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    activate(sender, settings, ASKS)
    half, deadline = len(story.messages) // 2, time.monotonic() + 90
    job.start("ingest-0")
    for message in story.messages[:half]:
        sender.send(prefixed(message, settings))
    sender.flush()
    while not requests(transport, settings):
        job.check()
        assert time.monotonic() < deadline, job.log("ingest-0")
        time.sleep(0.1)
    job.kill("ingest-0")
    for message in story.messages[half:]:
        sender.send(prefixed(message, settings))
    sender.close()
    job.start("ingest-0")
    while requests(transport, settings) != expected:
        job.check()
        assert time.monotonic() < deadline, job.log("ingest-0")
        time.sleep(0.3)
    name = settings.topic(topics.REVIEW)
    partitions = range(transport.partition_count(name) or 0)
    records = [record for p in partitions for record in transport.read(name, p)]
    assert len(records) == len(expected)
    transport.close()
