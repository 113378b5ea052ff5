"""PIT: where in its forecast did each truth fall? Anywhere alike, if the forecast is right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, IntArray, as_floats
from detectors.calibration.coverage import require_levels
from detectors.drift.histograms import shares
from schemas.errors import ConfigurationError

BINS = 10

_EXACT = 1e15
"""Rows of a reference that is known exactly: its sampling error is below 1e-6."""


def pit(y: FloatArray, quantiles: FloatArray, levels: ArrayLike, u: FloatArray) -> FloatArray:
    """Probability integral transform of truths under forecasts that are given as quantiles.

    Linear between two quantiles. Below the first and above the last the forecast says nothing
    more, and where quantiles coincide it has an atom: there the value is drawn uniformly from
    the range in question (randomised PIT), with `u`. Uniform only as far as the forecast is
    linear between its quantiles: a right normal forecast given as five quantiles lies 0.044 in
    total variation off. `level_counts` makes no such assumption; prefer it for few quantiles.

    Parameters
    ----------
    y
        Truths, shape (n,).
    quantiles
        Forecast quantiles, shape (n, Q), not descending.
    levels
        Their levels, shape (Q,), ascending in (0, 1).
    u
        A number in [0, 1) for each row that does not depend on its truth, such as a hash of its
        id, shape (n,).

    Returns
    -------
    Shape (n,), in [0, 1].

    Raises
    ------
    ConfigurationError
        Levels outside (0, 1) or not ascending.
    ValueError
        Shapes that do not fit, or quantiles that descend.

    Examples
    --------
    >>> forecast = as_floats([[0.0, 10.0, 20.0]] * 3)
    >>> levels, u = [0.1, 0.5, 0.9], np.full(3, 0.5)
    >>> pit(as_floats([5.0, 10.0, 99.0]), forecast, levels, u).round(6).tolist()
    [0.3, 0.5, 0.95]

    References
    ----------
    .. [1] Dawid, Statistical theory: the prequential approach, JRSS-A 147, 1984.
    .. [2] Czado, Gneiting, Held, Predictive model assessment for count data, Biometrics 65, 2009.
    """
    edges = np.concatenate([[0.0], require_levels(levels), [1.0]])
    start, stop = _ranks(y, quantiles, edges.size - 2)
    if u.shape != y.shape:
        raise ValueError(f"u has shape {u.shape}; give one number for each of {y.size} truths")
    rows, last = np.arange(y.size), edges.size - 3
    left, right = (
        quantiles[rows, np.clip(start - 1, 0, last)],
        quantiles[rows, np.clip(start, 0, last)],
    )
    inside = (start == stop) & (start > 0) & (start <= last)
    width = np.where(inside & (right > left), right - left, 1.0)
    way = np.where(inside, (y - left) / width, u)
    atom = stop > start
    low = np.where(atom, edges[np.minimum(start + 1, last + 2)], edges[start])
    high = np.where(atom, edges[stop], edges[np.minimum(start + 1, last + 2)])
    return as_floats(low + way * (high - low))


def _ranks(y: FloatArray, quantiles: FloatArray, levels: int) -> tuple[IntArray, IntArray]:
    """How many quantiles lie below each truth, and how many at or below it, each (n,)."""
    if quantiles.shape != (y.size, levels):
        raise ValueError(
            f"quantiles have shape {quantiles.shape}; {y.size} truths and {levels} levels need "
            f"({y.size}, {levels})"
        )
    if np.any(np.diff(quantiles, axis=1) < 0.0):
        row = int(np.argmax((np.diff(quantiles, axis=1) < 0.0).any(axis=1)))
        raise ValueError(f"quantiles {quantiles[row].tolist()} of row {row} descend; sort them")
    below = (quantiles < y[:, None]).sum(axis=1)
    at_or_below = (quantiles <= y[:, None]).sum(axis=1)
    return np.asarray(below, np.int64), np.asarray(at_or_below, np.int64)


def level_counts(y: FloatArray, quantiles: FloatArray, levels: ArrayLike) -> IntArray:
    """Truths between neighbouring quantiles, shape (Q + 1,); counts of two windows add.

    If the quantiles are right and continuous, their shares are the differences of the levels,
    whatever the forecast's shape in between.

    Parameters
    ----------
    y, quantiles, levels
        As for `pit`.

    Raises
    ------
    ConfigurationError
        Levels outside (0, 1) or not ascending.
    ValueError
        Shapes that do not fit, or quantiles that descend.

    Examples
    --------
    >>> forecast = as_floats([[0.0, 10.0]] * 3)
    >>> level_counts(as_floats([-1.0, 5.0, 10.0]), forecast, [0.1, 0.9]).tolist()
    [1, 2, 0]
    """
    count = require_levels(levels).size
    below, _ = _ranks(y, quantiles, count)
    return np.bincount(below, minlength=count + 1).astype(np.int64)


def histogram(values: FloatArray, bins: int = BINS) -> IntArray:
    """PIT values in equal bins, shape (bins,); counts of two windows add.

    Examples
    --------
    >>> histogram(as_floats([0.0, 0.05, 0.1, 1.0])).tolist()
    [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]
    """
    places = np.minimum((values * bins).astype(np.int64), bins - 1)
    return np.bincount(places, minlength=bins).astype(np.int64)


def uniform_reference(bins: int = BINS) -> FloatArray:
    """Counts of a PIT that is uniform for certain, as the reference of a `WitnessTest`.

    Raises
    ------
    ConfigurationError
        Fewer than 2 bins.

    Examples
    --------
    >>> from detectors.drift.witness import WitnessTest
    >>> test = WitnessTest(uniform_reference(), eps=0.05)
    >>> [test.update([40, 20, 10, 5, 5, 5, 5, 20, 40, 50], share=0.001) for _ in range(3)]
    [False, True, True]
    """
    if bins < 2:
        raise ConfigurationError(f"bins is {bins}; a PIT histogram needs at least 2")
    return as_floats(np.full(bins, _EXACT / bins))


def level_reference(levels: ArrayLike) -> FloatArray:
    """Counts that right quantiles give, known for certain, shape (Q + 1,); see `level_counts`.

    Raises
    ------
    ConfigurationError
        Levels outside (0, 1) or not ascending.

    Examples
    --------
    >>> (level_reference([0.1, 0.9]) / 1e15).round(6).tolist()
    [0.1, 0.8, 0.1]
    """
    return as_floats(np.diff(np.concatenate([[0.0], require_levels(levels), [1.0]])) * _EXACT)


class PitShape(NamedTuple):
    """How a PIT histogram differs from flat, each of shape (...); NaN where empty.

    ``mean`` above 0.5: truths lie higher than forecast. ``spread`` is the variance over that of a
    uniform: above 1 the forecasts are too narrow (a U), below 1 too wide (a hump).
    """

    mean: FloatArray
    spread: FloatArray


def describe(counts: ArrayLike) -> PitShape:
    """Mean and spread of a PIT histogram, shape (..., bins).

    Examples
    --------
    >>> shape = describe([30, 10, 10, 30])
    >>> float(shape.mean), bool(shape.spread > 1)
    (0.5, True)
    """
    p = shares(counts)
    bins = p.shape[-1]
    middle = (np.arange(bins) + 0.5) / bins
    mean = (p * middle).sum(axis=-1)
    variance = (p * (middle - mean[..., None]) ** 2).sum(axis=-1) + 1.0 / (12.0 * bins**2)
    return PitShape(as_floats(mean), as_floats(12.0 * variance))
