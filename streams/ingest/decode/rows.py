"""Predictions in columns: what INGEST asks of them, whatever they came as.

`TypedRows` are columns made of JSON events of one known model, `JsonRows` any other events,
`MixedRows` both in turn, `ArrowRows` the columns of Arrow batches. All answer alike for the same
events; what is rare (a dead letter, a shadow, a request for review) is asked for row by row, as an
event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.numeric import Value
from detectors.outcomes.contract import Outcome, Tails
from detectors.summary import Floats, Ints
from schemas.dead_letters import DeadLetter, Reason
from schemas.hot import HotPrediction
from streams.ingest.columns.strings import Strings
from streams.records import Record

Bools: TypeAlias = NDArray[np.bool_]

Kind: TypeAlias = tuple[str | None, ...]
"""Version, arm, and the values of some segments or groups; None where a row has none."""


class PredictionRows(Protocol):
    """n predictions of one partition, in order of offset."""

    @property
    def times_ms(self) -> Ints:
        """Event time, shape (n,)."""

    @property
    def stamps_ms(self) -> Ints:
        """The broker's time of the record that held each, shape (n,)."""

    def __len__(self) -> int: ...

    def take(self, chosen: Ints) -> PredictionRows:
        """Some of the rows, ascending."""

    def models(self) -> tuple[Sequence[str], Ints]:
        """The models, and the place among them of each row's, shape (n,)."""

    def keys(self) -> Strings:
        """What each row is keyed by (`schemas.predictions.partition_key`), in UTF-8."""

    def shadows(self) -> Bools:
        """Whether a row stands beside an answer that it names, shape (n,)."""

    def kinds(self, slices: Sequence[str]) -> tuple[list[Kind], Ints]:
        """The kinds of rows in order of their first, and the place of each row's, shape (n,)."""

    def tails(self, outcome: Outcome) -> Tails:
        """The answers as a task packs them, shape (n,)."""

    def numbers(self, names: Sequence[str]) -> tuple[Floats, Bools | None]:
        """Numeric features, shape (n, features): NaN where there is no number; and where there is
        something else instead, None for nowhere."""

    def words(self, name: str) -> Sequence[Value]:
        """A feature as it was sent; None where a row has none."""

    def latencies(self) -> Floats:
        """Latency in milliseconds, shape (n,); NaN where a row has none."""

    def errors(self) -> Bools:
        """Whether the service failed, shape (n,)."""

    def embedding(self, name: str) -> Sequence[Sequence[float] | None]:
        """An embedding of each row."""

    def inputs(self) -> Sequence[bytes | None]:
        """All features of each row in one fixed form; None where it has none."""

    def event(self, row: int) -> HotPrediction:
        """A row as an event; features only where `features` has them."""

    def events(self) -> Sequence[HotPrediction]:
        """`event` of every row."""

    def record(self, row: int) -> Record:
        """The record that held a row."""

    def index(self, row: int) -> int:
        """Place of a row inside of its record."""

    def refused(self, row: int, reason: Reason, message: str, *, field: str) -> DeadLetter:
        """A dead letter for one row; that of a batch holds the row alone."""

    def untyped(self) -> Iterator[tuple[int, HotPrediction]]:
        """Rows and their events, where features were read by no type of the model; those with
        signals are not among them, since no type reads signals."""
