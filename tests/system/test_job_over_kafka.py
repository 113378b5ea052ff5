"""The whole job over a real Kafka gives what it gives in one process, crashes or not."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from job import Job, contents, decisions, published, results_of
from scenario import Scenario, announce, closing, prefixed, scenario

from schemas import topics
from schemas.rollouts import RolloutAction
from streams.results import ResultReader, Results
from streams.runtime.broker import Broker
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.kafka import KafkaTransport
from streams.runtime.settings import Settings

EVENTS = 200_000
PREDICTIONS = 120_000
KILLS = 5


@pytest.fixture(scope="module")
def story() -> Scenario:
    """At least 200,000 events."""
    made = scenario(PREDICTIONS)
    assert len(made.messages) >= EVENTS
    return made


@pytest.fixture(scope="module")
def in_process(story: Scenario) -> Results:
    """What one process gives, uninterrupted."""
    settings = Settings(poll_ms=0, checkpoint_ms=1 << 60, checkpoint_records=30_000)
    cluster = Cluster(settings, clock=ManualClock())
    announce(cluster.transport, settings, story)
    sender = cluster.transport.sender()
    with cluster:
        for message in [*story.messages, *closing(settings, story.end_ms)]:
            sender.send(message)
        cluster.drain()
        reader = ResultReader(cluster.transport, settings)
        reader.read()
    return reader.results


@pytest.fixture
def transport(kafka: Broker) -> Iterator[KafkaTransport]:
    made = KafkaTransport(kafka.bootstrap)
    yield made
    made.close()


@pytest.fixture
def job(kafka: Broker, prefix: str, tmp_path: Path) -> Iterator[Job]:
    settings = Settings(
        bootstrap=kafka.bootstrap, prefix=prefix, idle_ms=3_600_000, checkpoint_ms=500
    )
    made = Job(kafka.bootstrap, settings, tmp_path)
    yield made
    made.abandon()


def publish(
    transport: KafkaTransport, settings: Settings, story: Scenario, *, for_s: float = 0
) -> None:
    """Publish all events, evenly over so many seconds, and the closing heartbeats."""
    sender = transport.sender()
    began = time.monotonic()
    for i, message in enumerate(story.messages):
        sender.send(prefixed(message, settings))
        if for_s and i % 500 == 0:
            time.sleep(max(0.0, began + for_s * i / len(story.messages) - time.monotonic()))
    sender.flush()
    for message in closing(settings, story.end_ms):
        sender.send(message)
    sender.close()


def assert_same(found: Results, expected: Results) -> None:
    """The same final windows, bit for bit, and the same alerts and rollouts."""
    assert contents(found) == contents(expected)
    assert decisions(found) == decisions(expected)


def test_the_scenario_has_a_story(in_process: Results) -> None:
    """Else the comparisons below would compare little."""
    actions = {event.action for event in in_process.rollouts.values()}
    metrics = {alert.metric for alert in in_process.alerts.values()}
    assert RolloutAction.ROLLBACK_ADVISED in actions
    assert {"error_rate", "tv"} <= metrics
    assert len(in_process.windows) > 150
    assert in_process.dead_letters > 100


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_over_kafka_give_what_one_process_gives(
    workers: int, job: Job, transport: KafkaTransport, story: Scenario, in_process: Results
) -> None:
    """With one INGEST worker, and with two that share the shards."""
    announce(transport, job.settings, story)
    for i in range(workers):
        job.start(f"ingest-{i}")
    job.start("decide-0")
    publish(transport, job.settings, story)
    job.wait(transport, timeout_s=240)
    job.stop()
    assert_same(results_of(transport, job.settings), in_process)


def test_workers_may_join_and_leave_in_midstream(
    job: Job, transport: KafkaTransport, story: Scenario, in_process: Results
) -> None:
    """Shards move from one INGEST worker to two, and on to the second alone."""
    announce(transport, job.settings, story)
    job.start("ingest-0")
    job.start("decide-0")
    job.wait_for("ingest-0", "decide-0")
    publisher = threading.Thread(
        target=publish, args=(transport, job.settings, story), kwargs={"for_s": 16}
    )
    publisher.start()
    time.sleep(5)
    job.start("ingest-1")
    job.wait_for("ingest-1")
    time.sleep(5)
    job.leave("ingest-0")
    publisher.join()
    job.wait(transport, timeout_s=240)
    job.stop()
    assert_same(results_of(transport, job.settings), in_process)


def test_sigkill_loses_nothing_and_counts_nothing_twice(
    job: Job, transport: KafkaTransport, story: Scenario, in_process: Results
) -> None:
    """INGEST and DECIDE are killed five times each, at random points, while events come in.

    Once the disk is lost too: the join store is rebuilt from its log.
    """
    announce(transport, job.settings, story)
    names = ["ingest-0", "decide-0"]
    for name in names:
        job.start(name)
    publisher = threading.Thread(
        target=publish, args=(transport, job.settings, story), kwargs={"for_s": 50}
    )
    publisher.start()
    rng = random.Random(20_081_017)
    victims = names * KILLS
    rng.shuffle(victims)
    killed: Counter[str] = Counter()
    for victim in victims:
        time.sleep(rng.uniform(2.5, 6))
        job.kill(victim)
        killed[victim] += 1
        if victim == "ingest-0" and killed[victim] == 3:
            job.lose_disk(victim)
        job.start(victim)
    publisher.join()
    assert killed == {"ingest-0": KILLS, "decide-0": KILLS}
    job.wait(transport, timeout_s=240)
    job.stop()
    assert_same(results_of(transport, job.settings), in_process)
    for topic in (topics.ALERTS, topics.ROLLOUTS, topics.WINDOWS):
        bodies = published(transport, job.settings, topic)
        assert all(len(versions) == 1 for versions in bodies.values())


def test_two_workers_that_are_killed_in_turn_count_everything_once(
    job: Job, transport: KafkaTransport, story: Scenario, in_process: Results
) -> None:
    """Each comes back at once under its name, most likely while its old session goes on."""
    announce(transport, job.settings, story)
    workers = ["ingest-0", "ingest-1"]
    for name in (*workers, "decide-0"):
        job.start(name)
    job.wait_for(*workers)
    publisher = threading.Thread(
        target=publish, args=(transport, job.settings, story), kwargs={"for_s": 36}
    )
    publisher.start()
    for victim in workers * 2:
        time.sleep(5)
        job.kill(victim)
        job.start(victim)
        job.wait_for(victim)
    publisher.join()
    job.wait(transport, timeout_s=240)
    job.stop()
    assert_same(results_of(transport, job.settings), in_process)
