"""The log as the pipelines see it: what every transport promises.

Two transports keep these promises and pass one test class: `kafka.KafkaTransport` and
`local.LocalTransport`. Errors are those of `schemas.errors`; no client library's error gets out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from schemas.errors import ConfigurationError, TransportError
from schemas.topics import TopicSpec
from streams.records import Message, Record, Records

TopicPartition = tuple[str, int]
"""A topic's name and a partition."""


class Rebalance(Protocol):
    """What a worker does when partitions come and go. Called inside `Member.poll` and `close`."""

    def assigned(
        self,
        partitions: Sequence[TopicPartition],
        committed: Mapping[TopicPartition, int | None],
    ) -> Mapping[TopicPartition, int]:
        """Restore the state and say where to start.

        Parameters
        ----------
        partitions
            All partitions now owned, sorted; every topic of a shard is among them.
        committed
            The group's offsets, read after every pending commit has been decided.

        Returns
        -------
        The offset of the first record wanted; a partition left out starts at its committed
        offset, or at the start of the log.
        """

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Checkpoint, while the member may still commit, and drop the state."""

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Drop the state; another member may own the partitions already."""


class Member(Protocol):
    """One member of a consumer group, with a transactional producer. For one thread."""

    def poll(self, *, max_records: int, timeout_ms: int) -> list[Record]:
        """The next records, in order within each partition; may call the `Rebalance`.

        Call it steadily, also while everything is paused: it is the member's sign of life.

        Raises
        ------
        Fenced
            If the group went on without this member.
        TransportError
            If records wanted are gone from the log.
        """

    def fetch(self, *, max_records: int, timeout_ms: int) -> list[Records]:
        """As `poll`, in columns by topic and partition; the records of one are made when asked
        for."""

    def commit(self, messages: Sequence[Message], offsets: Mapping[TopicPartition, int]) -> None:
        """Write messages and group offsets in one transaction: readers see all of it or nothing.

        Parameters
        ----------
        messages
            What to write, in order.
        offsets
            The next offset of partitions this member owns, at least one: it is what fences.

        Raises
        ------
        Retriable
            Nothing was written; the same call may be made again.
        BrokerUnavailable
            Nothing was written, and this member is of no more use.
        Fenced
            Nothing was written: another member owns a partition.
        CommitUnknown
            It may or may not have been written; start again from `Transport.committed`.
        TransportError
            Nothing was written, because a message cannot be: too large, or no such topic.
        """

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Deliver nothing of these partitions until `resume` or the next rebalance."""

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Go on where `pause` stopped."""

    def owned(self) -> Sequence[TopicPartition]:
        """The partitions now assigned, sorted."""

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of every owned partition, as of the last poll.

        At the end of a partition it is the end, past marks of transactions that are no records.
        So a commit of positions, not of last offset + 1, never falls behind the log's start.
        """

    def at_end(self, partition: TopicPartition) -> bool:
        """True if, as of the last poll, every committed record was delivered.

        A paused partition is never at its end: nobody looks.
        """

    def lag(self) -> Mapping[TopicPartition, int]:
        """Offsets between position and end of every owned partition, as of the last poll."""

    def close(self) -> None:
        """Leave the group; calls `Rebalance.revoked`, or `lost` where a commit cannot succeed."""


class Sender(Protocol):
    """A plain producer: each message once, in order within its partition, in no transaction."""

    def send(self, message: Message) -> None:
        """Queue a message; waits while the queue is full.

        Raises
        ------
        BrokerUnavailable
            If the queue stays full.
        """

    def flush(self) -> None:
        """Wait until the log holds everything sent.

        Raises
        ------
        BrokerUnavailable
            If something is undelivered in time; it may still arrive later.
        TransportError
            If the log refused a message.
        """

    def close(self) -> None:
        """`flush`, and send no more."""


class Follower(Protocol):
    """A reader of whole topics, outside any group."""

    def poll(self, *, max_records: int, timeout_ms: int) -> list[Record]:
        """The next committed records, in order within each partition."""

    def at_end(self) -> bool:
        """True if, as of the last poll, every committed record was delivered."""

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of every partition."""

    def close(self) -> None:
        """Stop reading."""


