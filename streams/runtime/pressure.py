"""Backpressure of a worker: it asks for no more bytes than it may hold, and while the log refuses
its commits it reads nothing, but stays a member of its group."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.errors import Retriable
from streams.records import Message
from streams.runtime import catalogue
from streams.runtime.metrics import Metrics
from streams.runtime.transport import Member, TopicPartition

LOG: Final = logging.getLogger("kittiwake.pressure")


class Appetite:
    """How many records to ask for at once.

    Parameters
    ----------
    most_records, most_bytes
        Bounds of one poll. The second holds as far as records are like those before: it follows
        larger ones at once, and smaller ones by half the way.

    Examples
    --------
    >>> appetite = Appetite(most_records=5_000, most_bytes=1_000_000)
    >>> appetite.records
    5000
    >>> appetite.took(10, 1_000_000)
    >>> appetite.records
    10
    >>> appetite.took(10, 1_000)
    >>> appetite.records
    19
    """

    def __init__(self, *, most_records: int, most_bytes: int) -> None:
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._each = 0.0

    @property
    def records(self) -> int:
        """How many to ask for now, one at least."""
        if self._each * self._most_records <= self._most_bytes:
            return self._most_records
        return max(1, int(self._most_bytes / self._each))

    def took(self, n: int, size: int) -> None:
        """Say how many records came, and their bytes."""
        if n:
            each = size / n
            self._each = max(each, (each + self._each) / 2)


class _Waiting(NamedTuple):
    messages: Sequence[Message]
    offsets: Mapping[TopicPartition, int]
    then: Callable[[], None]


class Commits:
    """The commits of a member, each made again for as long as the log asks for that.

    Meanwhile the member's partitions are paused: nothing piles up, and its owner goes on polling,
    which is the member's sign of life.

    Parameters
    ----------
    member
        Who commits.
    metrics
        Where commits that were refused are counted.
    """

    def __init__(self, member: Member, metrics: Metrics) -> None:
        self._member = member
        self._metrics = metrics
        self._waiting: _Waiting | None = None
        self._paused = False

    @property
    def waiting(self) -> bool:
        """Whether a commit is still to be made; no other may begin before."""
        return self._waiting is not None

    def begin(
        self,
        messages: Sequence[Message],
        offsets: Mapping[TopicPartition, int],
        then: Callable[[], None],
    ) -> None:
        """Commit, now or by `again`; ``then`` is called once it is done."""
        if self._waiting is not None:
            raise RuntimeError("a commit is waiting; make it first")
        self._waiting = _Waiting(messages, offsets, then)
        self.again()

    def again(self) -> None:
        """Try to make the commit that waits, if there is one.

        Raises
        ------
        TransportError
            It cannot be made, or nobody knows whether it was.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        try:
            self._member.commit(waiting.messages, waiting.offsets)
        except Retriable as error:
            LOG.warning("a commit was refused and will be made again: %s", error)
            self._metrics.inc(catalogue.COMMIT_RETRIES)
            self._waiting, self._paused = waiting, True
            self._member.pause(self._member.owned())
            return
        if self._paused:
            self._paused = False
            self._member.resume(self._member.owned())
        waiting.then()

    def drop(self) -> None:
        """Forget the commit that waits: its partitions are another member's, or read again."""
        self._waiting, self._paused = None, False
