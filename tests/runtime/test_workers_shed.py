"""How far a shard is behind is measured by the broker's time, and sheds rows by policy alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detectors.inputs import input_layout, shed_field
from schemas import topics
from schemas.overload import Overload, Shed
from schemas.policy import Labels, Policy, Task
from schemas.summaries import decode
from streams.records import Message
from streams.runtime import catalogue
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

MINUTE = 60_000
T0 = 28_000_000 * MINUTE
N, BATCH = 200, 50
POLICY = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="1h",
    labels=Labels(horizon="1d", maturity="1h"),
    segments=["region"],
    overload=Overload(lag="10m"),
)


class Bench:
    """A worker that reads so many records at once, and commits after each of them."""

    def __init__(self, policy: Policy, folder: Path) -> None:
        self.clock = ManualClock(T0)
        self.folder, self.hosts = folder, 0
        self.transport = LocalTransport(clock=self.clock.wall_ms)
        self.settings = Settings(
            shards=1,
            poll_ms=0,
            poll_records=BATCH,
            checkpoint_records=1,
            checkpoint_ms=1 << 60,
        )
        self.transport.ensure_topics(self.settings.topics())
        self.sender = self.transport.sender()
        activate(self.sender, self.settings, policy, effective_at_ms=T0)
        self.start()

    def start(self) -> None:
        """A worker on a host of its own; the one before has died."""
        self.hosts += 1
        settings = self.settings.model_copy(update={"data": self.folder / str(self.hosts)})
        self.metrics = Metrics("test")
        self.worker = IngestWorker(
            transport=self.transport,
            settings=settings,
            clock=self.clock,
            metrics=self.metrics,
        )

    def publish(self) -> None:
        for i in range(N):
            event = {
                "prediction_id": f"p{i}",
                "model": "fraud",
                "version": "v1",
                "time": T0 + i,
                "segments": {"region": "EU"},
                "latency_ms": 5.0,
                "output": {"score": 0.5},
            }
            name = self.settings.topic(topics.PREDICTIONS)
            self.sender.send(Message(name, json.dumps(event).encode(), key=f"p{i}".encode()))

    def value(self, metric: catalogue.Declared, **labels: str) -> float:
        return self.metrics.value(metric, **labels) or 0.0

    def shed(self, segment: str = "region=EU") -> int:
        """Rows of a segment that were counted in part, as the log has it."""
        layout = input_layout(POLICY, None, whole=False)
        place = layout.start(shed_field(Shed.SEGMENTS))
        summaries = self.transport.read(self.settings.topic(topics.SUMMARIES), 0)
        return sum(
            dict(zip(pane.index, pane.values, strict=True)).get(place, 0)
            for record in summaries
            for pane in decode(record.value or b"").panes
            if pane.segment == segment
        )


@pytest.mark.parametrize("dies", [False, True])
def test_rows_are_shed_while_the_newest_read_is_old(tmp_path: Path, dies: bool) -> None:
    """From the first checkpoint that finds it so, to the end of the log; a death changes none."""
    bench = Bench(POLICY, tmp_path)
    bench.publish()
    bench.clock.now_ms += 25 * MINUTE
    while bench.worker.step():
        at_end = bench.value(catalogue.BEHIND, shard="0") == 0
        assert at_end == (bench.value(catalogue.SHED_LEVEL, shard="0") == 0)
        if dies:
            bench.start()
    assert bench.shed() == N - BATCH
    if not dies:
        assert bench.value(catalogue.SHED_ROWS, model="fraud", kind="segments") == N - BATCH
    bench.publish()
    bench.worker.step()
    assert bench.shed() == N - BATCH


def test_without_a_lag_nothing_is_ever_shed(tmp_path: Path) -> None:
    """The log is the buffer, however far behind."""
    bench = Bench(POLICY.model_copy(update={"overload": Overload()}), tmp_path)
    bench.publish()
    bench.clock.now_ms += 10_000 * MINUTE
    behind = []
    while bench.worker.step():
        behind.append(bench.value(catalogue.BEHIND, shard="0"))
    assert max(behind) == 10_000 * MINUTE
    assert behind[-1] == 0
    assert bench.value(catalogue.SHED_LEVEL, shard="0") == 0
