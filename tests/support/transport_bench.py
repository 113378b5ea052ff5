"""A transport, and workers that read from it, as tests of every transport need them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.topics import TopicSpec
from streams.records import Message, Record
from streams.runtime.transport import Member, TopicPartition, Transport

PATIENCE_S = 60


@dataclass
class Worker:
    """A rebalance that notes what happens, and commits what it was given when it must go."""

    starts: Mapping[TopicPartition, int] = field(default_factory=dict)
    events: list[tuple[str, list[TopicPartition]]] = field(default_factory=list)
    committed: dict[TopicPartition, int | None] = field(default_factory=dict)
    seen: list[Record] = field(default_factory=list)
    member: Member | None = None

    def assigned(
        self,
        partitions: Sequence[TopicPartition],
        committed: Mapping[TopicPartition, int | None],
    ) -> Mapping[TopicPartition, int]:
        self.events.append(("assigned", list(partitions)))
        self.committed.update(committed)
        return self.starts

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.events.append(("revoked", list(partitions)))
        if self.member is not None:
            self.member.commit([], self.member.positions())

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.events.append(("lost", list(partitions)))


class Bench:
    """A transport, and what a test does to it."""

    def __init__(self, transport: Transport, prefix: str, stall: Callable[[Member], None]) -> None:
        self.transport = transport
        self.prefix = prefix
        self.stall = stall
        self._open: list[Member] = []

    def topic(self, name: str, partitions: int = 1, *, compacted: bool = False) -> str:
        spec = TopicSpec(self.prefix + name, partitions, "key", "value", compacted, None)
        self.transport.ensure_topics([spec])
        return spec.name

    def send(self, *messages: Message) -> None:
        sender = self.transport.sender()
        for message in messages:
            sender.send(message)
        sender.flush()

    def join(
        self,
        worker: Worker,
        *topics: str,
        transactional_id: str = "worker",
        co_partitioned: bool = True,
    ) -> Member:
        member = self.transport.member(
            group=self.prefix + "group",
            topics=topics,
            rebalance=worker,
            transactional_id=self.prefix + transactional_id,
            co_partitioned=co_partitioned,
        )
        worker.member = member
        self._open.append(member)
        return member

    def leave(self, member: Member) -> None:
        self._open.remove(member)
        member.close()

    def run(self, until: Callable[[], bool], *workers: Worker) -> None:
        """Poll all workers in turn until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not until():
            assert time.monotonic() < deadline, [worker.events for worker in workers]
            for worker in workers:
                if worker.member is not None:
                    worker.seen += worker.member.poll(max_records=100, timeout_ms=20)

    def settle(self, *workers: Worker, partitions: int) -> None:
        """Poll until the workers own as many partitions together and each owns some."""

        def settled() -> bool:
            owned = [owned_by(worker) for worker in workers]
            return all(owned) and sum(map(len, owned)) == partitions

        self.run(settled, *workers)

    def committed(self, *partitions: TopicPartition) -> Mapping[TopicPartition, int | None]:
        return self.transport.committed(self.prefix + "group", partitions)

    def values(self, topic: str, partition: int = 0, start: int = 0) -> list[bytes | None]:
        return [each.value for each in self.transport.read(topic, partition, start=start)]

    def close(self) -> None:
        for member in self._open:
            member.close()


def owned_by(worker: Worker) -> Collection[TopicPartition]:
    return worker.member.owned() if worker.member is not None else ()
