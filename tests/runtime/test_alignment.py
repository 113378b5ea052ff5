"""Feedback does not run ahead of the predictions it belongs to."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from benchmarks import events
from schemas import topics
from streams.runtime import catalogue
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

ROWS = 4_000

EACH = 10
"""One of so many predictions has a truth, so that those are read sooner."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """One shard; a poll takes a hundredth of what there is."""
    return Settings(data=tmp_path, shards=1, poll_records=ROWS // 100, poll_ms=0)


def test_feedback_waits_until_its_predictions_have_been_read(settings: Settings) -> None:
    """All of it is there from the start, a day of predictions too; none is put aside."""
    transport, metrics = LocalTransport(), Metrics("ingest")
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    activate(sender, settings, events.POLICY, events.reference())
    # A prediction each 20 s, and each truth 10 minutes after it.
    for message in islice(events.feedback(settings, ROWS, step_ms=20_000), 0, None, EACH):
        sender.send(message)
    for message in events.predictions(settings, ROWS, step_ms=20_000):
        sender.send(message)
    sender.close()
    worker = IngestWorker(
        transport=transport, settings=settings, clock=ManualClock(), metrics=metrics
    )
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


def test_feedback_alone_is_read_to_its_end(settings: Settings) -> None:
    """Where predictions have all been read, it waits for none."""
    transport, metrics = LocalTransport(), Metrics("ingest")
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    activate(sender, settings, events.POLICY, events.reference())
    for message in events.feedback(settings, ROWS, step_ms=20_000):
        sender.send(message)
    sender.close()
    worker = IngestWorker(
        transport=transport, settings=settings, clock=ManualClock(), metrics=metrics
    )
    while worker.step():
        pass
    assert metrics.value(catalogue.RECORDS, topic=settings.topic(topics.FEEDBACK)) == ROWS
    worker.close()
