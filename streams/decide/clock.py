"""How far event time has come: the marks of all shards make the two watermarks."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from schemas.summaries import Mark, SummaryBatch
from streams.decide.state import Shard, State, Ticks, Watermarks

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
    after = Watermarks(
        predictions_ms=later(now.predictions_ms, low(marks, lambda m: m.predictions_ms)),
        labels_ms=later(now.labels_ms, low(marks, lambda m: m.labels_ms)),
    )
    _hold(state, now, after)
    state.clock.put(CLOCK, after)
    return True


def tick(state: State, wall_ms: int, *, heard: bool = True) -> None:
    """Take in wall time, as the log stamped it; an earlier one changes nothing.

    Parameters
    ----------
    heard
        Whether a tick told it: any command does, but only ticks say that ACT is there.
    """
    known = state.ticks.get(CLOCK) or Ticks(wall_ms, wall_ms)
    after = msgspec.structs.replace(
        known, wall_ms=max(known.wall_ms, wall_ms), heard=known.heard or heard
    )
    if after != state.ticks.get(CLOCK):
        state.ticks.put(CLOCK, after)


def ticking(state: State) -> bool:
    """Whether ticks have ever come: then somebody is there who delivers and confirms."""
    ticks = state.ticks.get(CLOCK)
    return ticks is not None and ticks.heard


def decision_ms(state: State) -> int | None:
    """The time by which is decided what waits for no row: deadlines, silences, approvals.

    The predictions watermark, and the wall time that ticks saw pass since it last moved. It never
    goes back. Before any row it is wall time; None before anything was read.
    """
    mark_ms, ticks = watermarks(state).predictions_ms, state.ticks.get(CLOCK)
    if ticks is None:
        return mark_ms
    if mark_ms is None:
        return ticks.wall_ms
    return max(mark_ms + ticks.wall_ms - ticks.base_ms, ticks.floor_ms)


def _hold(state: State, before: Watermarks, after: Watermarks) -> None:
    """Wall time counts from where event time moves."""
    ticks = state.ticks.get(CLOCK)
    if ticks is None or before.predictions_ms == after.predictions_ms:
        return
    # Wall time before the first row says nothing of the time that rows are from.
    reached = 0 if before.predictions_ms is None else decision_ms(state) or 0
    state.ticks.put(CLOCK, Ticks(ticks.wall_ms, ticks.wall_ms, reached, ticks.heard))


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
