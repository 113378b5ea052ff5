"""A worker commits once what rows add up to takes as much memory as it may."""

from __future__ import annotations

import json
from pathlib import Path

from schemas import topics
from schemas.policy import Policy, Task
from schemas.summaries import decode
from streams.records import Message
from streams.runtime import catalogue
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

HOUR = 3_600_000
T0 = 480_000 * HOUR
ROWS, HELD = 300, 100_000


def test_memory_of_open_panes_is_bounded(tmp_path: Path) -> None:
    """Every row opens a pane of its own, and neither time, nor rows, nor bytes make one due."""
    settings = Settings(
        shards=1,
        poll_ms=0,
        poll_records=10,
        checkpoint_ms=10**9,
        checkpoint_records=10**9,
        held_bytes=HELD,
        data=tmp_path,
    )
    transport = LocalTransport()
    transport.ensure_topics(topics.table(shards=1))
    policy = Policy(model="m", task=Task.BINARY, pane="1h", lateness="30d")
    activate(transport.sender(), settings, policy)
    for i in range(ROWS):
        event = {"prediction_id": f"p{i}", "model": "m", "version": "v1", "time": T0 + i * HOUR}
        value = json.dumps(event | {"output": {"score": 0.5}}).encode()
        key, stamp_ms = b"p%d" % i, T0 + ROWS * HOUR
        transport.sender().send(Message(topics.PREDICTIONS, value, key=key, timestamp_ms=stamp_ms))
    metrics = Metrics("ingest")
    worker = IngestWorker(
        transport=transport, settings=settings, clock=ManualClock(), metrics=metrics
    )
    while worker.step():
        assert (metrics.value(catalogue.HELD_BYTES, shard="0") or 0) < HELD + 10 * 4_000
    committed = int(metrics.value(catalogue.CHECKPOINTS) or 0)
    assert committed >= ROWS * 3_000 // HELD - 1
    worker.checkpoint()
    worker.close()
    batches = [decode(record.value or b"") for record in transport.read(topics.SUMMARIES, 0)]
    panes = [pane for batch in batches for pane in batch.panes]
    assert sorted(pane.start_ms for pane in panes) == [T0 + i * HOUR for i in range(ROWS)]
    assert max(len(batch.panes) for batch in batches) < ROWS // 5
