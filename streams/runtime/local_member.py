"""Consumer groups in one process, with the rules of Kafka's range assignor.

A rebalance is eager: every member first gives up what it owns, in its own `poll`, and only then
does anybody own anything again. A member that does not poll holds it up, until it is expelled.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.errors import Fenced
from streams.records import Message, Record, Records, one_by_one
from streams.runtime.local_log import LocalLog, LocalReader
from streams.runtime.transport import Rebalance, TopicPartition, first_offset


def range_assignment(
    counts: Mapping[str, int], members: Sequence[int]
) -> dict[int, list[TopicPartition]]:
    """Partitions of each member: of every topic a contiguous range, the first ones one longer.

    Parameters
    ----------
    counts
        Partition count of every topic.

    Examples
    --------
    >>> range_assignment({"a": 3, "b": 3}, [7, 8])
    {7: [('a', 0), ('a', 1), ('b', 0), ('b', 1)], 8: [('a', 2), ('b', 2)]}
    """
    shares: dict[int, list[TopicPartition]] = {member: [] for member in members}
    for topic, count in sorted(counts.items()):
        each, more = divmod(count, len(members))
        first = 0
        for index, member in enumerate(members):
            after = first + each + (index < more)
            shares[member] += [(topic, number) for number in range(first, after)]
            first = after
    return shares


@dataclass(slots=True)
class LocalGroup:
    """Who is in a group, who is ready for the next assignment, and what it is."""

    name: str
    counts: Mapping[str, int]
    members: list[int] = field(default_factory=list)
    ready: set[int] = field(default_factory=set)
    given: dict[int, list[TopicPartition]] = field(default_factory=dict)
    rebalancing: bool = False

    def join(self, member: int) -> None:
        """Take in a member and ask all to give up what they own."""
        self.members.append(member)
        self._begin()

    def leave(self, member: int) -> None:
        """Let a member go."""
        self.members.remove(member)
        self.given.pop(member, None)
        self._begin()

    def _begin(self) -> None:
        self.ready = set()
        self.rebalancing = bool(self.members)

    def give_up(self, member: int) -> None:
        """A member owns nothing now; once this holds for all, partitions are given out."""
        self.ready.add(member)
        self.given.pop(member, None)
        if self.ready.issuperset(self.members):
            self.given = range_assignment(self.counts, self.members)
            self.rebalancing = False


class LocalMember:
    """The `transport.Member` of a `LocalGroup`.

    Parameters
    ----------
    number
        Its name in the group; the order of numbers is the order of assignment.
    epochs
        Latest epoch of every transactional id, shared by the members of a transport.
    """

    def __init__(
        self,
        log: LocalLog,
        group: LocalGroup,
        *,
        number: int,
        rebalance: Rebalance,
        transactional_id: str,
        epochs: dict[str, int],
    ) -> None:
        self.number = number
        self._log = log
        self._group = group
        self._rebalance = rebalance
        self._transactional_id = transactional_id
        self._epochs = epochs
        with log.changed:
            self._epoch = epochs[transactional_id] = epochs.get(transactional_id, 0) + 1
            self._reader = LocalReader(log, {})
            self._over = ""
            group.join(number)
            log.changed.notify_all()

    def poll(self, *, max_records: int, timeout_ms: int) -> list[Record]:
        """The next records; may call the rebalance."""
        return one_by_one(self.fetch(max_records=max_records, timeout_ms=timeout_ms))

    def fetch(self, *, max_records: int, timeout_ms: int) -> list[Records]:
        """The next records in columns; may call the rebalance."""
        deadline = time.monotonic() + timeout_ms / 1_000
        while True:
            self._require_usable()
            self._turn()
            with self._log.changed:
                records = self._reader.take(max_records)
                left = deadline - time.monotonic()
                if records or left <= 0:
                    return records
                self._log.changed.wait(left)

    def _require_usable(self) -> None:
        with self._log.changed:
            if not self._over and self.number not in self._group.members:
                self._over = "the group went on without it"
            if not self._over and self._epochs[self._transactional_id] != self._epoch:
                self._over = f"a newer member has transactional id {self._transactional_id}"
            if self._over:
                raise Fenced(f"this member ended: {self._over}; make a new one")

    def _turn(self) -> None:
        """Take part in a rebalance. The callbacks run without the lock."""
        with self._log.changed:
            asked = self._group.rebalancing and self.number not in self._group.ready
        if asked:
            self._give_up()
        with self._log.changed:
            given = sorted(self._group.given.get(self.number, []))
            news = not self._group.rebalancing and given != self.owned()
        if news:
            self._take_over(given)

    def _give_up(self) -> None:
        owned = self.owned()
        try:
            if owned:
                self._rebalance.revoked(owned)
        finally:
            with self._log.changed:
                self._reader = LocalReader(self._log, {})
                if self.number in self._group.members:
                    self._group.give_up(self.number)
                self._log.changed.notify_all()

    def _take_over(self, partitions: Sequence[TopicPartition]) -> None:
        with self._log.changed:
            committed = self._log.committed(self._group.name, partitions)
        wanted = self._rebalance.assigned(partitions, committed)
        with self._log.changed:
            starts = {
                each: first_offset(
                    each,
                    wanted=wanted.get(each, committed[each]),
                    beginning=0,
                    end=self._log.partition(each).end,
                )
                for each in partitions
            }
            self._reader = LocalReader(self._log, starts)

    def commit(self, messages: Sequence[Message], offsets: Mapping[TopicPartition, int]) -> None:
        """Write messages and offsets at once."""
        if not offsets:
            raise ValueError("a commit needs an offset: it is what fences a member left behind")
        with self._log.changed:
            self._require_usable()
            foreign = sorted(offsets.keys() - self._reader.positions.keys())
            if foreign:
                raise Fenced(
                    f"committing {foreign}, which this member does not own: drop their state"
                )
            self._log.append(messages)
            self._log.commit_offsets(self._group.name, offsets)

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Deliver nothing of these partitions."""
        self._reader.pause(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Deliver these partitions again."""
        self._reader.resume(partitions)

    def owned(self) -> Sequence[TopicPartition]:
        """The partitions now assigned."""
        return sorted(self._reader.positions)

    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of every owned partition."""
        return dict(self._reader.positions)

    def at_end(self, partition: TopicPartition) -> bool:
        """True if every committed record was delivered."""
        return self._reader.at_end(partition)

    def lag(self) -> Mapping[TopicPartition, int]:
        """Offsets between position and end."""
        return self._reader.lag()

    def close(self) -> None:
        """Leave the group."""
        owned = self.owned()
        try:
            self._require_usable()
        except Fenced:
            if owned:
                self._rebalance.lost(owned)
        else:
            if owned:
                self._rebalance.revoked(owned)
        finally:
            self._leave("it was closed")

    def _leave(self, reason: str) -> None:
        with self._log.changed:
            self._over = self._over or reason
            self._reader = LocalReader(self._log, {})
            if self.number in self._group.members:
                self._group.leave(self.number)
            self._log.changed.notify_all()
