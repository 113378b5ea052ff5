"""Arrow messages of one schema: the rows of their IPC streams, column by column and as events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import numpy as np
import pyarrow as pa

from detectors.numeric import Value
from detectors.summary import Floats, Ints
from schemas.arrow import COLUMNS, column_of
from schemas.dead_letters import DeadLetter, Reason
from schemas.hot import HotPrediction, hot_type, prediction_decoder
from schemas.predictions import Arm, PredictionEvent
from streams.dead_letters import dead_letter
from streams.ingest.columns.codes import Words
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.arrow_values import codes, floats, is_number, strings, valid
from streams.ingest.decode.rows import Bools
from streams.records import Record


@dataclass(frozen=True, slots=True)
class ArrowBatch:
    """n rows of one model; what is asked for by name may be missing.

    Parameters
    ----------
    records, starts
        The messages in order of offset, and the first row of each, shape (messages,).
    columns
        Columns of `schemas.arrow` by name, each of a type that fits.
    times_ms
        Event times, shape (n,); -1 where there is none.
    """

    records: Sequence[Record]
    starts: Ints
    model: str
    columns: Mapping[str, pa.Array]
    times_ms: Ints

    def __len__(self) -> int:
        return len(self.times_ms)

    def record(self, row: int) -> Record:
        """The message that held a row."""
        return self.records[self._source(row)]

    def index(self, row: int) -> int:
        """Place of a row inside of its message."""
        return row - int(self.starts[self._source(row)])

    def _source(self, row: int) -> int:
        return int(np.searchsorted(self.starts, row, "right")) - 1

    def stamps_ms(self) -> Ints:
        """The broker's time of each row's message, shape (n,)."""
        stamps_ms = np.array([record.timestamp_ms for record in self.records], np.int64)
        return np.repeat(stamps_ms, np.diff(self.starts, append=len(self)))

    def valid(self, name: str) -> Bools:
        """Where a column has a value, shape (n,)."""
        column = self.columns.get(name)
        return np.zeros(len(self), np.bool_) if column is None else valid(column)

    def floats(self, name: str) -> Floats:
        """Numbers of a column, shape (n,); NaN where there is none."""
        column = self.columns.get(name)
        if column is None or not is_number(column.type):
            return np.full(len(self), np.nan)
        return floats(column)

    def others(self, name: str) -> Bools | None:
        """Where a column has something else than a number; None where it has numbers."""
        column = self.columns.get(name)
        return None if column is None or is_number(column.type) else valid(column)

    def codes(self, name: str) -> Words:
        """Values of a column, and the place among them of each row's."""
        column = self.columns.get(name)
        return Words([None], np.zeros(len(self), np.int64)) if column is None else codes(column)

    def arms(self) -> Words:
        """The arm of each row."""
        words, places = self.codes("arm")
        return Words([Arm.BASELINE if word is None else word for word in words], places)

    def slice(self, key: str) -> Words:
        """The segment of each row, or the group of that name where it has no such segment."""
        words, places = self.codes(f"segments.{key}")
        if f"groups.{key}" not in self.columns:
            return Words(words, places)
        more, others = self.codes(f"groups.{key}")
        chosen = np.where(self.valid(f"segments.{key}"), places, len(words) + others)
        return Words([*words, *more], chosen)

    def shadows(self) -> Bools:
        """Whether a row stands beside an answer that it names, shape (n,)."""
        if "arm" not in self.columns or "pair_id" not in self.columns:
            return np.zeros(len(self), np.bool_)
        words, places = self.arms()
        shadow = np.array([word == Arm.SHADOW for word in words], np.bool_)
        return shadow[places] & self.valid("pair_id")

    def keys(self) -> Strings:
        """What each row is keyed by."""
        keys = strings(self.columns["prediction_id"])
        shadows = self.shadows()
        if not shadows.any():
            return keys
        both = Strings.together([keys, strings(self.columns["pair_id"])])
        rows = np.arange(len(self))
        return both.take(np.where(shadows, rows + len(self), rows))

    def values(self, name: str) -> list[Value]:
        """A column as it was sent."""
        column = self.columns.get(name)
        values: list[Value] = [None] * len(self) if column is None else column.to_pylist()
        return values

    def words(self, name: str) -> list[Value]:
        """A feature as it was sent, or the signal of that name where a row has no such feature."""
        values = self.values(f"features.{name}")
        if f"signals.{name}" not in self.columns:
            return values
        signals = self.columns[f"signals.{name}"].cast(pa.float64()).to_pylist()
        pairs = zip(values, signals, strict=True)
        return [signal if value is None else value for value, signal in pairs]

    def vectors(self, name: str) -> list[Any]:
        """An embedding of each row as an array, None where it has none."""
        column = self.columns.get(f"embeddings.{name}")
        if column is None:
            return [None] * len(self)
        given = valid(column)
        sizes = np.where(given, column.value_lengths().fill_null(0).to_numpy(), 0)
        parts = np.split(floats(column.flatten()), np.cumsum(sizes)[:-1])
        return [part if there else None for part, there in zip(parts, given.tolist(), strict=True)]

    def inputs(self) -> list[bytes | None]:
        """All features of each row as JSON in order of name; None where it has none."""
        names = [name for name in self.columns if name.startswith("features.")]
        if not names:
            return [None] * len(self)
        plain = [name.removeprefix("features.") for name in names]
        found: list[bytes | None] = []
        for values in zip(*map(self.values, names), strict=True):
            pairs = zip(plain, values, strict=True)
            features = {name: value for name, value in pairs if value is not None}
            found.append(msgspec.json.encode(features, order="sorted") if features else None)
        return found

    def event(self, row: int) -> HotPrediction:
        """A row as an event.

        Raises
        ------
        BadRecord
            If it is none.
        """
        return prediction_decoder.decode(self.json(row))

    def events(self, rows: Ints) -> list[HotPrediction]:
        """Rows that are events, as such."""
        if len(rows) == 0:
            return []
        start = int(rows.min())
        spelt = self._spelt(start, int(rows.max()) + 1)
        return [msgspec.convert(spelt[row - start], _EVENT) for row in rows.tolist()]

    def json(self, row: int) -> bytes:
        """A row as the event that it spells; what JSON has no word for is said as in Python."""
        (event,) = self._spelt(row, row + 1)
        return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()

    def _spelt(self, start: int, end: int) -> list[dict[str, Any]]:
        """What rows spell."""
        events: list[dict[str, Any]] = [
            {"model": self.model, "output": {}} for _ in range(start, end)
        ]
        outputs: list[dict[str, Any]] = [event["output"] for event in events]
        for name, column in self.columns.items():
            part = column[start:end]
            if name == "time":
                # Only pandas knows the type of a timestamp in nanoseconds.
                part = pa.array(self.times_ms[start:end], mask=~valid(part))
            known = column_of(name)
            if known is not None:
                inside = outputs if known[0].path[0] == "output" else events
                _put(inside, name, known[0].path[-1], known[1], part.to_pylist())
        return events

    def refused(self, row: int, reason: Reason, message: str, *, field: str) -> DeadLetter:
        """A dead letter for one row, which holds it as JSON."""
        record, index, value = self.record(row), self.index(row), self.json(row)
        return dead_letter(record, reason, message, row=index, field=field, value=value)


def _put(events: list[dict[str, Any]], name: str, field: str, key: str, values: list[Any]) -> None:
    """Put the values of a column where events have them."""
    pairs = [pair for pair in zip(events, values, strict=True) if pair[1] is not None]
    if name not in COLUMNS:
        for event, value in pairs:
            event.setdefault(field, {})[key] = value
    elif name == "lower":
        for event, value in pairs:
            event.setdefault(field, []).insert(0, value)
    elif name == "upper":
        for event, value in pairs:
            event.setdefault(field, []).append(value)
    else:
        for event, value in pairs:
            event[field] = value


_EVENT = cast("type[HotPrediction]", hot_type(PredictionEvent))
