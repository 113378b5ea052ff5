"""``kittiwake budget``: the ledger of a model, from the checkpoints in a real log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Kittiwake, runner
from scenario import POLICY, announce, closing, scenario

from schemas import topics
from schemas.ledger import Ledger
from streams.records import Message
from streams.runtime.broker import Broker
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.kafka import KafkaTransport
from streams.runtime.ledgers import read_ledgers
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport

SETTINGS = Settings(shards=1, models=1, poll_ms=0, checkpoint_ms=1 << 60)
COPIED = (*topics.CONTROL, topics.CHECKPOINTS)


@pytest.fixture(scope="module")
def job() -> Iterator[Cluster]:
    """A fraud model's four hours, decided."""
    story = scenario(2_000)
    cluster = Cluster(SETTINGS, clock=ManualClock())
    announce(cluster.transport, SETTINGS, story)
    sender = cluster.transport.sender()
    with cluster:
        for message in [*story.messages, *closing(SETTINGS, story.end_ms)]:
            sender.send(message)
        cluster.drain()
        yield cluster


@pytest.fixture
def settings(kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The command finds broker and prefix in the environment."""
    monkeypatch.setenv("KITTIWAKE_BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("KITTIWAKE_PREFIX", prefix)
    monkeypatch.setenv("KITTIWAKE_SHARDS", "1")
    return Settings()


@pytest.fixture
def kittiwake(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Kittiwake:
    monkeypatch.chdir(tmp_path)
    return runner(monkeypatch, capsys)


def copy(source: Transport, settings: Settings) -> None:
    """Bring the control topics and the checkpoints of a job to a broker."""
    transport = KafkaTransport(settings.bootstrap)
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    for name in COPIED:
        for number in range(source.partition_count(name) or 0):
            for record in source.read(name, number):
                copied = Message(
                    topic=settings.topic(name), partition=number, key=record.key, value=record.value
                )
                sender.send(copied)
    sender.close()
    transport.close()


def test_the_ledger_of_a_job_is_shown(
    kittiwake: Kittiwake, settings: Settings, job: Cluster
) -> None:
    """Its sums in words, then its tests; as JSON it is what the checkpoints say."""
    copy(job.transport, settings)
    (expected,) = read_ledgers(job.transport, SETTINGS)
    shown = kittiwake("budget", "fraud")
    assert shown.code == 0, shown.err
    for words in (
        "False-alarm budget of fraud, as of",
        "1 false alarm allowed per 30d",
        f"{expected.promised:.3g} promised as the tests stand now",
        f"{expected.spent_in_period:.3g} spent in the last 30d, {expected.left:.3g} left",
        f"and {len(expected.entries) - 20} more; --all shows them",
        "region=EU",
    ):
        assert words in shown.words
    everything = kittiwake("budget", "fraud", "--all")
    calibrated = sum(entry.metric == "calibration" for entry in expected.entries)
    assert everything.out.count("calibration") == calibrated == 3
    told = kittiwake("budget", "fraud", "--json")
    assert Ledger.model_validate_json(told.out) == expected
    assert json.loads(told.out)["budget"] == 1.0
    unknown = kittiwake("budget", "froud")
    assert (unknown.code, unknown.out) == (1, "")
    assert "no test of model 'froud' has seen a window" in unknown.err
    assert "models with a ledger: fraud" in unknown.err


def test_the_ledger_adds_up(job: Cluster) -> None:
    """Over versions and segments: within the budget, and the sum of its entries."""
    (ledger,) = read_ledgers(job.transport, SETTINGS)
    assert ledger.policy == POLICY.hash
    assert 0.0 < ledger.promised <= ledger.budget * (1 + 1e-9)
    assert ledger.promised == pytest.approx(sum(entry.per_period for entry in ledger.entries))
    assert ledger.spent == pytest.approx(sum(entry.spent for entry in ledger.entries))
    assert ledger.spent_in_period == pytest.approx(ledger.spent, abs=1e-9)
    opened = [entry for entry in ledger.entries if entry.alerts]
    assert opened
    assert all(0.0 < (entry.last_cost or 0.0) <= entry.spent for entry in opened)


def test_without_topics_there_is_no_ledger(kittiwake: Kittiwake, settings: Settings) -> None:
    """The topic that is missing is named, and what to do."""
    missing = kittiwake("budget", "fraud")
    assert missing.code == 1
    assert f"no topic {settings.topic(topics.CHECKPOINTS)}" in missing.err
