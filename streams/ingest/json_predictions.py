"""JSON predictions: bytes to columns, a type for each model's features.

Each model's events are read by a type of its own as soon as its plan is known. Whatever that type
refuses is read again by the one definition of the event, which accepts it or says why not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from detectors.summary import Ints
from schemas import cloudevents
from schemas.base import MAX_TIME_MS
from schemas.dead_letters import DeadLetter, Reason
from schemas.errors import BadRecord
from schemas.hot import HotPrediction, heartbeat_decoder, prediction_decoder, rows
from schemas.typed import Names, TypedReader
from streams.dead_letters import dead_letter
from streams.ingest.decode import Heartbeat, milliseconds_of
from streams.ingest.json_rows import JsonRows, is_batch
from streams.ingest.plan import Plan
from streams.ingest.rows import PredictionRows
from streams.records import Record, Records

LOOKED_AT = 100
"""Rows of a batch that may teach names of features."""

LESSONS = 20
"""How often the type of a model's features may grow: names may come without end."""

_REFUSALS = (msgspec.MsgspecError, UnicodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Run:
    """What records in a row held, in order of offset."""

    rows: PredictionRows
    beats: Sequence[Heartbeat]
    dead: Sequence[DeadLetter]


class JsonPredictions:
    """Reads records of the predictions topic."""

    def __init__(self) -> None:
        self._typed = TypedReader()
        self._lessons: dict[str, int] = {}

    def read(self, records: Records) -> Run:
        """Rows, heartbeats and dead letters of records."""
        reading = _Reading(records)
        read = map(self._typed.read(), records.values)
        events = reading.events
        place = 0
        while True:
            before = len(events)
            try:
                # What was read before a refusal stays, and the map goes on behind it.
                events.extend(read)
            except _REFUSALS:
                place = reading.add_plain(place, len(events) - before)
                reading.read_hard(place)
                place += 1
            else:
                reading.add_plain(place, len(events) - before)
                return reading.run()

    def learn(self, plans: Sequence[Plan], which: Ints, rows: PredictionRows) -> None:
        """Read the events of each plan's model by a type that knows the names they had; row i is
        of ``plans[which[i]]``."""
        if not isinstance(rows, JsonRows):
            return
        taught: defaultdict[int, list[HotPrediction]] = defaultdict(list)
        for row, event in rows.untyped():
            taught[int(which[row])].append(event)
        for place in np.flatnonzero(np.bincount(which)).tolist():
            self._teach(plans[place], taught.get(place, [])[:LOOKED_AT])

    def _teach(self, plan: Plan, taught: Sequence[HotPrediction]) -> None:
        model, numeric = plan.policy.model, plan.summed.numeric
        known = self._typed.knows(model)
        if known is not None and known.numeric == numeric and not taught:
            return
        if known is None or known.numeric != numeric:
            known = Names(numeric, plan.words, tuple(plan.policy.slices))
        features = {name for event in taught for name in event.features}
        segments = {name for event in taught for name in event.segments}
        names = Names(
            numeric,
            _with(known.other, features - {*numeric}),
            _with(known.segments, segments),
        )
        if self._typed.knows(model) not in (None, names):
            lessons = self._lessons[model] = self._lessons.get(model, 0) + 1
            if lessons > LESSONS:
                return
        self._typed.know(model, names)


def _with(known: Sequence[str], seen: set[str]) -> tuple[str, ...]:
    """Names, and after them those that are new."""
    return (*known, *sorted(seen.difference(known)))


@dataclass
class _Reading:
    """What has been read of some records so far."""

    records: Records
    events: list[HotPrediction] = field(default_factory=list)
    beats: list[Heartbeat] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    _places: list[tuple[Ints, Ints]] = field(default_factory=list)
    _plain: bool = True

    def add_plain(self, first: int, number: int) -> int:
        """Note that so many events were a record each, from one on; the record after them."""
        if number:
            self._places.append(
                (np.arange(first, first + number), np.zeros(number, dtype=np.int64))
            )
        return first + number

    def read_hard(self, place: int) -> None:
        """Read a record that is more, or less, than one event of a known type."""
        self._plain = False
        record = self.records[place]
        value = self.records.values[place]
        if record.headers and cloudevents.event_type(record.headers) == cloudevents.HEARTBEAT:
            self._beat(record, value)
        elif is_batch(value):
            self._batch(place, record, value)
        else:
            self._row(place, record, value, 0)

    def run(self) -> Run:
        """All of it, in columns."""
        places = None
        if not self._plain:
            nothing = np.zeros((0, 2), np.int64)
            places = np.concatenate([nothing, *(np.stack(each, axis=1) for each in self._places)])
        times_ms = _times(self.events)
        if times_ms is None:
            return self._timed(places)
        return Run(JsonRows(self.records, self.events, times_ms, places), self.beats, self.dead)

    def _timed(self, places: Ints | None) -> Run:
        """The run, where times are texts or none at all."""
        every = JsonRows(self.records, self.events, np.zeros(len(self.events), np.int64), places)
        fine: list[int] = []
        times_ms: list[int] = []
        for i, event in enumerate(self.events):
            try:
                times_ms.append(milliseconds_of(event.time))
            except BadRecord as bad:
                reason = Reason(bad.reason)
                self.dead.append(every.refused(i, reason, str(bad), field=bad.field))
            else:
                fine.append(i)
        kept = every.take(np.array(fine, np.int64))
        kept.times_ms = np.array(times_ms, np.int64)
        before = np.searchsorted(fine, [beat.place for beat in self.beats], "left").tolist()
        beats = [
            Heartbeat(place, beat.time_ms, beat.record)
            for place, beat in zip(before, self.beats, strict=True)
        ]
        return Run(kept, beats, self.dead)

    def _beat(self, record: Record, value: bytes) -> None:
        try:
            time_ms = milliseconds_of(heartbeat_decoder.decode(value).time)
        except BadRecord as bad:
            self.dead.append(_refused(record, bad, 0, value))
        else:
            self.beats.append(Heartbeat(len(self.events), time_ms, record))

    def _batch(self, place: int, record: Record, value: bytes) -> None:
        """One bad row of a batch costs that row, not the batch."""
        try:
            parts = rows(value)
        except BadRecord as bad:
            self.dead.append(_refused(record, bad, 0, value))
            return
        for index, part in enumerate(parts):
            self._row(place, record, part, index)

    def _row(self, place: int, record: Record, value: bytes, index: int) -> None:
        try:
            self.events.append(prediction_decoder.decode(value))
        except BadRecord as bad:
            self.dead.append(_refused(record, bad, index, value))
        else:
            self._places.append((np.array([place]), np.array([index])))


def _times(events: Sequence[HotPrediction]) -> Ints | None:
    """Times that are numbers within bounds; None where one is not."""
    times = [event.time for event in events]
    if not set(map(type, times)) <= {int}:
        return None
    try:
        found = np.array(times, np.int64)
    except OverflowError:
        return None
    return None if len(found) and not 0 <= found.min() <= found.max() <= MAX_TIME_MS else found


def _refused(record: Record, bad: BadRecord, index: int, value: bytes) -> DeadLetter:
    reason = Reason(bad.reason)
    return dead_letter(record, reason, str(bad), row=index, field=bad.field, value=value)
