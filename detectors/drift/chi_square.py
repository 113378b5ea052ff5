"""Pearson's chi-square test that window and reference have the same distribution."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, IntArray, as_floats
from detectors.contract import Comparison
from detectors.distributions import chi2_isf, chi2_sf
from detectors.drift.histograms import inverse_size


def statistic(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Chi-square of the two-row table of window counts `c` and reference counts `r`.

    Parameters
    ----------
    c, r
        Counts, shape (..., B). Pool sparse bins first, see `pool`.

    Returns
    -------
    Shape (...), at least 0; NaN where a side is empty.

    Examples
    --------
    >>> round(float(statistic([50, 30, 20], [400, 400, 200])), 6)
    4.547804
    """
    window, reference = as_floats(c), as_floats(r)
    total = window.sum(axis=-1, keepdims=True) + reference.sum(axis=-1, keepdims=True)
    pooled = (window + reference) / np.where(total > 0.0, total, 1.0)
    value = _cells(window, pooled) + _cells(reference, pooled)
    return as_floats(np.where(np.isnan(inverse_size(c, r)), np.nan, value))


def _cells(counts: FloatArray, pooled: FloatArray) -> FloatArray:
    """One row's part of the sum; a bin that is empty in both rows adds nothing."""
    expected = counts.sum(axis=-1, keepdims=True) * pooled
    parts = (counts - expected) ** 2 / np.where(expected > 0.0, expected, 1.0)
    return as_floats(parts.sum(axis=-1))


def degrees_of_freedom(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Bins that hold an event of either side, less one, shape (...).

    Examples
    --------
    >>> float(degrees_of_freedom([5, 0, 0], [4, 1, 0]))
    1.0
    """
    used = np.sum(as_floats(c) + as_floats(r) > 0.0, axis=-1)
    return as_floats(np.maximum(used - 1, 0))


def p_value(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Chance of a chi-square this large without drift, for one look, shape (...).

    Examples
    --------
    >>> round(float(p_value([50, 30, 20], [400, 400, 200])), 6)
    0.10291
    """
    return chi2_sf(statistic(c, r), degrees_of_freedom(c, r))


def threshold(bins: int, alpha: float) -> float:
    """Chi-square that an unchanged window exceeds with chance `alpha`.

    Examples
    --------
    >>> round(threshold(3, 0.01), 6)
    9.21034
    """
    return chi2_isf(alpha, bins - 1)


class Pooled(NamedTuple):
    """Counts of pooled bins, first those in use and then zeros, shape (..., B); and how many are
    in use, shape (...)."""

    window: FloatArray
    reference: FloatArray
    bins: IntArray


def pool(c: ArrayLike, r: ArrayLike, *, minimum: float = 5.0) -> Pooled:
    """Merge neighbouring bins until each expects at least `minimum` events of the window.

    The expectation is the reference's, so pooling does not look at the window's shape. Of the zeros
    at the end `statistic` and `degrees_of_freedom` take no notice.

    Parameters
    ----------
    c, r
        Counts, shape (..., B).
    minimum
        Expected events of the window in each pooled bin.

    Examples
    --------
    >>> pooled = pool([40, 1, 2, 57], [500, 20, 30, 450])
    >>> pooled.window.tolist(), pooled.reference.tolist(), int(pooled.bins)
    ([40.0, 3.0, 57.0, 0.0], [500.0, 50.0, 450.0, 0.0], 3)
    """
    window, reference = as_floats(c), as_floats(r)
    shape, bins = window.shape, window.shape[-1]
    window, reference = window.reshape(-1, bins), reference.reshape(-1, bins)
    size = window.sum(axis=-1) / np.maximum(reference.sum(axis=-1), 1.0)
    expected = size[:, None] * reference
    into = np.zeros(window.shape, np.int64)
    last, mass = np.zeros(len(window), np.int64), np.zeros(len(window))
    for place in range(bins):
        full = mass >= minimum
        last = last + full
        into[:, place] = last
        mass = np.where(full, 0.0, mass) + expected[:, place]
    used = last + (mass >= minimum)
    into = np.minimum(into, np.maximum(used - 1, 0)[:, None])
    flat = (into + bins * np.arange(len(window))[:, None]).ravel()

    def sums(counts: FloatArray) -> FloatArray:
        return as_floats(np.bincount(flat, counts.ravel(), minlength=flat.size).reshape(shape))

    bins_used = np.maximum(used, 1).reshape(shape[:-1])
    return Pooled(sums(window), sums(reference), bins_used)


CHI_SQUARE = Comparison(
    name="chi_square",
    value=statistic,
    threshold=lambda n, m, bins, alpha: threshold(bins, alpha),
    p_value=p_value,
)
"""Pearson's chi-square."""
