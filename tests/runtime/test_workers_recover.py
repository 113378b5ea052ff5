"""INGEST and DECIDE go on after a death at any point as if nothing had happened."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from crashes import DECIDE_POINTS, INGEST_POINTS, CrashingTransport, Crew
from job import contents, decisions, published
from scenario import Scenario, announce, closing, scenario

from schemas import topics
from streams.results import ResultReader, Results
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.settings import Settings

SETTINGS = Settings(
    shards=2, poll_ms=0, poll_records=150, checkpoint_ms=1 << 60, checkpoint_records=250
)


@pytest.fixture(scope="module")
def story() -> Scenario:
    return scenario(3_000)


@pytest.fixture(scope="module")
def uninterrupted(story: Scenario) -> Results:
    """What one process gives that nobody disturbs."""
    cluster = Cluster(SETTINGS, clock=ManualClock())
    announce(cluster.transport, SETTINGS, story)
    sender = cluster.transport.sender()
    with cluster:
        for message in [*story.messages, *closing(SETTINGS, story.end_ms)]:
            sender.send(message)
        cluster.drain()
        return results_of(cluster.transport)


def results_of(transport: object) -> Results:
    reader = ResultReader(transport, SETTINGS)
    reader.read()
    return reader.results


def assert_as_if_nothing_had_happened(transport: CrashingTransport, expected: Results) -> None:
    found = results_of(transport)
    assert contents(found) == contents(expected)
    assert decisions(found) == decisions(expected)
    assert found.dead_letters == expected.dead_letters
    for topic in topics.OUTPUTS:
        assert all(len(bodies) == 1 for bodies in published(transport, SETTINGS, topic).values())


def test_there_is_something_to_lose(uninterrupted: Results) -> None:
    """Else the comparisons below would compare little."""
    assert len(uninterrupted.windows) > 150
    assert uninterrupted.alerts
    assert uninterrupted.rollouts
    assert uninterrupted.dead_letters > 0
    assert any(window.late for window in uninterrupted.windows.values())


@pytest.mark.parametrize(("shards", "records"), [(1, 1 << 60), (1, 200), (2, 1 << 60)])
def test_many_checkpoints_or_a_single_one_give_the_same(
    shards: int, records: int, story: Scenario, uninterrupted: Results
) -> None:
    """Also where one checkpoint spans more event time than a window is held for."""
    changed = {"shards": shards, "checkpoint_records": records}
    settings = SETTINGS.model_copy(update=changed)
    transport = CrashingTransport()
    announce(transport, settings, story)
    for message in [*story.messages, *closing(settings, story.end_ms)]:
        transport.sender().send(message)
    with Cluster(settings, transport=transport, clock=ManualClock()) as cluster:
        while cluster.step():
            pass
        cluster.drain()
    assert_as_if_nothing_had_happened(transport, uninterrupted)


@pytest.mark.parametrize(
    ("seed", "workers", "keep_disk"),
    [(1, 1, True), (2, 1, False), (3, 2, True), (4, 2, False)],
)
def test_deaths_at_random_points_change_nothing(
    seed: int,
    workers: int,
    keep_disk: bool,
    story: Scenario,
    uninterrupted: Results,
    tmp_path: Path,
) -> None:
    """With the old disk or an empty one, alone or with another worker to take over."""
    rng = random.Random(seed)
    transport = CrashingTransport()
    announce(transport, SETTINGS, story)
    crew = Crew(transport, SETTINGS, tmp_path, workers=workers, keep_disk=keep_disk)
    sender = transport.sender()
    messages = list(story.messages)
    while messages:
        size = rng.randint(20, 160)
        for message in messages[:size]:
            sender.send(message)
        del messages[:size]
        for _ in range(rng.randint(0, 2)):
            crew.step()
        if rng.random() < 0.5:
            crew.crash_ingest(rng.randrange(workers), rng.choice(INGEST_POINTS), rng)
        if rng.random() < 0.5:
            crew.crash_decide(rng.choice(DECIDE_POINTS), rng)
    for message in closing(SETTINGS, story.end_ms):
        sender.send(message)
    crew.drain()
    crew.close()
    points = {f"ingest {point}" for point in INGEST_POINTS}
    points |= {f"decide {point}" for point in DECIDE_POINTS}
    assert crew.crashes.keys() == points, crew.crashes
    assert_as_if_nothing_had_happened(transport, uninterrupted)
