"""How far event time has come: the marks of all shards make the two watermarks."""

from __future__ import annotations

from collections.abc import Callable, Collection

from schemas.summaries import Mark, SummaryBatch
from streams.decide.state import Shard, State, Watermarks

CLOCK = "all"


def observe(state: State, batch: SummaryBatch) -> bool:
    """Take in the number, mark and offsets of a batch; False if the batch was seen before."""
    last = state.shards.get(batch.shard)
    if last is not None and (batch.epoch, batch.sequence) <= (last.epoch, last.sequence):
        return False
    offsets = ({} if last is None else last.offsets) | batch.offsets
    state.shards.put(
        batch.shard,
        Shard(epoch=batch.epoch, sequence=batch.sequence, mark=batch.mark, offsets=offsets),
    )
    marks = [shard.mark for _, shard in state.shards.items()]
    now = watermarks(state)
    state.clock.put(
        CLOCK,
        Watermarks(
            predictions_ms=later(now.predictions_ms, low(marks, lambda m: m.predictions_ms)),
            labels_ms=later(now.labels_ms, low(marks, lambda m: m.labels_ms)),
        ),
    )
    return True


def watermarks(state: State) -> Watermarks:
    """The present watermarks; they never go back."""
    return state.clock.get(CLOCK) or Watermarks()


def cut(state: State) -> dict[str, int]:
    """Next offset of every topic of every shard, by "shard/topic"."""
    return {
        f"{number}/{topic}": offset
        for number, shard in sorted(state.shards.items())
        for topic, offset in sorted(shard.offsets.items())
    }


def low(marks: Collection[Mark], side: Callable[[Mark], int | None]) -> int | None:
    """Event time that every shard has reached; None where it cannot be said.

    A shard that is idle is left out; if all are, the furthest one tells the time. A shard never
    heard of, or busy without a row, holds everything.

    Examples
    --------
    >>> busy = Mark(shard=0, shards=2, predictions_ms=10, labels_ms=None)
    >>> other = Mark(shard=1, shards=2, predictions_ms=7, labels_ms=None)
    >>> low([busy], lambda m: m.predictions_ms) is None
    True
    >>> low([busy, other], lambda m: m.predictions_ms)
    7
    """
    if not marks or len(marks) < max(mark.shards for mark in marks):
        return None
    busy = [side(mark) for mark in marks if not mark.idle]
    known = [time for time in busy if time is not None]
    if busy:
        return min(known) if len(known) == len(busy) else None
    return max((time for mark in marks if (time := side(mark)) is not None), default=None)


def later(first: int | None, second: int | None) -> int | None:
    """The later of two times, None being earliest.

    Examples
    --------
    >>> later(None, 3), later(5, 3), later(5, None)
    (3, 5, 5)
    """
    return max((time for time in (first, second) if time is not None), default=None)
