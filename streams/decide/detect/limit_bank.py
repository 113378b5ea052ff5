"""Tests on levels of many streams, stepped at once: sums, increments and wealth in arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import BoolArray, FloatArray
from detectors.estimation.propensity import CAP
from detectors.outcomes.feedback import WEIGHTED_METRICS
from detectors.quantities import QUANTITIES
from detectors.summary import Ints, Layout
from streams.decide.detect.gather import NOWHERE, Gathered, scale_of, scaled
from streams.decide.measure.awaited import awaited_field
from streams.decide.measure.labels import LABEL_RATE


class Recipe(NamedTuple):
    """Where the sums of a metric stand in a window's vector, and how they are read.

    ``places`` are those of up to three counts of events, of two sums and of one sum of squares;
    ``signs`` are of the counts. Where ``beside``, events are counted in the predictions. A
    quantity that was scaled from [``low``, ``low`` + ``span``] is scaled back. The fields are those
    of `ROW`.
    """

    places: tuple[int, ...]
    signs: tuple[int, ...]
    scales: tuple[float, float]
    beside: bool
    squares: bool
    low: float
    span: float
    hi: float


ROW = np.dtype(
    [
        ("places", np.int64, 6),
        ("signs", np.int64, 3),
        ("scales", np.float64, 2),
        ("beside", np.int64),
        ("squares", np.int64),
        ("low", np.float64),
        ("span", np.float64),
        ("hi", np.float64),
    ]
)
"""A recipe as it stands in an array of many."""


class ManySums(NamedTuple):
    """`detectors.quantities.Sums` of N windows, each of shape (N,)."""

    n: Ints
    s: FloatArray
    q: FloatArray
    lo: FloatArray
    hi: FloatArray
    squares: BoolArray

    def of(self, rows: Ints) -> ManySums:
        """Those of some of the windows."""
        n, s, q, lo, hi, squares = self
        return ManySums(n[rows], s[rows], q[rows], lo[rows], hi[rows], squares[rows])


def recipe_of(layout: Layout, inputs: Layout, metric: str, feature: str) -> Recipe | None:
    """How a metric is read of a pane; None where the pane does not have it."""
    if metric == LABEL_RATE:
        return _beside(layout, inputs, "n", "", 1.0)
    if metric in WEIGHTED_METRICS:
        field = WEIGHTED_METRICS[metric]
        return _beside(layout, inputs, f"ipw_{field}_wx", f"ipw_{field}_w2x2", CAP)
    prefix = f"{feature}:" if feature else ""
    for quantity in QUANTITIES.get(metric, ()):
        bad = [prefix + name for name in quantity.bad]
        of = [prefix + name.removeprefix("-") for name in quantity.of]
        if any(name not in layout for name in (*bad, *of)):
            continue
        low, high = layout.range(bad[0]) if quantity.squares else (0.0, 1.0)
        squares = prefix + quantity.squares if quantity.squares else ""
        plain = (low, high) == (0.0, 1.0)
        return Recipe(
            places=(
                *_padded([layout.start(name) for name in of], 3),
                *_padded([layout.start(name) for name in bad], 2),
                layout.start(squares) if squares else NOWHERE,
            ),
            signs=tuple(_padded([-1 if x[0] == "-" else 1 for x in quantity.of], 3, 0)),
            scales=(scale_of(layout, bad[0]), scale_of(layout, squares) if squares else 1.0),
            beside=False,
            squares=bool(squares),
            low=low,
            span=high - low,
            hi=quantity.hi if plain and squares else high,
        )
    return None


def sums_of(gathered: Gathered, recipes: np.ndarray, asked: Ints) -> ManySums:
    """The sums of N recipes, an array of `ROW`, of the windows of the tests ``asked`` (N,).

    Every number is that of `detectors.quantities.sums_of`, bit for bit; there is no event where
    the predictions that should be counted are not known.
    """
    places, beside = recipes["places"], recipes["beside"] != 0
    starts, served = gathered.starts[asked], gathered.served[asked]
    first = np.repeat(starts[:, None], places.shape[1], axis=1)
    first[:, :3] = np.where(beside, served, starts)[:, None]
    entries = gathered.at(np.where(places == NOWHERE, NOWHERE, places + first))
    n: Ints = (entries[:, :3] * recipes["signs"]).sum(axis=1)
    n[beside & (served == NOWHERE)] = 0
    squares, scales = recipes["squares"] != 0, recipes["scales"]
    low, span, hi = recipes["low"], recipes["span"], recipes["hi"]
    s = scaled(entries[:, 3], scales[:, 0]) + scaled(entries[:, 4], scales[:, 0])
    q = scaled(entries[:, 5], scales[:, 1])
    moved = squares & ~((low == 0.0) & (span == 1.0))
    if moved.any():
        q = np.where(moved, n * low**2 + span * (2 * low * s + span * q), q)
        s = np.where(moved, n * low + span * s, s)
    lo = np.where(moved, low, 0.0)
    return ManySums(n, s, q, lo, hi, squares)


def _beside(layout: Layout, inputs: Layout, field: str, squares: str, hi: float) -> Recipe | None:
    """A metric of which the predictions count the events."""
    if field not in layout:
        return None
    return Recipe(
        places=(
            inputs.start(awaited_field(inputs)),
            NOWHERE,
            NOWHERE,
            layout.start(field),
            NOWHERE,
            layout.start(squares) if squares else NOWHERE,
        ),
        signs=(1, 0, 0),
        scales=(scale_of(layout, field), scale_of(layout, squares) if squares else 1.0),
        beside=True,
        squares=bool(squares),
        low=0.0,
        span=1.0,
        hi=hi,
    )


def _padded(values: list[int], length: int, filling: int = NOWHERE) -> list[int]:
    return values + [filling] * (length - len(values))
