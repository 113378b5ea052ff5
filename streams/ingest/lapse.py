"""Lapse: what has waited its time leaves the join store.

A pending prediction lapses when both watermarks have passed all feedback that could still be
joined, and so do the shadows of an answer; feedback that waits lapses when no prediction can come
for it any more. Keys are listed by the hour in which they lapse, so that nothing is searched and
memory does not grow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from schemas.dead_letters import DeadLetter
from streams.ingest import keys
from streams.ingest.join import unmatched
from streams.ingest.pending import time_of, unpack_waiting
from streams.ingest.shadows import unpack_shadows
from streams.ingest.store import Overlay

LIST_LENGTH = 450
"""Keys in one list; of at most 1,850 bytes each (names and ids are counted in characters, of up
to four bytes), so that a list fits into a record of the log."""


@dataclass
class Lapses:
    """Keys put since the last checkpoint, by kind and hour."""

    _new: dict[tuple[bytes, int], list[keys.Listed]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def note(self, kind: bytes, key: bytes, *, time_ms: int, kept_ms: int) -> None:
        """Remember that a value of ``time_ms`` lapses ``kept_ms`` later."""
        hour = max(time_ms + kept_ms, 0) // keys.HOUR_MS
        self._new[kind, hour].append((key, time_ms))

    def note_many(
        self, kind: bytes, places: Sequence[bytes], *, times_ms: Sequence[int], kept_ms: int
    ) -> None:
        """The same for values of several times."""
        hours = np.maximum(np.array(times_ms, np.int64) + kept_ms, 0) // keys.HOUR_MS
        if hours.size and hours.min() == hours.max():
            self._new[kind, int(hours[0])] += zip(places, times_ms, strict=True)
            return
        for place, time_ms, hour in zip(places, times_ms, hours.tolist(), strict=True):
            self._new[kind, hour].append((place, time_ms))

    def save(self, store: Overlay, epoch: int, sequence: int) -> None:
        """Write the new lists."""
        for (kind, hour), listed in self._new.items():
            for part, start in enumerate(range(0, len(listed), LIST_LENGTH)):
                place = keys.lapse_key(kind, hour, epoch, sequence, part)
                store.put(place, keys.pack_listed(listed[start : start + LIST_LENGTH]))
        self._new.clear()


AT_ONCE = 100_000
"""Keys that one checkpoint drops before it leaves the rest to the next: an hour of a busy shard
is more than one transaction should hold."""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """What has left the join store.

    ``dropped`` counts pending predictions and shadows, ``dead`` has a dead letter for each
    feedback that never met its prediction; ``more`` says that there is more to drop.
    """

    dropped: int
    dead: list[DeadLetter]
    more: bool


def lapse(store: Overlay, *, pending_ms: int, waiting_ms: int, at_once: int = AT_ONCE) -> Lapsed:
    """Drop what has lapsed.

    Parameters
    ----------
    pending_ms, waiting_ms
        The watermark for pending predictions and shadows, and the one for feedback that waits.
    at_once
        Stop after the list in which so many keys have been looked at.
    """
    dropped, seen = 0, 0
    dead: list[DeadLetter] = []
    for kind, until_ms in (
        (keys.PENDING, pending_ms),
        (keys.SHADOWS, pending_ms),
        (keys.WAITING, waiting_ms),
    ):
        for place, packed in store.scan_committed(*keys.lapse_range(kind, until_ms)):
            if seen >= at_once:
                return Lapsed(dropped, dead, more=True)
            listed = keys.unpack_listed(packed)
            seen += len(listed)
            values = store.get_many([key for key, _ in listed])
            for (key, time_ms), value in zip(listed, values, strict=True):
                if value is None or _time_ms(kind, value) != time_ms:
                    continue
                if kind == keys.PENDING:
                    dropped += 1
                elif kind == keys.SHADOWS:
                    dropped += len(unpack_shadows(value).entries)
                else:
                    dead += [unmatched(feedback) for feedback in unpack_waiting(value)]
                store.delete(key)
            store.delete(place)
    return Lapsed(dropped, dead, more=False)


def _time_ms(kind: bytes, value: bytes) -> int:
    if kind == keys.PENDING:
        return time_of(value)
    if kind == keys.SHADOWS:
        return unpack_shadows(value).until_ms
    return max(feedback.until_ms for feedback in unpack_waiting(value))
