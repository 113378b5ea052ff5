"""Feedback in columns, as it was read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np

from detectors.summary import Ints
from schemas.base import MAX_TIME_MS
from schemas.dead_letters import DeadLetter, Reason
from schemas.errors import BadRecord
from schemas.feedback import FeedbackEvent
from schemas.hot import HotFeedback, hot_type
from streams.dead_letters import dead_letter
from streams.ingest.decode import Heartbeat, Row, decode_feedback, milliseconds_of
from streams.records import Record, Records

_REFUSALS = (msgspec.MsgspecError, UnicodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class FeedbackRows:
    """n feedback events of one partition, in order of offset.

    ``ids`` are their prediction ids in UTF-8, ``stamps_ms`` the broker's times of the records that
    held them. Row i is the one of index ``indices[i]`` in ``records[places[i]]``. All have length n
    but ``records``.
    """

    events: Sequence[HotFeedback]
    ids: Sequence[bytes]
    times_ms: Ints
    stamps_ms: Ints
    records: Sequence[Record]
    places: Sequence[int]
    indices: Sequence[int]

    def row(self, number: int) -> Row[HotFeedback]:
        """One of them with its origin."""
        record, time_ms = self.records[self.places[number]], int(self.times_ms[number])
        return Row(self.events[number], record, self.indices[number], time_ms)


def rows_of(records: Records) -> tuple[FeedbackRows, list[Heartbeat], list[DeadLetter]]:
    """Rows of records of the feedback topic, heartbeats among them, and dead letters.

    Whatever is more, or less, than one event in the plainest form is read by itself.
    """
    found = _Found(records)
    read = map(_decode, records.values)
    while True:
        try:
            # What was read before a refusal stays, and the map goes on behind it.
            found.events.extend(read)
        except _REFUSALS:
            found.note_plain()
            found.read_hard()
        else:
            found.note_plain()
            return found.rows(), found.beats, found.dead


_decode = cast(Callable[[bytes], HotFeedback], msgspec.json.Decoder(hot_type(FeedbackEvent)).decode)


class _Found:
    """What has been read of some records so far."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._next = 0
        self._places: list[int] = []
        self._indices: list[int] = []
        self.events: list[HotFeedback] = []
        self.beats: list[Heartbeat] = []
        self.dead: list[DeadLetter] = []

    def note_plain(self) -> None:
        """Say that each of the new events was a record."""
        number = len(self.events) - len(self._places)
        self._places += range(self._next, self._next + number)
        self._indices += bytes(number)
        self._next += number

    def read_hard(self) -> None:
        """Read the next record, whatever it is."""
        found = decode_feedback([self._records[self._next]])
        before = len(self.events)
        self.beats += [Heartbeat(before, beat.time_ms, beat.record) for beat in found.beats]
        self.dead += found.dead
        self.events += [row.event for row in found.rows]
        self._places += [self._next] * len(found.rows)
        self._indices += [row.index for row in found.rows]
        self._next += 1

    def rows(self) -> FeedbackRows:
        """The events in columns."""
        times_ms = self._times()
        stamps_ms = np.array(self._records.timestamps_ms, np.int64)
        return FeedbackRows(
            events=self.events,
            ids=[event.prediction_id.encode() for event in self.events],
            times_ms=times_ms,
            stamps_ms=stamps_ms[self._places],
            records=self._records,
            places=self._places,
            indices=self._indices,
        )

    def _times(self) -> Ints:
        """Times of the events; those without a real one leave."""
        times = np.array([event.time for event in self.events])
        if times.dtype == np.int64 and times.min() >= 0 and times.max() <= MAX_TIME_MS:
            return times
        fine: list[int] = []
        times_ms: list[int] = []
        for number, event in enumerate(self.events):
            try:
                times_ms.append(milliseconds_of(event.time))
            except BadRecord as bad:
                self.dead.append(self._refused(number, bad))
            else:
                fine.append(number)
        if len(fine) < len(self.events):
            self._keep(fine)
        return np.array(times_ms, np.int64)

    def _refused(self, number: int, bad: BadRecord) -> DeadLetter:
        record = self._records[self._places[number]]
        return dead_letter(record, Reason(bad.reason), str(bad), field=bad.field)

    def _keep(self, fine: Sequence[int]) -> None:
        self.events = [self.events[number] for number in fine]
        self._places = [self._places[number] for number in fine]
        self._indices = [self._indices[number] for number in fine]
        self.beats = [
            Heartbeat(bisect_left(fine, beat.place), beat.time_ms, beat.record)
            for beat in self.beats
        ]
        self.dead.sort(key=lambda letter: (letter.offset, letter.row))
