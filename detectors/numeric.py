"""Numeric features: contract, moments and histograms of all of a model's at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Builder, Field, Floats, Ints, Layout, quantise
from schemas.policy import FeatureContract
from schemas.reference import NumericReference

Value: TypeAlias = bool | int | float | str | None
Bools: TypeAlias = NDArray[np.bool_]

CLIP_SD = 20.0

NO_ROWS: Ints = np.zeros(0, np.int64)


class Marked(NamedTuple):
    """Rows that break the contract of a feature, and rows with a value outside of what the
    reference has seen; in order, one may be named twice."""

    broken: Ints
    outside: Ints


@dataclass(frozen=True)
class NumericFeature:
    """A numeric feature as it is checked and binned.

    ``edges`` is empty and ``mean``, ``sd`` are 0, 1 without a reference.
    """

    name: str
    contract: FeatureContract
    reference: NumericReference | None

    @property
    def bins(self) -> int:
        """Number of histogram bins."""
        return len(self.reference.counts) if self.reference else 0

    def fields(self) -> tuple[Field, ...]:
        """Fields of the feature in a pane."""
        marks = tuple(Field(f"{self.name}:{m}") for m in ("n", "missing", "invalid", "out"))
        if self.range is not None:
            low, high = self.range
            marks += tuple(Field(f"{self.name}:{m}", 1, True, low, high) for m in ("u", "u2"))
        if self.reference is None:
            return marks
        sums = (Field(f"{self.name}:s1", fixed=True), Field(f"{self.name}:s2", fixed=True))
        return (*marks, *sums, Field(f"{self.name}:hist", self.bins))

    @property
    def range(self) -> tuple[float, float] | None:
        """The range of a value whose mean has a level; None where it has none."""
        contract = self.contract
        if contract.max_mean is None and contract.min_mean is None:
            return None
        if contract.min is None or contract.max is None:
            return None
        return contract.min, contract.max


class NumericFeatures:
    """The numeric features of a model, each a column of a matrix.

    A batch of few rows costs as much as its numpy calls; their number depends neither on that of
    features nor on that of segments.

    Parameters
    ----------
    layout
        Of the panes that they are summed in.
    features
        In order of their columns.
    """

    def __init__(self, layout: Layout, features: Sequence[NumericFeature]) -> None:
        self._names = [one.name for one in features]
        contracts = [one.contract for one in features]
        self._low = _bounds([one.min for one in contracts], -np.inf)
        self._high = _bounds([one.max for one in contracts], np.inf)
        self._n, self._missing, self._invalid, self._out = (
            _starts(layout, self._names, mark) for mark in ("n", "missing", "invalid", "out")
        )
        ranged = [(i, one.range) for i, one in enumerate(features) if one.range is not None]
        self._ranged = np.array([i for i, _ in ranged], np.int64)
        self._least, self._most = (
            _column([known[side] for _, known in ranged if known]) for side in (0, 1)
        )
        names = [self._names[i] for i, _ in ranged]
        self._u, self._u2 = _starts(layout, names, "u"), _starts(layout, names, "u2")
        referred = [(i, one.reference) for i, one in enumerate(features) if one.reference]
        self._referred = np.array([i for i, _ in referred], np.int64)
        self._mean = _column([known.mean for _, known in referred])
        self._sd = _column([known.sd or 1.0 for _, known in referred])
        most = max((len(known.edges) for _, known in referred), default=0)
        self._edges = np.full((most, len(referred), 1), np.inf)
        for place, (_, known) in enumerate(referred):
            self._edges[: len(known.edges), place, 0] = known.edges
        size = np.int8 if most < 128 else np.int32
        self._last = np.array([[len(known.edges)] for _, known in referred], size)
        names = [self._names[i] for i, _ in referred]
        self._s1, self._s2 = _starts(layout, names, "s1"), _starts(layout, names, "s2")
        self._hist = _starts(layout, names, "hist")[:, None]
        watched = [
            (i, one.reference)
            for i, one in enumerate(features)
            if one.reference and one.contract.drift
        ]
        self._watched = np.array([i for i, _ in watched], np.int64)
        self._seen_low = _column([known.min for _, known in watched])
        self._seen_high = _column([known.max for _, known in watched])

    def add(self, build: Builder, numbers: Floats, invalid: Bools | None) -> Marked:
        """Add n rows.

        Parameters
        ----------
        numbers
            Shape (n, features); NaN where there is no number.
        invalid
            Where there is something else instead, of the same shape; None for nowhere.
        """
        # By column, so that each step runs along many rows.
        columns = np.ascontiguousarray(numbers.T)
        gone = np.isnan(columns)
        fine = ~gone if gone.any() else None
        build.every(len(numbers), self._n)
        if fine is not None:
            build.where(gone if invalid is None else gone & ~invalid.T, self._missing)
        broken = (columns < self._low) | (columns > self._high)
        if broken.any():
            build.where(broken, self._out)
        if invalid is not None:
            build.where(invalid.T, self._invalid)
            broken |= invalid.T
        if len(self._ranged):
            unit = np.clip(_some(columns, self._ranged), self._least, self._most) - self._least
            unit /= self._most - self._least
            self._table(build, unit, _fine(fine, self._ranged), self._u, self._u2)
        if len(self._referred):
            self._refer(build, _some(columns, self._referred), _fine(fine, self._referred))
        return Marked(_rows(broken), self._outside(columns))

    def _refer(self, build: Builder, columns: Floats, fine: Bools | None) -> None:
        with np.errstate(over="ignore"):
            z = columns - self._mean
            z /= self._sd
        np.clip(z, -CLIP_SD, CLIP_SD, out=z)
        self._table(build, z, fine, self._s1, self._s2)
        # Edges are few: comparing with each is cheaper than searching, and for all features at
        # once.
        bins = np.zeros(columns.shape, self._last.dtype)
        above = np.empty(columns.shape, np.bool_)
        for edge in self._edges:
            bins += np.greater_equal(columns, edge, out=above).view(np.int8)
        np.minimum(bins, self._last, out=bins)
        build.bins(bins + self._hist, fine)

    @staticmethod
    def _table(build: Builder, values: Floats, fine: Bools | None, one: Ints, two: Ints) -> None:
        """Add values and their squares; what is not ``fine`` adds nothing."""
        if fine is not None:
            values[~fine] = 0.0
        build.table(one, quantise(values))
        values *= values
        build.table(two, quantise(values))

    def _outside(self, columns: Floats) -> Ints:
        if not len(self._watched):
            return NO_ROWS
        watched = _some(columns, self._watched)
        return _rows((watched < self._seen_low) | (watched > self._seen_high))


def numbers_of(values: Sequence[Value], width: int) -> tuple[Floats, Bools | None]:
    """Values, row by row, as a matrix of numbers.

    Parameters
    ----------
    values
        n * ``width`` values.

    Returns
    -------
    Numbers of shape (n, width), NaN where there is none; and where a value is neither a number
    nor missing, None for nowhere.

    Examples
    --------
    >>> numbers_of([1, None, 2.5, "3"], 2)
    (array([[1. , nan],
           [2.5, nan]]), array([[False, False],
           [False,  True]]))
    """
    shape = (len(values) // width if width else 0, width)
    wrong = None
    if not set(map(type, values)) <= {int, float, type(None)}:
        wrong = np.array([isinstance(value, bool | str) for value in values]).reshape(shape)
        values = [None if isinstance(value, bool | str) else value for value in values]
    return _floats(cast("Sequence[float | None]", values)).reshape(shape), wrong


def _floats(values: Sequence[float | None]) -> Floats:
    """JSON knows integers beyond every float; they are beyond every bound as well."""
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([_float(value) for value in values], np.float64)


def _float(value: float | None) -> float:
    if value is None:
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _bounds(known: Sequence[float | None], otherwise: float) -> Floats:
    return _column([otherwise if one is None else one for one in known])


def _column(values: Sequence[float]) -> Floats:
    """A value for each feature, shape (features, 1)."""
    return np.array(values, np.float64)[:, None]


def _starts(layout: Layout, names: Sequence[str], mark: str) -> Ints:
    return np.array([layout.start(f"{name}:{mark}") for name in names], np.int64)


def _some(columns: Floats, chosen: Ints) -> Floats:
    """Some features; all of them are the array itself."""
    return columns if len(chosen) == len(columns) else columns[chosen]


def _fine(fine: Bools | None, chosen: Ints) -> Bools | None:
    return fine if fine is None or len(chosen) == len(fine) else fine[chosen]


def _rows(marked: Bools) -> Ints:
    """Rows in which any feature is marked."""
    return np.flatnonzero(marked.any(axis=0)) if marked.any() else NO_ROWS
