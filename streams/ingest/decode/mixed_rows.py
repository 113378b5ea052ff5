"""Predictions of which some are in columns and some are events, in order of offset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

import numpy as np

from detectors.numeric import Value
from detectors.outcomes.contract import Outcome, Tails
from detectors.summary import Floats, Ints
from schemas.dead_letters import DeadLetter, Reason
from schemas.hot import HotPrediction
from streams.ingest.columns.codes import Words, merged
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.rows import Bools, Kind, PredictionRows
from streams.records import Record

T = TypeVar("T")


class MixedRows:
    """Rows part after part; `streams.ingest.decode.rows.PredictionRows` says what is asked.

    Parameters
    ----------
    parts
        Two at least, none of them empty.
    """

    def __init__(self, parts: Sequence[PredictionRows]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])
        self.times_ms: Ints = np.concatenate([part.times_ms for part in parts])
        self.stamps_ms: Ints = np.concatenate([part.stamps_ms for part in parts])

    def __len__(self) -> int:
        return len(self.times_ms)

    def take(self, chosen: Ints) -> PredictionRows:
        """Some of the rows, ascending."""
        if len(chosen) == len(self):
            return self
        ends = np.searchsorted(chosen, self._starts)
        pieces = [
            part.take(chosen[ends[i] : ends[i + 1]] - self._starts[i])
            for i, part in enumerate(self._parts)
        ]
        return together([piece for piece in pieces if len(piece)] or pieces[:1])

    def models(self) -> tuple[Sequence[str], Ints]:
        """The models, and the place of each row's."""
        return _merged(part.models() for part in self._parts)

    def keys(self) -> Strings:
        """What each row is keyed by."""
        return Strings.together([part.keys() for part in self._parts])

    def shadows(self) -> Bools:
        """Whether a row stands beside an answer that it names."""
        return np.concatenate([part.shadows() for part in self._parts])

    def kinds(self, slices: Sequence[str]) -> tuple[list[Kind], Ints]:
        """The kinds of rows in order of their first, and the place of each row's."""
        return _merged(part.kinds(slices) for part in self._parts)

    def tails(self, outcome: Outcome) -> Tails:
        """The answers as a task packs them."""
        return np.concatenate([part.tails(outcome) for part in self._parts])

    def numbers(self, names: Sequence[str]) -> tuple[Floats, Bools | None]:
        """Numeric features, and where something else stands instead."""
        found = [part.numbers(names) for part in self._parts]
        numbers = np.concatenate([each for each, _ in found])
        if all(wrong is None for _, wrong in found):
            return numbers, None
        none = [np.zeros(each.shape, np.bool_) if w is None else w for each, w in found]
        return numbers, np.concatenate(none)

    def words(self, name: str) -> Sequence[Value]:
        """A feature as it was sent."""
        return list(chain.from_iterable(part.words(name) for part in self._parts))

    def latencies(self) -> Floats:
        """Latency in milliseconds."""
        return np.concatenate([part.latencies() for part in self._parts])

    def errors(self) -> Bools:
        """Whether the service failed."""
        return np.concatenate([part.errors() for part in self._parts])

    def embedding(self, name: str) -> Sequence[Sequence[float] | None]:
        """An embedding of each row."""
        return list(chain.from_iterable(part.embedding(name) for part in self._parts))

    def inputs(self) -> Sequence[bytes | None]:
        """All features of each row, by name; the same whichever order an event has them in."""
        return list(chain.from_iterable(part.inputs() for part in self._parts))

    def event(self, row: int) -> HotPrediction:
        """A row as an event."""
        part, place = self._place(row)
        return part.event(place)

    def events(self) -> Sequence[HotPrediction]:
        """Every row as an event."""
        return list(chain.from_iterable(part.events() for part in self._parts))

    def record(self, row: int) -> Record:
        """The record that held a row."""
        part, place = self._place(row)
        return part.record(place)

    def index(self, row: int) -> int:
        """Place of a row inside of its record."""
        part, place = self._place(row)
        return part.index(place)

    def refused(self, row: int, reason: Reason, message: str, *, field: str) -> DeadLetter:
        """A dead letter for one row."""
        part, place = self._place(row)
        return part.refused(place, reason, message, field=field)

    def untyped(self) -> Iterator[tuple[int, HotPrediction]]:
        """Rows and their events that no type of their model has read."""
        for start, part in zip(self._starts.tolist(), self._parts, strict=False):
            for row, event in part.untyped():
                yield start + row, event

    def _place(self, row: int) -> tuple[PredictionRows, int]:
        which = int(np.searchsorted(self._starts, row, "right")) - 1
        return self._parts[which], row - int(self._starts[which])


def together(parts: Sequence[PredictionRows]) -> PredictionRows:
    """Rows part after part; one part at least."""
    return parts[0] if len(parts) == 1 else MixedRows(parts)


def _merged(parts: Iterable[tuple[Sequence[T], Ints]]) -> tuple[list[T], Ints]:
    words, places = merged([Words(list(values), which) for values, which in parts])
    return words, places
