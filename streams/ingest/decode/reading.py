"""Reading: records of a topic to events, a chunk at a time.

The plain form, one event in a record, is read by the fastest decoder there is. What that refuses
(a batch, a heartbeat, an event that it does not know, bytes that are none) is read by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
import numpy as np

from detectors.summary import Ints
from schemas.base import MAX_TIME_MS
from schemas.dead_letters import DeadLetter, Reason
from schemas.errors import BadRecord
from schemas.event_time import milliseconds_of
from schemas.hot import HotFeedback, HotPrediction
from streams.ingest.columns.packed import integers_of
from streams.ingest.decode.one_by_one import Decoded, Heartbeat
from streams.ingest.decode.origins import Origins
from streams.records import Record, Records

T = TypeVar("T", HotPrediction, HotFeedback)

CHUNK = 600
"""Records of a chunk: their events still fit the processor's cache when they become columns, also
where something else shares it, and the memory that they free holds the next."""

_REFUSALS = (msgspec.MsgspecError, UnicodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Chunk(Generic[T]):
    """n events in order of offset, with their times, shape (n,), and origins."""

    events: Sequence[T]
    times_ms: Ints
    origins: Origins


class Reading(Generic[T]):
    """Reads records of one partition.

    Parameters
    ----------
    plain
        Reads the bytes of one event, or raises msgspec's errors.
    hard
        Reads records of any form.

    Attributes
    ----------
    beats, dead
        Heartbeats and dead letters of what has been read.
    """

    def __init__(
        self,
        records: Records,
        plain: Callable[[bytes], T],
        hard: Callable[[Sequence[Record]], Decoded[T]],
    ) -> None:
        self._records = records
        self._plain: Callable[[bytes], T] = plain
        self._hard: Callable[[Sequence[Record]], Decoded[T]] = hard
        self._rows = 0
        self.beats: list[Heartbeat] = []
        self.dead: list[DeadLetter] = []

    def chunks(self, size: int) -> Iterator[Chunk[T]]:
        """The events, so many records at a time."""
        for start in range(0, len(self._records), size):
            yield self._chunk(start, self._records.values[start : start + size])
        self.dead.sort(key=lambda letter: (letter.offset, letter.row))

    def _chunk(self, start: int, values: Sequence[bytes]) -> Chunk[T]:
        events: list[T] = []
        places: list[Ints] = []
        indices: list[Ints] = []
        beats: list[Heartbeat] = []
        place, end = start, start + len(values)
        read = map(self._plain, values)
        while place < end:
            before = len(events)
            with suppress(*_REFUSALS):
                # What was read before a refusal stays, and the map goes on behind it.
                events.extend(read)
            number = len(events) - before
            places.append(np.arange(place, place + number))
            indices.append(np.zeros(number, np.int64))
            place += number
            if place < end:
                found = self._hard([self._records[place]])
                beats += [Heartbeat(len(events), each.time_ms, each.record) for each in found.beats]
                self.dead += found.dead
                events += [row.event for row in found.rows]
                places.append(np.full(len(found.rows), place))
                indices.append(np.array([row.index for row in found.rows], np.int64))
                place += 1
        origins = Origins(self._records, np.concatenate(places), np.concatenate(indices))
        times_ms = _times(events)
        if times_ms is None:
            return self._timed(events, origins, beats)
        self._note(beats, len(events))
        return Chunk(events, times_ms, origins)

    def _timed(self, events: Sequence[T], origins: Origins, beats: Sequence[Heartbeat]) -> Chunk[T]:
        """A chunk of which some times are texts, or none."""
        fine: list[int] = []
        times_ms: list[int] = []
        for number, event in enumerate(events):
            try:
                times_ms.append(milliseconds_of(event.time))
            except BadRecord as bad:
                reason = Reason(bad.reason)
                self.dead.append(origins.refused(number, reason, str(bad), field=bad.field))
            else:
                fine.append(number)
        before = np.searchsorted(fine, [beat.place for beat in beats]).tolist()
        pairs = zip(before, beats, strict=True)
        self._note([Heartbeat(place, b.time_ms, b.record) for place, b in pairs], len(fine))
        kept = origins.take(np.array(fine, np.int64))
        return Chunk([events[number] for number in fine], np.array(times_ms, np.int64), kept)

    def _note(self, beats: Sequence[Heartbeat], rows: int) -> None:
        """Note the heartbeats of a chunk, and how many rows it had."""
        self.beats += [Heartbeat(self._rows + b.place, b.time_ms, b.record) for b in beats]
        self._rows += rows


def _times(events: Sequence[T]) -> Ints | None:
    """Times that are numbers within bounds; None where one is not."""
    times = [event.time for event in events]
    packed = integers_of(times)
    if packed is not None:
        return packed.astype(np.int64) if packed.max() <= MAX_TIME_MS else None
    if not set(map(type, times)) <= {int}:
        return None
    try:
        found = np.array(times, np.int64)
    except OverflowError:
        return None
    return None if len(found) and not 0 <= found.min() <= found.max() <= MAX_TIME_MS else found
