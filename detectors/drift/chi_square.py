"""Pearson's chi-square test that window and reference have the same distribution."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
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


def pool(c: ArrayLike, r: ArrayLike, *, minimum: float = 5.0) -> tuple[FloatArray, FloatArray]:
    """Merge neighbouring bins until each expects at least `minimum` events of the window.

    The expectation is the reference's, so pooling does not look at the window's shape.

    Parameters
    ----------
    c, r
        Counts, shape (B,).
    minimum
        Expected events of the window in each pooled bin.

    Returns
    -------
    Pooled counts of window and reference, equal shape, at least one bin.

    Examples
    --------
    >>> window, reference = pool([40, 1, 2, 57], [500, 20, 30, 450])
    >>> window.tolist(), reference.tolist()
    ([40.0, 3.0, 57.0], [500.0, 50.0, 450.0])
    """
    window, reference = as_floats(c), as_floats(r)
    size = window.sum() / max(float(reference.sum()), 1.0)
    starts = [0]
    mass = 0.0
    for place, expected in enumerate(size * reference):
        if mass >= minimum:
            starts.append(place)
            mass = 0.0
        mass += float(expected)
    if mass < minimum and len(starts) > 1:
        starts.pop()
    return as_floats(np.add.reduceat(window, starts)), as_floats(np.add.reduceat(reference, starts))


CHI_SQUARE = Comparison(
    name="chi_square",
    value=statistic,
    threshold=lambda n, m, bins, alpha: threshold(bins, alpha),
    p_value=p_value,
)
"""Pearson's chi-square."""
