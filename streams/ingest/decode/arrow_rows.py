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
from schemas.errors import BadRecord
from schemas.hot import HotPrediction
from streams.dead_letters import dead_letter
from streams.ingest.columns.codes import Words, crossed, merged
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.arrow import message_of
from streams.ingest.decode.arrow_answers import ArrowAnswers
from streams.ingest.decode.arrow_message import ArrowMessage
from streams.ingest.decode.rows import Bools, Kind
from streams.records import Record

T = TypeVar("T")


def rows_of(records: Iterable[Record]) -> tuple[ArrowRows, list[DeadLetter]]:
    """Rows of messages in order of offset, and dead letters.

    One bad row costs that row; a message that cannot be read, or of which a column is missing or
    of a wrong type, is one dead letter.
    """
    messages: list[ArrowMessage] = []
    good: list[Ints] = []
    dead: list[DeadLetter] = []
    for record in records:
        try:
            message, rows, refused = message_of(record)
        except BadRecord as bad:
            dead.append(dead_letter(record, Reason(bad.reason), str(bad), field=bad.field))
            continue
        good.append(rows)
        messages.append(message)
        dead += refused
    if sum(map(len, good)) == sum(map(len, messages)):
        return ArrowRows(messages), dead
    places = [np.stack((np.full(len(rows), i), rows), axis=1) for i, rows in enumerate(good)]
    return ArrowRows(messages, np.concatenate(places)), dead


class ArrowRows:
    """Rows of messages in columns; `streams.ingest.decode.rows.PredictionRows` says what is asked.

    Parameters
    ----------
    messages
        They, in order of offset.
    places
        The message of each row and its place inside of it, shape (n, 2), ascending; None for all.
    """

    def __init__(self, messages: Sequence[ArrowMessage], places: Ints | None = None) -> None:
        self._messages = messages
        self._places = places
        self._starts = np.cumsum([0, *map(len, messages)])
        self._rows = None if places is None else self._starts[places[:, 0]] + places[:, 1]
        self.times_ms: Ints = self._column(lambda message: message.times_ms)
        self.stamps_ms: Ints = self._column(_stamps)

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
        return type(self)([self._messages[i] for i in used.tolist()], places)

    def models(self) -> tuple[Sequence[str], Ints]:
        """The models, and the place of each row's."""
        words, places = merged(
            [Words([each.model], np.zeros(len(each), np.int64)) for each in self._messages]
        )
        return words, places if self._rows is None else places[self._rows]

    def keys(self) -> Strings:
        """What each row is keyed by."""
        return self._keys

    @cached_property
    def _keys(self) -> Strings:
        keys = Strings.together([message.keys() for message in self._messages])
        return keys if self._rows is None else keys.take(self._rows)

    def shadows(self) -> Bools:
        """Whether a row stands beside an answer that it names."""
        found: Bools = self._column(ArrowMessage.shadows)
        return found.astype(np.bool_, copy=False)

    def kinds(self, slices: Sequence[str]) -> tuple[list[Kind], Ints]:
        """The kinds of rows in order of their first, and the place of each row's."""
        columns = [
            merged([message.codes("version") for message in self._messages]),
            merged([message.arms() for message in self._messages]),
            *(merged([message.slice(key) for message in self._messages]) for key in slices),
        ]
        if self._rows is not None:
            columns = [Words(words, places[self._rows]) for words, places in columns]
        return crossed(columns)

    def tails(self, outcome: Outcome) -> Tails:
        """The answers as a task packs them."""
        packed = [outcome.pack_columns(ArrowAnswers(message)) for message in self._messages]
        whole = np.concatenate([np.zeros(0, outcome.tail), *packed])
        return whole if self._rows is None else whole[self._rows]

    def numbers(self, names: Sequence[str]) -> tuple[Floats, Bools | None]:
        """Numeric features, and where something else stands instead."""
        found = np.empty((len(self), len(names)))
        wrong = np.zeros((len(self), len(names)), np.bool_)
        for place, name in enumerate(names):
            found[:, place] = self._column(partial(_numbers, name))
            if any(message.others(f"features.{name}") is not None for message in self._messages):
                wrong[:, place] = self._column(partial(_wrong, name))
        return found, wrong if wrong.any() else None

    def words(self, name: str) -> Sequence[Value]:
        """A feature as it was sent."""
        return self._list(lambda message: message.words(name))

    def latencies(self) -> Floats:
        """Latency in milliseconds."""
        found: Floats = self._column(lambda message: message.floats("latency_ms"))
        return found

    def errors(self) -> Bools:
        """Whether the service failed."""
        found: Bools = self._column(lambda message: message.valid("error"))
        return found.astype(np.bool_, copy=False)

    def embedding(self, name: str) -> Sequence[Sequence[float] | None]:
        """An embedding of each row."""
        return self._list(lambda message: message.vectors(name))

    def inputs(self) -> Sequence[bytes | None]:
        """All features of each row, by name."""
        return self._list(ArrowMessage.inputs)

    def event(self, row: int) -> HotPrediction:
        """A row as an event."""
        message, place = self._place(row)
        return message.event(place)

    def events(self) -> Sequence[HotPrediction]:
        """Every row as an event."""
        if self._places is None:
            return self._list(lambda message: message.events(np.arange(len(message))))
        which, places = self._places.T
        found: list[HotPrediction] = []
        for i, message in enumerate(self._messages):
            found += message.events(places[which == i])
        return found

    def record(self, row: int) -> Record:
        """The message that held a row."""
        return self._place(row)[0].record

    def index(self, row: int) -> int:
        """Place of a row inside of its message."""
        return self._place(row)[1]

    def refused(self, row: int, reason: Reason, message: str, *, field: str) -> DeadLetter:
        """A dead letter for one row."""
        source, place = self._place(row)
        return source.refused(place, reason, message, field=field)

    def untyped(self) -> Iterator[tuple[int, HotPrediction]]:
        """Rows that no type of their model has read: none, they are columns."""
        return iter(())

    def _place(self, row: int) -> tuple[ArrowMessage, int]:
        if self._places is not None:
            source, place = self._places[row].tolist()
        else:
            source = int(np.searchsorted(self._starts, row, "right")) - 1
            place = row - int(self._starts[source])
        return self._messages[source], place

    def _column(self, of: Callable[[ArrowMessage], Any]) -> Any:
        """What each message has in a column, for these rows; shape (n,)."""
        parts = [of(message) for message in self._messages]
        whole = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        return whole if self._rows is None else whole[self._rows]

    def _list(self, of: Callable[[ArrowMessage], list[T]]) -> list[T]:
        """The same of what is no array."""
        values = [value for message in self._messages for value in of(message)]
        return values if self._rows is None else [values[row] for row in self._rows.tolist()]


def _stamps(message: ArrowMessage) -> Ints:
    return np.full(len(message), message.record.timestamp_ms, np.int64)


def _numbers(name: str, message: ArrowMessage) -> Floats:
    """A feature, or the signal of that name where a row has no such feature."""
    found = message.floats(f"features.{name}")
    if f"signals.{name}" not in message.columns:
        return found
    given = message.valid(f"features.{name}")
    return np.where(given, found, message.floats(f"signals.{name}"))


def _wrong(name: str, message: ArrowMessage) -> Bools:
    others = message.others(f"features.{name}")
    return np.zeros(len(message), np.bool_) if others is None else others
