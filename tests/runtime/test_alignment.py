"""Feedback does not run ahead of the predictions it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest

from benchmarks import events
from schemas import topics
from streams.ingest.feedback import Feedback
from streams.records import Message, Records
from streams.runtime import catalogue
from streams.runtime.alignment import EARLY, Alignment
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from tests.support.rebalance import Anywhere

ROWS = 4_000

EACH = 10
"""One of so many predictions has a truth, so that those are read sooner."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One shard; a poll takes a hundredth of what there is."""
    return Settings(data=tmp_path, shards=1, poll_records=ROWS // 100, poll_ms=0)


def filled(settings: Settings, messages: Iterable[Message]) -> LocalTransport:
    """A log with a policy and these messages."""
    transport = LocalTransport()
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    activate(sender, settings, events.POLICY, events.reference())
    for message in messages:
        sender.send(message)
    sender.close()
    return transport


def worker_of(settings: Settings, transport: LocalTransport, metrics: Metrics) -> IngestWorker:
    return IngestWorker(
        transport=transport, settings=settings, clock=ManualClock(), metrics=metrics
    )


def test_feedback_waits_until_its_predictions_have_been_read(settings: Settings) -> None:
    """All of it is there from the start, a day of predictions too; none is put aside."""
    # A prediction each 20 s, and each truth 10 minutes after it.
    truths = islice(events.feedback(settings, ROWS, step_ms=20_000), 0, None, EACH)
    predicted = events.predictions(settings, ROWS, step_ms=20_000)
    transport, metrics = filled(settings, (*truths, *predicted)), Metrics("ingest")
    worker = worker_of(settings, transport, metrics)
    feedback, predictions = (
        settings.topic(topic) for topic in (topics.FEEDBACK, topics.PREDICTIONS)
    )
    ahead = 0.0
    while worker.step():
        read = [
            metrics.value(catalogue.RECORDS, topic=topic) or 0 for topic in (feedback, predictions)
        ]
        ahead = max(ahead, read[0] - read[1])
    worker.checkpoint()
    worker.close()
    assert ahead <= 2 * EACH * settings.poll_records
    joined = metrics.value(catalogue.JOINED, model=events.MODEL)
    assert joined == ROWS // EACH
    committed = transport.committed(settings.prefix + "kittiwake-ingest", [(feedback, 0)])
    assert committed[feedback, 0] == ROWS // EACH


def test_feedback_that_follows_at_once_is_seldom_put_aside(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each truth comes two predictions later, and is read in far larger steps."""
    early = []
    take = Feedback.take

    def counted(self: Feedback, records: Records) -> None:
        take(self, records)
        early.append(self.early)

    monkeypatch.setattr(Feedback, "take", counted)
    truths = islice(events.feedback(settings, ROWS, step_ms=300_000), 0, None, EACH)
    predicted = events.predictions(settings, ROWS, step_ms=300_000)
    metrics = Metrics("ingest")
    worker = worker_of(settings, filled(settings, (*truths, *predicted)), metrics)
    while worker.step():
        pass
    worker.checkpoint()
    worker.close()
    assert metrics.value(catalogue.JOINED, model=events.MODEL) == ROWS // EACH
    assert sum(early) <= ROWS // EACH // 5


def test_feedback_is_paused_only_while_it_comes_early(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until predictions lead by as much as it moves on in a step, or are all read."""
    feedback, predictions = (
        (settings.topic(topic), 0) for topic in (topics.FEEDBACK, topics.PREDICTIONS)
    )
    some = (*events.feedback(settings, 3), *events.predictions(settings, 3))
    transport = filled(settings, some)
    member = transport.member(
        group="g", topics=[feedback[0], predictions[0]], rebalance=Anywhere(), transactional_id="t"
    )
    alignment, paused = Alignment(member), set()
    pause, resume = member.pause, member.resume
    monkeypatch.setattr(member, "pause", lambda some: (pause(some), paused.update(some)))
    monkeypatch.setattr(
        member, "resume", lambda some: (resume(some), paused.difference_update(some))
    )

    def follow(feedback_ms: int, predictions_ms: int, early: float) -> bool:
        alignment.follow(
            feedback,
            predictions,
            feedback_ms=feedback_ms,
            predictions_ms=predictions_ms,
            early=early,
        )
        return feedback in paused

    member.poll(max_records=1, timeout_ms=0)
    assert follow(0, 0, 0.0)
    assert follow(0, 0, 0.0)
    assert not follow(0, 1_000, 0.0)
    assert follow(90_000, 1_000, 0.0)
    assert follow(90_000, 179_999, 0.0)
    assert not follow(90_000, 180_000, 0.0)
    assert not follow(100_000, 180_000, 0.0)
    assert follow(141_000, 180_000, 0.0)
    assert not follow(141_000, 182_000, 0.0)
    while member.poll(max_records=10, timeout_ms=0):
        pass
    assert not follow(190_000, 185_000, 1.0)
    sender = transport.sender()
    for message in events.predictions(settings, 2):
        sender.send(message)
    sender.close()
    member.poll(max_records=1, timeout_ms=0)
    assert not follow(200_000, 185_000, EARLY)
    assert follow(200_000, 185_000, 2 * EARLY)
    while member.poll(max_records=10, timeout_ms=0):
        pass
    assert not follow(200_000, 185_000, 0.0)
    member.close()


def test_feedback_alone_is_read_to_its_end(settings: Settings) -> None:
    """Where predictions have all been read, it waits for none."""
    metrics = Metrics("ingest")
    truths = events.feedback(settings, ROWS, step_ms=20_000)
    worker = worker_of(settings, filled(settings, truths), metrics)
    while worker.step():
        pass
    assert metrics.value(catalogue.RECORDS, topic=settings.topic(topics.FEEDBACK)) == ROWS
    worker.close()
