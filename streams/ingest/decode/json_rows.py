"""Predictions that came as JSON, event by event: of several models, or of no type that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, Self, cast

import msgspec
import numpy as np

from detectors.numeric import Value, numbers_of
from detectors.outcomes.contract import Outcome, Tails
from detectors.summary import Floats, Ints
from schemas.dead_letters import DeadLetter, Reason
from schemas.hot import HotPrediction, prediction_decoder
from schemas.predictions import Arm, partition_key
from schemas.typed import Names, names_of
from streams.ingest.columns.codes import coded, crossed
from streams.ingest.columns.packed import leading_floats
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.origins import Origins
from streams.ingest.decode.reading import Chunk
from streams.ingest.decode.rows import Bools, Kind
from streams.ingest.decode.typed_rows import inputs_of
from streams.records import Record


class JsonRows:
    """Events in columns; `streams.ingest.decode.rows.PredictionRows` says what is asked.

    Parameters
    ----------
    events
        n events.
    times_ms
        Their times, shape (n,).
    origins
        What held them.
    """

    def __init__(self, events: Sequence[HotPrediction], times_ms: Ints, origins: Origins) -> None:
        self._events = events
        self._origins = origins
        self.times_ms = times_ms
        self.stamps_ms = origins.stamps_ms()

    @classmethod
    def of_events(cls, events: Sequence[HotPrediction]) -> Self:
        """Events that no record held: at time 0, for what does not depend on it."""
        n = len(events)
        return cls(events, np.zeros(n, np.int64), Origins.none(n))

    @classmethod
    def of_chunks(cls, chunks: Sequence[Chunk[HotPrediction]]) -> Self:
        """Events of the same records, chunk after chunk."""
        events = list(chain.from_iterable(chunk.events for chunk in chunks))
        times_ms = np.concatenate([chunk.times_ms for chunk in chunks])
        return cls(events, times_ms, Origins.together([chunk.origins for chunk in chunks]))

    def __len__(self) -> int:
        return len(self._events)

    def take(self, chosen: Ints) -> Self:
        """Some of the rows, ascending."""
        if len(chosen) == len(self):
            return self
        events = [self._events[i] for i in chosen.tolist()]
        return type(self)(events, self.times_ms[chosen], self._origins.take(chosen))

    def models(self) -> tuple[Sequence[str], Ints]:
        """The models, and the place of each row's."""
        return coded([event.model for event in self._events])

    def keys(self) -> Strings:
        """What each row is keyed by."""
        return self._keys

    @cached_property
    def _keys(self) -> Strings:
        if self._paired:
            return Strings.of_texts(
                [
                    partition_key(event.prediction_id, event.arm, event.pair_id)
                    for event in self._events
                ]
            )
        return Strings.of_texts([event.prediction_id for event in self._events])

    def shadows(self) -> Bools:
        """Whether a row stands beside an answer that it names."""
        if not self._paired:
            return np.zeros(len(self), np.bool_)
        return np.array(
            [event.pair_id is not None and event.arm == Arm.SHADOW for event in self._events]
        )

    @cached_property
    def _paired(self) -> bool:
        """Whether any row names an answer."""
        # A list is read at twice the speed of a generator.
        return any([event.pair_id is not None for event in self._events])  # noqa: C419

    def kinds(self, slices: Sequence[str]) -> tuple[list[Kind], Ints]:
        """The kinds of rows in order of their first, and the place of each row's."""
        events = self._events
        columns: list[list[str | None]] = [
            [event.version for event in events],
            [event.arm for event in events],
        ]
        columns += [self._segments(key) for key in slices]
        return crossed([coded(column) for column in columns])

    def _segments(self, key: str) -> list[str | None]:
        """A row's value of a key; where it is both a segment's and a group's, the segment's."""
        events, kinds = self._events, self._kinds
        places = {_place(key, names.segments) for names in kinds or ()}
        values: list[str | None]
        if len(places) == 1 and None not in places:
            values = list(map(attrgetter(f"segments.s{places.pop()}"), events))
        else:
            values = [_segments(event).get(key) for event in events]
        if None in values:
            values = [
                event.groups.get(key) if value is None else value
                for value, event in zip(values, events, strict=True)
            ]
        return values

    @cached_property
    def _kinds(self) -> Sequence[Names] | None:
        """The names behind each type of rows; None where one has plain dicts."""
        kinds = [
            names_of(event) for event in {type(event): event for event in self._events}.values()
        ]
        return None if None in kinds else [names for names in kinds if names is not None]

    def tails(self, outcome: Outcome) -> Tails:
        """The answers as a task packs them."""
        return outcome.pack([event.output for event in self._events])

    def numbers(self, names: Sequence[str]) -> tuple[Floats, Bools | None]:
        """Numeric features, and where something else stands instead."""
        kinds = self._kinds
        if kinds is not None and all(known.numeric == tuple(names) for known in kinds):
            features: list[Any] = [event.features for event in self._events]
            return leading_floats(list(map(msgspec.structs.astuple, features)), len(names)), None
        table = [self._mapping(event) for event in self._events]
        return numbers_of(values_of(table, names), len(names))

    def words(self, name: str) -> Sequence[Value]:
        """A feature as it was sent."""
        found = []
        for i, event in enumerate(self._events):
            known = names_of(event)
            if known is not None and name in known.numeric:
                # It was read as a number; as a word it may have more digits.
                value = prediction_decoder.decode(self._origins.value(i)).features.get(name)
            elif known is not None and name not in known.other:
                value = None
            else:
                value = self._mapping(event).get(name)
            found.append(value)
        return found

    def latencies(self) -> Floats:
        """Latency in milliseconds."""
        return np.array([event.latency_ms for event in self._events], np.float64)

    def errors(self) -> Bools:
        """Whether the service failed."""
        return np.array([event.error is not None for event in self._events], np.bool_)

    def embedding(self, name: str) -> Sequence[Sequence[float] | None]:
        """An embedding of each row."""
        return [event.embeddings.get(name) for event in self._events]

    def inputs(self) -> Sequence[bytes | None]:
        """All features of each row, by name; the same whichever order an event has them in."""
        return [
            inputs_of(
                event
                if names_of(event) is None
                else prediction_decoder.decode(self._origins.value(i))
            )
            for i, event in enumerate(self._events)
        ]

    def event(self, row: int) -> HotPrediction:
        """A row as an event."""
        return self._events[row]

    def events(self) -> Sequence[HotPrediction]:
        """Every row as an event."""
        return self._events

    def record(self, row: int) -> Record:
        """The record that held a row."""
        return self._origins.record(row)

    def index(self, row: int) -> int:
        """Place of a row inside of its record."""
        return self._origins.index(row)

    def refused(self, row: int, reason: Reason, message: str, *, field: str) -> DeadLetter:
        """A dead letter for one row."""
        return self._origins.refused(row, reason, message, field=field)

    def untyped(self) -> Iterator[tuple[int, HotPrediction]]:
        """Rows and their events, where features were read by no type of the model; those with
        signals are not among them, since no type reads signals."""
        return (
            (row, event)
            for row, event in enumerate(self._events)
            if names_of(event) is None and event.output.signals is None
        )

    @staticmethod
    def _mapping(event: HotPrediction) -> Mapping[str, Value]:
        """Features by name; a signal of the output stands in where there is no such feature."""
        features: Any = event.features
        known = names_of(event)
        if known is not None:
            values = msgspec.structs.astuple(features)
            return dict(zip((*known.numeric, *known.other), values, strict=True))
        signals = event.output.signals
        return {**signals, **features} if signals else features


def _segments(event: HotPrediction) -> Mapping[str, str | None]:
    names = names_of(event)
    if names is None:
        return event.segments
    values: Any = msgspec.structs.astuple(cast(Any, event.segments))
    return dict(zip(names.segments, values, strict=True))


def _place(key: str, names: Sequence[str]) -> int | None:
    """Where a key stands among names; None where it does not."""
    return names.index(key) if key in names else None


def values_of(table: Sequence[Mapping[str, Value]], names: Sequence[str]) -> list[Value]:
    """Values of each row under names, row by row; None where a row has none."""
    if len(names) > 1:
        pick: Callable[[Mapping[str, Value]], tuple[Value, ...]] = itemgetter(*names)
        try:
            # Where no row lacks any of them, which is the rule, all are taken at once.
            return list(chain.from_iterable(map(pick, table)))
        except KeyError:
            pass
    return [row.get(name) for row in table for name in names]
