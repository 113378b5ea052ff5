"""Lapse: what has waited its time leaves the join store.

A pending prediction lapses when both watermarks have passed all feedback that could still be
joined, and so do the shadows of an answer; feedback that waits lapses when no prediction can come
for it any more. Predictions lie together by the hour in which they lapse. What waits is listed by
that hour, so that nothing is searched and memory does not grow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.dead_letters import DeadLetter
from streams.ingest.join.one_by_one import unmatched
from streams.ingest.join.shadows import unpack_shadows
from streams.ingest.store import keys
from streams.ingest.store.overlay import Overlay
from streams.ingest.store.pending import Waiting, unpack_waiting

LIST_LENGTH = 450
"""Keys in one list; of at most 1,850 bytes each (names and ids are counted in characters, of up
to four bytes), so that a list fits into a record of the log."""


@dataclass
class Lapses:
    """Keys of what waits, put since the last checkpoint, by kind and hour."""

    _new: dict[tuple[bytes, int], list[keys.Listed]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def note(self, kind: bytes, key: bytes, *, until_ms: int) -> None:
        """Remember when a value lapses."""
        self._new[kind, max(until_ms, 0) // keys.HOUR_MS].append((key, until_ms))

    def save(self, store: Overlay, epoch: int, sequence: int) -> None:
        """Write the new lists."""
        for (kind, hour), listed in self._new.items():
            for part, start in enumerate(range(0, len(listed), LIST_LENGTH)):
                place = keys.lapse_key(kind, hour, epoch, sequence, part)
                store.put(place, keys.pack_listed(listed[start : start + LIST_LENGTH]))
        self._new.clear()


AT_ONCE = 100_000
"""Keys of what waits that one checkpoint drops before it leaves the rest to the next: an hour of a
busy shard is more than one transaction should hold."""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """What has left the join store.

    ``dropped`` counts pending predictions and shadows, ``dead`` has a dead letter for each
    feedback that missed its prediction; ``more`` says that there is more to drop.
    """

    dropped: int
    dead: list[DeadLetter]
    more: bool


def lapse(
    store: Overlay,
    *,
    pending_ms: int,
    waiting_ms: int,
    misses: Callable[[bytes, Waiting], bool] = lambda name, feedback: True,
    at_once: int = AT_ONCE,
) -> Lapsed:
    """Drop what has lapsed.

    Parameters
    ----------
    pending_ms, waiting_ms
        The watermark for pending predictions and shadows, and the one for feedback that waits.
    misses
        Whether feedback under a name that waited in vain should have met its prediction.
    at_once
        Stop after the list in which so many keys have been looked at.
    """
    dropped, seen = store.drop(pending_ms), 0
    dead: list[DeadLetter] = []
    for kind, until_ms in (
        (keys.SHADOWS, pending_ms),
        (keys.WAITING, waiting_ms),
    ):
        for place, packed in store.scan_committed(*keys.lapse_range(kind, until_ms)):
            if seen >= at_once:
                return Lapsed(dropped, dead, more=True)
            listed = keys.unpack_listed(packed)
            seen += len(listed)
            values = store.get_many([key for key, _ in listed])
            for (key, listed_ms), value in zip(listed, values, strict=True):
                if value is None or _until_ms(kind, value) != listed_ms:
                    continue
                if kind == keys.SHADOWS:
                    dropped += len(unpack_shadows(value).entries)
                else:
                    dead += [
                        unmatched(feedback)
                        for feedback in unpack_waiting(value)
                        if misses(key[len(kind) :], feedback)
                    ]
                store.delete(key)
            store.delete(place)
    return Lapsed(dropped, dead, more=False)


def _until_ms(kind: bytes, value: bytes) -> int:
    if kind == keys.SHADOWS:
        return unpack_shadows(value).until_ms
    return max(feedback.until_ms for feedback in unpack_waiting(value))
