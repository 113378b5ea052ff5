"""A worker that starts again: how much it reads, and when it refuses to go on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from schemas import topics
from schemas.errors import TransportError
from schemas.policy import Policy, Task
from streams.records import Message, Record
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.decide_worker import DecideWorker
from streams.runtime.ingest_worker import HINT_MS, IngestWorker
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.transport import Follower

T0 = 20_000 * 86_400_000


class CountingTransport(LocalTransport):
    """The in-process log; counts records read of each topic."""

    def __init__(self) -> None:
        super().__init__()
        self.read_of: dict[str, int] = {}
        self.hidden = ""

    def read(self, topic: str, partition: int, *, start: int = 0) -> Iterator[Record]:
        found = [] if topic == self.hidden else list(super().read(topic, partition, start=start))
        self.read_of[topic] = self.read_of.get(topic, 0) + len(found)
        return iter(found)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(shards=1, poll_ms=0, checkpoint_ms=1, data=tmp_path)


@pytest.fixture
def transport(settings: Settings) -> CountingTransport:
    made = CountingTransport()
    made.ensure_topics(topics.table(shards=1))
    activate(made.sender(), settings, Policy(model="m", task=Task.BINARY))
    return made


def publish(transport: LocalTransport, number: int, *, model: str = "m") -> None:
    event = {"prediction_id": f"p{number}", "model": model, "version": "v1", "time": T0 + number}
    value = json.dumps(event | {"output": {"score": 0.5}}).encode()
    message = Message(topics.PREDICTIONS, value, key=b"%d" % number, timestamp_ms=T0 + number)
    transport.sender().send(message)


def ingest(transport: LocalTransport, settings: Settings, clock: ManualClock) -> IngestWorker:
    return IngestWorker(
        transport=transport, settings=settings, clock=clock, metrics=Metrics("ingest")
    )


def work(worker: IngestWorker, clock: ManualClock) -> None:
    clock.now_ms += 1_000
    worker.step()


def test_a_restart_on_the_same_disk_reads_the_last_minute_of_the_join_log(
    transport: CountingTransport, settings: Settings
) -> None:
    """However long the worker ran before; the pending predictions are all there."""
    clock = ManualClock()
    worker = ingest(transport, settings, clock)
    for number in range(300):
        publish(transport, number)
        work(worker, clock)
    worker.close()
    transport.read_of.clear()
    again = ingest(transport, settings, clock)
    work(again, clock)
    publish(transport, 7)
    work(again, clock)
    again.close()
    assert transport.read_of[topics.JOIN_LOG] <= HINT_MS // 1_000 + 2
    assert transport.end_offset(topics.JOIN_LOG, 0) >= 300


def test_a_shard_whose_checkpoint_is_gone_does_not_go_on(
    transport: CountingTransport, settings: Settings
) -> None:
    """The group's offsets alone would skip all that the checkpoint held; the message says so."""
    clock = ManualClock()
    worker = ingest(transport, settings, clock)
    decide = DecideWorker(
        transport=transport, settings=settings, clock=clock, metrics=Metrics("decide")
    )
    for number in range(3):
        publish(transport, number)
        work(worker, clock)
        decide.step()
    worker.close()
    decide.close()
    transport.hidden = topics.CHECKPOINTS
    worker = ingest(transport, settings, clock)
    with pytest.raises(TransportError, match="restore the checkpoint topic"):
        work(worker, clock)
    decide = DecideWorker(
        transport=transport, settings=settings, clock=clock, metrics=Metrics("decide")
    )
    with pytest.raises(TransportError, match=r"\[0\], but there is no checkpoint"):
        decide.step()


class SlowTransport(CountingTransport):
    """The in-process log; a follower gets nothing new unless it waits for it."""

    def tail(self, topics: Sequence[str], *, from_beginning: bool = False) -> Follower:
        return SlowFollower(super().tail(topics, from_beginning=from_beginning))


class SlowFollower:
    """As over a network: what is in the log is not yet here."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self.at_end, self.positions = follower.at_end, follower.positions
        self.close = follower.close

    def poll(self, *, max_records: int, timeout_ms: int) -> list[Record]:
        if not timeout_ms:
            return []
        return self._follower.poll(max_records=max_records, timeout_ms=timeout_ms)


def test_rows_are_not_refused_for_a_policy_that_is_in_the_log(settings: Settings) -> None:
    """It had not come here yet when its first rows did: the worker looks before it refuses."""
    transport = SlowTransport()
    transport.ensure_topics(topics.table(shards=1))
    clock = ManualClock()
    worker = ingest(transport, settings, clock)
    work(worker, clock)
    activate(transport.sender(), settings, Policy(model="m", task=Task.BINARY))
    publish(transport, 1)
    publish(transport, 2, model="unknown")
    work(worker, clock)
    worker.close()
    [dead] = transport.read(topics.DEAD_LETTERS, 0)
    assert "unknown" in json.loads(dead.value or b"")["message"]