class Transport(Protocol):
    """A log of topics, with consumer groups and transactions."""

    def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Create the topics that do not exist.

        Raises
        ------
        TopicMismatch
            If one exists with another partition count or clean-up policy.
        """

    def partition_count(self, topic: str) -> int | None:
        """Number of partitions; None if there is no such topic."""

    def member(
        self,
        *,
        group: str,
        topics: Sequence[str],
        rebalance: Rebalance,
        transactional_id: str,
        co_partitioned: bool = True,
    ) -> Member:
        """Join a group.

        Parameters
        ----------
        transactional_id
            Name of this worker, the same after a restart: the newcomer fences its predecessor,
            ends the transaction that it may have left open, and has its partitions at once.
        co_partitioned
            Partition p of every topic goes to one member; all topics have one partition count.

        Raises
        ------
        ConfigurationError
            If a topic does not exist, or partition counts differ though co-partitioned.
        """

    def sender(self) -> Sender:
        """A plain producer."""

    def read(self, topic: str, partition: int, *, start: int = 0) -> Iterator[Record]:
        """Every committed record from an offset, or from the log's start if that is later.

        Reads what was in the log at the call, waiting for open transactions to be decided, so
        that a commit seen in `committed` is seen here too; then stops.

        Raises
        ------
        Retriable
            If an open transaction is not decided in time.
        """

    def beginning_offset(self, topic: str, partition: int) -> int:
        """The first offset still in the log."""

    def end_offset(self, topic: str, partition: int) -> int:
        """The offset after the last committed record."""

    def committed(
        self, group: str, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int | None]:
        """A group's offsets, after every pending commit has been decided; None if it has none."""

    def tail(self, topics: Sequence[str], *, from_beginning: bool = False) -> Follower:
        """Follow topics, from their start or from now."""

    def close(self) -> None:
        """Free what the transport holds; members, senders and followers are closed by callers."""


def check_topics(counts: Mapping[str, int | None], *, co_partitioned: bool) -> None:
    """Check that a group can be joined.

    Parameters
    ----------
    counts
        Partition count of every topic; None where there is no such topic.

    Raises
    ------
    ConfigurationError
        If a topic is missing, or counts differ though co-partitioned.

    Examples
    --------
    >>> check_topics({"predictions": 4, "feedback": 4}, co_partitioned=True)
    """
    missing = sorted(topic for topic, count in counts.items() if count is None)
    if missing:
        raise ConfigurationError(
            f"no topic {', '.join(missing)}; create it with `kittiwake topics create`"
        )
    if co_partitioned and len(set(counts.values())) > 1:
        raise ConfigurationError(
            f"topics read together need one partition count, but have {dict(counts)};"
            " create them anew with equal counts"
        )


def first_offset(partition: TopicPartition, *, wanted: int | None, beginning: int, end: int) -> int:
    """Where to start: the offset wanted, or the log's start if none is.

    Raises
    ------
    TransportError
        If the offset wanted is not in the log: its records were deleted, or the topic is another.

    Examples
    --------
    >>> first_offset(("predictions", 0), wanted=None, beginning=7, end=9)
    7
    """
    start = beginning if wanted is None else wanted
    if beginning <= start <= end:
        return start
    topic, number = partition
    raise TransportError(
        f"{topic}[{number}] should go on at offset {start}, but the log holds {beginning} to {end}:"
        + (
            " records were deleted before they were read; lengthen the topic's retention and"
            " reset the group's offsets to accept the gap"
            if start < beginning
            else " the topic was deleted and made anew; reset the group's offsets"
        )
    )
