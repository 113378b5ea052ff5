"""Numeric features: contract, moments and histograms of all of a model's at once."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Builder, Field, Floats, Ints, Layout, quantise
from schemas.policy import FeatureContract
from schemas.reference import NumericReference

Value: TypeAlias = bool | int | float | str | None
Bools: TypeAlias = NDArray[np.bool_]

Shape: TypeAlias = tuple[Hashable, ...]

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
    def shape(self) -> Shape:
        """Features of one shape can be summed together."""
        known = self.reference
        edges = -1 if known is None else len(known.edges)
        watched = known is not None and self.contract.drift
        return "numeric", self.bins, edges, watched, self.range is not None

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
    """The numeric features of models, each a column of a matrix.

    A batch of few rows costs as much as its numpy calls; their number depends neither on that of
    features nor on that of segments or models.

    Parameters
    ----------
    layout
        Of the panes that they are summed in.
    models
        The features of each model in order of their columns; those of a column have one `shape`.
    """

    def __init__(self, layout: Layout, models: Sequence[Sequence[NumericFeature]]) -> None:
        first = models[0]
        names = [one.name for one in first]
        contracts = [[one.contract for one in features] for features in models]
        self._low = _bounds([[one.min for one in each] for each in contracts], -np.inf)
        self._high = _bounds([[one.max for one in each] for each in contracts], np.inf)
        self._n, self._missing, self._invalid, self._out = (
            _starts(layout, names, mark) for mark in ("n", "missing", "invalid", "out")
        )
        ranged = [i for i, one in enumerate(first) if one.range is not None]
        self._ranged = np.array(ranged, np.int64)
        ranges = [[pair for one in features if (pair := one.range)] for features in models]
        self._least, self._most = (
            _table([[pair[side] for pair in each] for each in ranges]) for side in (0, 1)
        )
        self._u, self._u2 = (_starts(layout, [names[i] for i in ranged], m) for m in ("u", "u2"))
        referred = [i for i, one in enumerate(first) if one.reference]
        profiles = [[known for one in features if (known := one.reference)] for features in models]
        self._referred = np.array(referred, np.int64)
        self._mean = _table([[one.mean for one in each] for each in profiles])
        self._sd = _table([[one.sd or 1.0 for one in each] for each in profiles])
        inner = [len(one.edges) for one in profiles[0]]
        most = max(inner, default=0)
        self._edges = np.full((most, len(referred), len(models)), np.inf)
        for column, own in enumerate(profiles):
            for place, profile in enumerate(own):
                self._edges[: len(profile.edges), place, column] = profile.edges
        size = np.int8 if most < 128 else np.int32
        self._last = np.array(inner, size)[:, None]
        self._s1, self._s2, hist = (
            _starts(layout, [names[i] for i in referred], mark) for mark in ("s1", "s2", "hist")
        )
        self._hist = hist[:, None]
        watched = [i for i, one in enumerate(first) if one.reference and one.contract.drift]
        seen = [
            [one.reference for one in features if one.reference and one.contract.drift]
            for features in models
        ]
        self._watched = np.array(watched, np.int64)
        self._seen_low = _table([[one.min for one in each] for each in seen])
        self._seen_high = _table([[one.max for one in each] for each in seen])

    def add(
        self, build: Builder, numbers: Floats, invalid: Bools | None, which: Ints | None = None
    ) -> Marked:
        """Add n rows.

        Parameters
        ----------
        numbers
            Shape (n, features); NaN where there is no number.
        invalid
            Where there is something else instead, of the same shape; None for nowhere.
        which
            The model of each row, shape (n,); None if there is only one.
        """
        # By column, so that each step runs along many rows.
        columns = np.ascontiguousarray(numbers.T)
        gone = np.isnan(columns)
        fine = ~gone if gone.any() else None
        build.every(len(numbers), self._n)
        if fine is not None:
            build.where(gone if invalid is None else gone & ~invalid.T, self._missing)
        broken = (columns < _each(self._low, which)) | (columns > _each(self._high, which))
        if broken.any():
            build.where(broken, self._out)
        if invalid is not None:
            build.where(invalid.T, self._invalid)
            broken |= invalid.T
        if len(self._ranged):
            least, most = _each(self._least, which), _each(self._most, which)
            unit = np.clip(_some(columns, self._ranged), least, most) - least
            unit /= most - least
            self._table(build, unit, _fine(fine, self._ranged), self._u, self._u2)
        if len(self._referred):
            own = _some(columns, self._referred)
            self._refer(build, own, _fine(fine, self._referred), which)
        return Marked(_rows(broken), self._outside(columns, which))

    def _refer(
        self, build: Builder, columns: Floats, fine: Bools | None, which: Ints | None
    ) -> None:
        with np.errstate(over="ignore"):
            z = columns - _each(self._mean, which)
            z /= _each(self._sd, which)
        np.clip(z, -CLIP_SD, CLIP_SD, out=z)
        self._table(build, z, fine, self._s1, self._s2)
        # Edges are few: comparing with each is cheaper than searching, and for all features at
        # once.
        bins = np.zeros(columns.shape, self._last.dtype)
        above = np.empty(columns.shape, np.bool_)
        for edge in self._edges:
            bins += np.greater_equal(columns, _each(edge, which), out=above).view(np.int8)
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

    def _outside(self, columns: Floats, which: Ints | None) -> Ints:
        if not len(self._watched):
            return NO_ROWS
        watched = _some(columns, self._watched)
        low, high = _each(self._seen_low, which), _each(self._seen_high, which)
        return _rows((watched < low) | (watched > high))


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


def _bounds(known: Sequence[Sequence[float | None]], otherwise: float) -> Floats:
    return _table([[otherwise if one is None else one for one in each] for each in known])


def _table(values: Sequence[Sequence[float]]) -> Floats:
    """Values of each model by feature, as shape (features, models)."""
    return np.array(values, np.float64).T


def _each(table: Floats, which: Ints | None) -> Floats:
    """What holds for each of n rows, shape (features, n); (features, 1) for one model."""
    return table if which is None else table.take(which, axis=1)


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
