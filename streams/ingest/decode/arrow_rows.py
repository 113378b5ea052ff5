"""Predictions of Arrow messages in columns, for the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any, Self, TypeVar

import numpy as np

from detectors.numeric import Value
from detectors.outcomes.contract import Outcome, Tails
from detectors.summary import Floats, Ints
from schemas.dead_letters import DeadLetter, Reason
from schemas.hot import HotPrediction
from streams.ingest.columns.codes import Words, crossed, merged
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.arrow import batches_of
from streams.ingest.decode.arrow_answers import ArrowAnswers
from streams.ingest.decode.arrow_batch import ArrowBatch
from streams.ingest.decode.rows import Bools, Kind
from streams.records import Record

T = TypeVar("T")


def rows_of(records: Iterable[Record]) -> tuple[ArrowRows, list[DeadLetter]]:
    """Rows of messages in order of offset, and dead letters.

    One bad row costs that row; a message that cannot be read, or of which a column is missing or
    of a wrong type, is one dead letter.
    """
    found, dead = batches_of(records)
    batches, good = [batch for batch, _ in found], [rows for _, rows in found]
    if sum(map(len, good)) == sum(map(len, batches)):
        return ArrowRows(batches), dead
    places = [np.stack((np.full(len(rows), i), rows), axis=1) for i, rows in enumerate(good)]
    return ArrowRows(batches, np.concatenate(places)), dead


class ArrowRows:
    """Rows of batches in columns; `streams.ingest.decode.rows.PredictionRows` says what is asked.

    Parameters
    ----------
    batches
        They, in order of offset.
    places
        The batch of each row and its place inside of it, shape (n, 2), ascending; None for all.
    """

    def __init__(self, batches: Sequence[ArrowBatch], places: Ints | None = None) -> None:
        self._batches = batches
        self._places = places
        self._starts = np.cumsum([0, *map(len, batches)])
        self._rows = None if places is None else self._starts[places[:, 0]] + places[:, 1]
        self.times_ms: Ints = self._column(lambda batch: batch.times_ms)
        self.stamps_ms: Ints = self._column(ArrowBatch.stamps_ms)

    def __len__(self) -> int:
        return len(self.times_ms)

    def take(self, chosen: Ints) -> Self:
        """Some of the rows."""
        if len(chosen) == len(self):
            return self
        rows = chosen if self._rows is None else self._rows[chosen]
        source = np.searchsorted(self._starts, rows, "right") - 1
        used, which = np.unique(source, return_inverse=True)
        places = np.stack((which, rows - self._starts[source]), axis=1)
        return type(self)([self._batches[i] for i in used.tolist()], places)

    def models(self) -> tuple[Sequence[str], Ints]:
        """The models, and the place of each row's."""
        words, places = merged(
            [Words([each.model], np.zeros(len(each), np.int64)) for each in self._batches]
        )
        return words, places if self._rows is None else places[self._rows]

    def keys(self) -> Strings:
        """What each row is keyed by."""
        return self._keys

    @cached_property
    def _keys(self) -> Strings:
        keys = Strings.together([batch.keys() for batch in self._batches])
        return keys if self._rows is None else keys.take(self._rows)

    def shadows(self) -> Bools:
        """Whether a row stands beside an answer that it names."""
        found: Bools = self._column(ArrowBatch.shadows)
        return found.astype(np.bool_, copy=False)

    def kinds(self, slices: Sequence[str]) -> tuple[list[Kind], Ints]:
        """The kinds of rows in order of their first, and the place of each row's."""
        columns = [
            merged([batch.codes("version") for batch in self._batches]),
            merged([batch.arms() for batch in self._batches]),
            *(merged([batch.slice(key) for batch in self._batches]) for key in slices),
        ]
        if self._rows is not None:
            columns = [Words(words, places[self._rows]) for words, places in columns]
        return crossed(columns)

    def tails(self, outcome: Outcome) -> Tails:
        """The answers as a task packs them."""
        packed: Tails = self._column(
            lambda batch: outcome.pack_columns(ArrowAnswers(batch)), outcome.tail
        )
        return packed

    def numbers(self, names: Sequence[str]) -> tuple[Floats, Bools | None]:
        """Numeric features, and where something else stands instead."""
        # A feature's numbers lie together, as they are summed.
        found = np.empty((len(names), len(self)))
        wrong = np.zeros((len(names), len(self)), np.bool_)
        for place, name in enumerate(names):
            found[place] = self._column(partial(_numbers, name))
            if any(batch.others(f"features.{name}") is not None for batch in self._batches):
                wrong[place] = self._column(partial(_wrong, name))
        return found.T, wrong.T if wrong.any() else None

    def words(self, name: str) -> Sequence[Value]:
        """A feature as it was sent."""
        return self._list(lambda batch: batch.words(name))

    def latencies(self) -> Floats:
        """Latency in milliseconds."""
        found: Floats = self._column(lambda batch: batch.floats("latency_ms"))
        return found

    def errors(self) -> Bools:
        """Whether the service failed."""
        found: Bools = self._column(lambda batch: batch.valid("error"))
        return found.astype(np.bool_, copy=False)

    def embedding(self, name: str) -> Sequence[Sequence[float] | None]:
        """An embedding of each row."""
        return self._list(lambda batch: batch.vectors(name))

    def inputs(self) -> Sequence[bytes | None]:
        """All features of each row, by name."""
        return self._list(ArrowBatch.inputs)

    def event(self, row: int) -> HotPrediction:
        """A row as an event."""
        batch, place = self._place(row)
        return batch.event(place)

    def events(self) -> Sequence[HotPrediction]:
        """Every row as an event."""
        if self._places is None:
            return self._list(lambda batch: batch.events(np.arange(len(batch))))
        which, places = self._places.T
        found: list[HotPrediction] = []
        for i, batch in enumerate(self._batches):
            found += batch.events(places[which == i])
        return found

    def record(self, row: int) -> Record:
        """The message that held a row."""
        batch, place = self._place(row)
        return batch.record(place)

    def index(self, row: int) -> int:
        """Place of a row inside of its message."""
        batch, place = self._place(row)
        return batch.index(place)

    def refused(self, row: int, reason: Reason, message: str, *, field: str) -> DeadLetter:
        """A dead letter for one row."""
        source, place = self._place(row)
        return source.refused(place, reason, message, field=field)

    def untyped(self) -> Iterator[tuple[int, HotPrediction]]:
        """Rows that no type of their model has read: none, they are columns."""
        return iter(())

    def _place(self, row: int) -> tuple[ArrowBatch, int]:
        if self._places is not None:
            source, place = self._places[row].tolist()
        else:
            source = int(np.searchsorted(self._starts, row, "right")) - 1
            place = row - int(self._starts[source])
        return self._batches[source], place

    def _column(self, of: Callable[[ArrowBatch], Any], kind: Any = np.int64) -> Any:
        """What each batch has in a column, for these rows; shape (n,). Of no batch at all it is
        an empty column of a ``kind``."""
        parts = [of(batch) for batch in self._batches]
        if len(parts) == 1:
            whole = parts[0]
        else:
            whole = np.concatenate(parts) if parts else np.zeros(0, kind)
        return whole if self._rows is None else whole[self._rows]

    def _list(self, of: Callable[[ArrowBatch], list[T]]) -> list[T]:
        """The same of what is no array."""
        values = [value for batch in self._batches for value in of(batch)]
        return values if self._rows is None else [values[row] for row in self._rows.tolist()]


def _numbers(name: str, batch: ArrowBatch) -> Floats:
    """A feature, or the signal of that name where a row has no such feature."""
    found = batch.floats(f"features.{name}")
    if f"signals.{name}" not in batch.columns:
        return found
    given = batch.valid(f"features.{name}")
    return np.where(given, found, batch.floats(f"signals.{name}"))


def _wrong(name: str, batch: ArrowBatch) -> Bools:
    others = batch.others(f"features.{name}")
    return np.zeros(len(batch), np.bool_) if others is None else others
