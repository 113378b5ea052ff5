"""The real Faust app on a real Kafka: alerts reach a target, across restarts and rebalances."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from published import an_alert
from receiver import OK, Receiver

from schemas import topics
from schemas.commands import Delivered, read_command
from streams.act.app import Act, assemble, build, run
from streams.act.settings import loads
from streams.records import Message
from streams.runtime.broker import Broker
from streams.runtime.clock import SystemClock
from streams.runtime.kafka import KafkaTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

WAIT_S = 60


class Cluster:
    """Topics on a broker, and a plan with one webhook."""

    def __init__(self, broker: Broker, prefix: str, ops: Receiver) -> None:
        self.settings = Settings(bootstrap=broker.bootstrap, prefix=prefix, models=2)
        self.transport = KafkaTransport(broker.bootstrap)
        self.transport.ensure_topics(self.settings.topics())
        self.sender = self.transport.sender()
        self.ops = ops

    def say(self, name: str, *, times: int = 1) -> None:
        """An alert of an incident of its own, as DECIDE's outbox publishes it."""
        value = an_alert(id=f"{name}-1", alert_id=name).model_dump_json().encode()
        topic = self.settings.topic(topics.ALERTS)
        for _ in range(times):
            self.sender.send(Message(topic=topic, key=name.encode(), value=value))
        self.sender.flush()

    def recorded(self) -> set[str]:
        """Ids of the events whose delivery stands in ``commands``."""
        topic = self.settings.topic(topics.COMMANDS)
        commands = [
            read_command(record.value or b"")
            for partition in range(2)
            for record in self.transport.read(topic, partition)
        ]
        return {command.event_id for command in commands if isinstance(command, Delivered)}

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Act]:
        """A Faust worker, which leaves in order at the end."""
        plan = loads(
            f"targets:\n  ops: {{kind: webhook, url: '{self.ops.url}'}}\ndefault: [ops]\n"
            "retry: {first: 200ms, longest: 1s}\n"
        )
        act = assemble(
            settings=self.settings,
            plan=plan,
            environ={},
            transport=self.transport,
            clock=SystemClock(),
            metrics=Metrics("act"),
        )
        stopping = asyncio.Event()
        running = asyncio.create_task(run(build(act), act, stopping))
        try:
            yield act
        finally:
            stopping.set()
            await asyncio.wait_for(running, WAIT_S)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until it is true."""
        async with asyncio.timeout(WAIT_S):
            while not true():
                await asyncio.sleep(0.05)


@pytest.fixture
def cluster(kafka: Broker, prefix: str) -> Iterator[Cluster]:
    """The shared broker, with topics of this test's own."""
    with Receiver() as ops:
        found = Cluster(kafka, prefix, ops)
        yield found
        found.sender.close()


def _run(body: Awaitable[None]) -> None:
    async def main() -> None:
        await body

    asyncio.run(main())


def test_alerts_reach_the_target_once_across_a_restart(cluster: Cluster) -> None:
    """What was said before the start, during it, and while nobody ran; repeated or not."""

    async def timeline() -> None:
        cluster.say("before", times=2)
        async with cluster.worker():
            await cluster.until(lambda: "before-1" in cluster.ops.keys)
            cluster.say("during", times=2)
            await cluster.until(lambda: "during-1" in cluster.ops.keys)
            await cluster.until(lambda: cluster.recorded() == {"before-1", "during-1"})
        cluster.say("meanwhile")
        cluster.say("before")
        async with cluster.worker():
            await cluster.until(lambda: "meanwhile-1" in cluster.ops.keys)
            cluster.say("after")
            await cluster.until(lambda: "after-1" in cluster.ops.keys)

    _run(timeline())
    assert sorted(cluster.ops.keys) == ["after-1", "before-1", "during-1", "meanwhile-1"]


def test_what_waits_for_a_target_that_is_down_outlives_the_process(cluster: Cluster) -> None:
    """Faust's offset is past the events, and yet the next process finds them in the log."""
    cluster.ops.replies.extend([(503, {}, "")] * 10_000)

    async def timeline() -> None:
        for name in ("a1", "a2", "a3"):
            cluster.say(name)
        async with cluster.worker():
            await cluster.until(lambda: {"a1-1", "a2-1", "a3-1"} <= set(cluster.ops.keys))
        assert cluster.recorded() == set()
        cluster.ops.replies.clear()
        cluster.ops.posted.clear()
        async with cluster.worker():
            await cluster.until(lambda: len(cluster.recorded()) == 3)

    _run(timeline())
    assert sorted(cluster.ops.keys) == ["a1-1", "a2-1", "a3-1"]


def test_a_second_worker_takes_over_what_the_first_had_not_delivered(cluster: Cluster) -> None:
    """Partitions move while events wait; every one is delivered and recorded by somebody."""
    names = [f"a{number}" for number in range(12)]
    cluster.ops.replies.extend([(503, {}, "")] * 10_000)

    async def timeline() -> None:
        for name in names:
            cluster.say(name)
        async with cluster.worker() as first:
            await cluster.until(lambda: len(set(cluster.ops.keys)) == len(names))
            async with cluster.worker() as second:
                await cluster.until(lambda: bool(second.inbox.places()))
                await cluster.until(lambda: bool(first.inbox.places()))
                assert not first.inbox.places() & second.inbox.places()
                cluster.ops.replies.clear()
                cluster.ops.replies.append(OK)
                await cluster.until(lambda: len(cluster.recorded()) == len(names))

    _run(timeline())
    assert set(cluster.ops.keys) == {f"{name}-1" for name in names}
