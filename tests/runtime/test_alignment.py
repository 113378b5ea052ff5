"""Feedback does not run ahead of the predictions it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import pytest

from benchmarks import events, messages
from schemas import topics
from streams.ingest.admit.watermark import BEFORE_ALL
from streams.ingest.feedback import Feedback
from streams.ingest.store.pending import Waiting
from streams.records import Message
from streams.runtime import catalogue
from streams.runtime.alignment import Alignment
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


def filled(settings: Settings, every: Iterable[Message]) -> LocalTransport:
    """A log with a policy and these messages."""
    transport = LocalTransport()
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    activate(sender, settings, events.POLICY, events.reference())
    for message in every:
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
    aside = []
    wait = Feedback._wait

    def counted(self: Feedback, place: bytes, feedback: Sequence[Waiting]) -> None:
        aside.append(place)
        wait(self, place, feedback)

    monkeypatch.setattr(Feedback, "_wait", counted)
    step_ms = 100
    truths = [
        messages.in_json(
            settings.topic(topics.FEEDBACK),
            events.key(row),
            {
                "prediction_id": events.key(row),
                "model": events.MODEL,
                "time": events.START_MS + (row + 2) * step_ms,
                "label": True,
            },
        )
        for row in range(0, ROWS, EACH)
    ]
    predicted = events.predictions(settings, ROWS, step_ms=step_ms)
    metrics = Metrics("ingest")
    worker = worker_of(settings, filled(settings, (*truths, *predicted)), metrics)
    while worker.step():
        pass
    worker.checkpoint()
    worker.close()
    assert metrics.value(catalogue.JOINED, model=events.MODEL) == ROWS // EACH
    assert len(aside) <= ROWS // EACH // 5


def test_feedback_is_paused_only_while_its_shard_is_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until predictions lead by as much as it moves on in a step, a minute at most, or one step
    reads all that are left of them."""
    feedback, predictions = (
        (settings.topic(topic), 0) for topic in (topics.FEEDBACK, topics.PREDICTIONS)
    )
    some = (*events.feedback(settings, 3), *events.predictions(settings, 3))
    member = filled(settings, some).member(
        group="g", topics=[feedback[0], predictions[0]], rebalance=Anywhere(), transactional_id="t"
    )
    alignment, paused = Alignment(member, step_records=10), set()
    pause, resume = member.pause, member.resume
    monkeypatch.setattr(member, "pause", lambda some: (pause(some), paused.update(some)))
    monkeypatch.setattr(
        member, "resume", lambda some: (resume(some), paused.difference_update(some))
    )

    def follow(feedback_ms: int, predictions_ms: int, lag: int = 11) -> bool:
        alignment.follow(feedback, feedback_ms=feedback_ms, predictions_ms=predictions_ms, lag=lag)
        return feedback in paused

    member.poll(max_records=1, timeout_ms=0)
    assert follow(BEFORE_ALL, BEFORE_ALL)
    assert not follow(BEFORE_ALL, 1_000)
    assert follow(1_000, 1_000)
    assert not follow(1_000, 2_000)
    assert follow(31_000, 2_000)
    assert follow(31_000, 61_000)
    assert not follow(31_000, 61_001)
    assert follow(200_000, 61_001)
    assert not follow(200_000, 260_001)
    assert not follow(300_000, 260_001, lag=10)
    assert follow(300_000, 260_001)
    assert {record.topic for record in member.poll(max_records=9, timeout_ms=0)} == {predictions[0]}
    assert not follow(300_000, 260_001, lag=0)
    assert {record.topic for record in member.poll(max_records=9, timeout_ms=0)} == {feedback[0]}
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
