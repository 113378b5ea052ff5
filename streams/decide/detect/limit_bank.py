"""Tests on levels of many streams, stepped at once: sums, increments and wealth in arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import BoolArray, FloatArray, as_floats
from detectors.estimation.propensity import CAP
from detectors.outcomes.feedback import WEIGHTED_METRICS
from detectors.quantities import QUANTITIES
from detectors.summary import Ints, Layout
from streams.decide.detect.gather import NOWHERE, Gathered, scale_of
from streams.decide.measure.awaited import awaited_field
from streams.decide.measure.labels import LABEL_RATE


class Recipe(NamedTuple):
    """Where the sums of a metric stand in a window's vector, and how they are read.

    ``places`` are those of up to three counts of events, of two sums and of one sum of squares;
    ``signs`` are of the counts, ``scales`` what the sums are divided by. Where there is nothing,
    the sign is 0 and the scale infinite. What is ``beside`` is counted in the predictions. A
    quantity that was scaled from [``low``, ``low`` + ``span``] is scaled back. The fields are those
    of `ROW`.
    """

    places: tuple[int, ...]
    beside: tuple[bool, ...]
    signs: tuple[int, ...]
    scales: tuple[float, ...]
    squares: bool
    low: float
    span: float
    hi: float


COUNTS, SUMS = 3, 3
"""Places of counts, and of sums with that of squares."""

ROW = np.dtype(
    [
        ("places", np.int64, COUNTS + SUMS),
        ("beside", np.bool_, COUNTS + SUMS),
        ("signs", np.int64, COUNTS),
        ("scales", np.float64, SUMS),
        ("squares", np.bool_),
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
        signs = [-1 if name[0] == "-" else 1 for name in quantity.of]
        return _recipe(
            counts=list(zip(map(layout.start, of), signs, strict=True)),
            sums=[(layout.start(name), scale_of(layout, name)) for name in bad],
            squares=(layout.start(squares), scale_of(layout, squares)) if squares else None,
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
    starts, served = gathered.starts[asked], gathered.served[asked]
    first = np.where(recipes["beside"], served[:, None], starts[:, None])
    entries = gathered.at(recipes["places"] + first)
    n: Ints = (entries[:, :COUNTS] * recipes["signs"]).sum(axis=1)
    unknown = served == NOWHERE
    if unknown.any():
        n[unknown & recipes["beside"][:, 0]] = 0
    read = entries[:, COUNTS:] / recipes["scales"]
    s, q = as_floats(read[:, 0] + read[:, 1]), as_floats(read[:, 2])
    low, span = recipes["low"], recipes["span"]
    if low.any() or (span != 1.0).any():
        q = as_floats(n * low**2 + span * (2 * low * s + span * q))
        s = as_floats(n * low + span * s)
    return ManySums(n, s, q, low, recipes["hi"], recipes["squares"])


def _beside(layout: Layout, inputs: Layout, field: str, squares: str, hi: float) -> Recipe | None:
    """A metric of which the predictions count the events."""
    if field not in layout:
        return None
    return _recipe(
        counts=[(inputs.start(awaited_field(inputs)), 1)],
        sums=[(layout.start(field), scale_of(layout, field))],
        squares=(layout.start(squares), scale_of(layout, squares)) if squares else None,
        beside=True,
        hi=hi,
    )


def _recipe(
    *,
    counts: Sequence[tuple[int, int]],
    sums: Sequence[tuple[int, float]],
    squares: tuple[int, float] | None,
    beside: bool = False,
    low: float = 0.0,
    span: float = 1.0,
    hi: float,
) -> Recipe:
    """A recipe of places with signs, of places with scales."""
    nothing = (0, math.inf)
    signed = [*counts, *[(0, 0)] * (COUNTS - len(counts))]
    scaled = [*sums, *[nothing] * (SUMS - 1 - len(sums)), squares or nothing]
    return Recipe(
        places=tuple(place for place, _ in (*signed, *scaled)),
        beside=(*[beside] * COUNTS, *[False] * SUMS),
        signs=tuple(sign for _, sign in signed),
        scales=tuple(scale for _, scale in scaled),
        squares=squares is not None,
        low=low,
        span=span,
        hi=hi,
    )
