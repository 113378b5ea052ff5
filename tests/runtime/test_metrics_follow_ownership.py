"""A worker shows nothing of partitions that are another's by now."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import events
from schemas import topics
from streams.runtime import catalogue
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.decide_worker import DecideWorker
from streams.runtime.decision_metrics import BY_MODEL
from streams.runtime.ingest_metrics import BY_SHARD
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

ROWS = 2_000
SHARDS = 4


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Four shards; what was read is committed when the test says so."""
    return Settings(data=tmp_path, shards=SHARDS, poll_ms=0, checkpoint_ms=1 << 60)


@pytest.fixture
def transport(settings: Settings) -> LocalTransport:
    """Predictions and their truth over eleven hours, on every shard."""
    made = LocalTransport()
    made.ensure_topics(settings.topics())
    sender = made.sender()
    activate(sender, settings, events.POLICY, events.reference())
    for message in (
        *events.predictions(settings, ROWS, step_ms=20_000),
        *events.feedback(settings, ROWS, step_ms=20_000),
    ):
        sender.send(message)
    sender.close()
    return made


def labels_of(metrics: Metrics, declared: catalogue.Declared, label: str) -> set[str]:
    """The values of a label that a metric shows now."""
    return {
        sample.labels[label]
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == declared.name
    }


def test_shards_that_another_ingest_took_over(
    settings: Settings, transport: LocalTransport
) -> None:
    """Each shows its own shards and their lag; together they show each shard once."""

    def worker(name: str) -> tuple[IngestWorker, Metrics]:
        metrics = Metrics("ingest")
        own = settings.model_copy(update={"worker": name, "data": settings.data / name})
        made = IngestWorker(transport=transport, settings=own, clock=ManualClock(), metrics=metrics)
        return made, metrics

    def work(*workers: IngestWorker) -> None:
        steps = [True]
        while any(steps):
            steps = [each.step() for each in workers]
        for each in workers:
            each.checkpoint()

    every = {str(number) for number in range(SHARDS)}
    one, shown_by_one = worker("one")
    work(one)
    assert BY_SHARD
    for declared in BY_SHARD:
        assert labels_of(shown_by_one, declared, "shard") == every, declared.name
    assert labels_of(shown_by_one, catalogue.LAG, "partition") == every
    two, shown_by_two = worker("two")
    work(one, two)
    sender = transport.sender()
    for message in events.predictions(settings, ROWS, step_ms=20_000):
        sender.send(message)
    sender.close()
    work(one, two)
    for declared, label in (*((each, "shard") for each in BY_SHARD), (catalogue.LAG, "partition")):
        shown = [labels_of(each, declared, label) for each in (shown_by_one, shown_by_two)]
        assert sorted(map(len, shown)) == [SHARDS / 2, SHARDS / 2], declared.name
        assert set.union(*shown) == every, declared.name
    mine = labels_of(shown_by_one, catalogue.LAG, "partition")
    two.close()
    one.close()
    assert labels_of(shown_by_one, catalogue.LAG, "partition") >= mine


def test_models_that_decide_gives_up(settings: Settings, transport: LocalTransport) -> None:
    """Levels, verdicts, open alerts, budgets and lag; what was counted stays."""
    metrics, clock = Metrics("decide"), ManualClock()
    ingest = IngestWorker(
        transport=transport, settings=settings, clock=clock, metrics=Metrics("ingest")
    )
    while ingest.step():
        pass
    ingest.close()
    decide = DecideWorker(transport=transport, settings=settings, clock=clock, metrics=metrics)
    while decide.step():
        pass
    summaries = settings.topic(topics.SUMMARIES)
    assert labels_of(metrics, catalogue.LAG, "topic") >= {summaries}
    assert labels_of(metrics, catalogue.METRIC, "model") == {events.MODEL}
    assert labels_of(metrics, catalogue.BUDGET_SPENT, "model") == {events.MODEL}
    decide.revoked([(summaries, number) for number in range(settings.models)])
    assert not labels_of(metrics, catalogue.LAG, "topic")
    for declared in BY_MODEL:
        assert not labels_of(metrics, declared, "model"), declared.name
    decide.close()
    assert labels_of(metrics, catalogue.WINDOWS, "model") == {events.MODEL}
