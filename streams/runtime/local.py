"""The log in the memory of one process: for the demo, tests and replay."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from schemas.errors import ConfigurationError, TopicMismatch
from schemas.topics import TopicSpec
from streams.records import Message, Record, one_by_one
from streams.runtime.local_log import LocalLog, LocalReader
from streams.runtime.local_member import LocalGroup, LocalMember
from streams.runtime.transport import Rebalance, TopicPartition, check_topics


def wall_clock_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class LocalSender:
    """The `transport.Sender` of a local log: a message is there once `send` returns."""

    def __init__(self, log: LocalLog) -> None:
        self._log = log

    def send(self, message: Message) -> None:
        """Write a message."""
        self._log.write(message)

    def flush(self) -> None:
        """Nothing is ever under way."""

    def close(self) -> None:
        """Nothing to free."""


class LocalFollower:
    """The `transport.Follower` of a local log."""

    def __init__(self, log: LocalLog, starts: Mapping[TopicPartition, int]) -> None:
        self._log = log
        self._reader = LocalReader(log, starts)

    def poll(self, *, max_records: int, timeout_ms: int) -> list[Record]:
        """The next committed records."""
        with self._log.changed:
            records = self._reader.take(max_records)
            if not records and timeout_ms > 0:
                self._log.changed.wait(timeout_ms / 1_000)
                records = self._reader.take(max_records)
            return one_by_one(records)

    def at_end(self) -> bool:
        """True if every committed record was delivered."""
        return self._reader.all_ended()

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of every partition."""
        return dict(self._reader.positions)

    def close(self) -> None:
        """Nothing to free."""


class LocalTransport:
    """The `transport.Transport` of one process. May be used from several threads.

    Parameters
    ----------
    clock
        Milliseconds since the epoch, for messages without a time; None for the wall clock.

    Examples
    --------
    >>> transport = LocalTransport()
    >>> transport.ensure_topics([TopicSpec("alerts", 1, "incident id", "Alert")])
    >>> transport.sender().send(Message("alerts", b"{}", key=b"incident-1"))
    >>> [record.key for record in transport.read("alerts", 0)]
    [b'incident-1']
    """

    def __init__(self, *, clock: Callable[[], int] | None = None) -> None:
        self._log = LocalLog(clock or wall_clock_ms)
        self._groups: dict[str, LocalGroup] = {}
        self._epochs: dict[str, int] = {}
        self._members = 0
        self._latest: dict[str, LocalMember] = {}

    def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Create the topics that do not exist and check those that do."""
        with self._log.changed:
            for spec in topics:
                there = self._log.specs.get(spec.name)
                if there is None:
                    self._log.create(spec)
                elif (there.partitions, there.compacted) != (spec.partitions, spec.compacted):
                    raise TopicMismatch(
                        f"topic {spec.name} has {there.partitions} partitions and"
                        f" compacted={there.compacted}, but {spec.partitions} and"
                        f" compacted={spec.compacted} are asked for; use another prefix"
                    )

    def partition_count(self, topic: str) -> int | None:
        """Number of partitions; None if there is no such topic."""
        spec = self._log.specs.get(topic)
        return None if spec is None else spec.partitions

    def member(
        self,
        *,
        group: str,
        topics: Sequence[str],
        rebalance: Rebalance,
        transactional_id: str,
        co_partitioned: bool = True,
    ) -> LocalMember:
        """Join a group; all its members read the same topics."""
        check_topics(
            {topic: self.partition_count(topic) for topic in topics}, co_partitioned=co_partitioned
        )
        counts = {topic: self._log.specs[topic].partitions for topic in topics}
        with self._log.changed:
            joined = self._groups.setdefault(group, LocalGroup(group, counts))
            if joined.members and joined.counts != counts:
                raise ConfigurationError(
                    f"group {group} reads {sorted(joined.counts)}, not {sorted(counts)};"
                    " use another group"
                )
            joined.counts = counts
            # No session ever times out here, so a worker that died leaves when it comes again.
            if transactional_id in self._latest:
                self.expel(self._latest[transactional_id])
            self._members += 1
            member = self._latest[transactional_id] = LocalMember(
                self._log,
                joined,
                number=self._members,
                rebalance=rebalance,
                transactional_id=transactional_id,
                epochs=self._epochs,
            )
            return member

    def expel(self, member: LocalMember) -> None:
        """Go on without a member, as a group does with one that stalls or died."""
        with self._log.changed:
            for group in self._groups.values():
                if member.number in group.members:
                    group.leave(member.number)
            self._log.changed.notify_all()

    def sender(self) -> LocalSender:
        """A plain producer."""
        return LocalSender(self._log)

    def extend(self, topic: str, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Write many rows of one topic at once: of each its time, its key and its value."""
        self._log.extend(topic, rows)

    def read(self, topic: str, partition: int, *, start: int = 0) -> Iterator[Record]:
        """Every committed record of what is in the log now."""
        with self._log.changed:
            found = self._log.partition((topic, partition))
            return iter(found.since(start, len(found.records)).each())

    def beginning_offset(self, topic: str, partition: int) -> int:
        """The first offset in the log: nothing is ever deleted."""
        self._log.partition((topic, partition))
        return 0

    def end_offset(self, topic: str, partition: int) -> int:
        """The offset after the last committed record."""
        return self._log.partition((topic, partition)).end

    def committed(
        self, group: str, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int | None]:
        """A group's offsets; None if it has none."""
        with self._log.changed:
            return self._log.committed(group, partitions)

    def tail(self, topics: Sequence[str], *, from_beginning: bool = False) -> LocalFollower:
        """Follow topics, from their start or from now."""
        counts = {topic: self.partition_count(topic) for topic in topics}
        check_topics(counts, co_partitioned=False)
        places = [
            (topic, number) for topic, count in counts.items() for number in range(count or 0)
        ]
        with self._log.changed:
            ends = {each: self._log.partition(each).end for each in places}
        return LocalFollower(self._log, dict.fromkeys(places, 0) if from_beginning else ends)

    def close(self) -> None:
        """Nothing to free."""
