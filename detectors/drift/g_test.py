"""Likelihood-ratio (G) test that window and reference have the same distribution."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.contract import Comparison
from detectors.distributions import chi2_isf, chi2_sf
from detectors.drift.chi_square import degrees_of_freedom
from detectors.drift.histograms import inverse_size


def statistic(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """G of the two-row table of window counts `c` and reference counts `r`.

    Steadier than chi-square where bins are rare, a little too ready to reject where a window
    has fewer than ten events a bin.

    Parameters
    ----------
    c, r
        Counts, shape (..., B).

    Returns
    -------
    Shape (...), at least 0; NaN where a side is empty.

    Examples
    --------
    >>> round(float(statistic([50, 30, 20], [400, 400, 200])), 6)
    4.598846

    References
    ----------
    .. [1] Wilks, The large-sample distribution of the likelihood ratio, Annals of Mathematical
       Statistics 9, 1938.
    """
    window, reference = as_floats(c), as_floats(r)
    total = window.sum(axis=-1, keepdims=True) + reference.sum(axis=-1, keepdims=True)
    pooled = (window + reference) / np.where(total > 0.0, total, 1.0)
    value = 2.0 * (_cells(window, pooled) + _cells(reference, pooled))
    return as_floats(np.where(np.isnan(inverse_size(c, r)), np.nan, value))


def _cells(counts: FloatArray, pooled: FloatArray) -> FloatArray:
    """Sum of count times log(count / expected); an empty cell adds nothing."""
    expected = counts.sum(axis=-1, keepdims=True) * pooled
    filled = counts > 0.0
    ratio = np.where(filled, counts, 1.0) / np.where(filled, expected, 1.0)
    return as_floats(np.sum(counts * np.log(ratio), axis=-1))


def p_value(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Chance of a G this large without drift, for one look, shape (...).

    Examples
    --------
    >>> round(float(p_value([50, 30, 20], [400, 400, 200])), 6)
    0.100317
    """
    return chi2_sf(statistic(c, r), degrees_of_freedom(c, r))


def threshold(bins: int, alpha: float) -> float:
    """G that an unchanged window exceeds with chance `alpha`.

    Examples
    --------
    >>> round(threshold(3, 0.01), 6)
    9.21034
    """
    return chi2_isf(alpha, bins - 1)


G_TEST = Comparison(
    name="g_test",
    value=statistic,
    threshold=lambda n, m, bins, alpha: threshold(bins, alpha),
    p_value=p_value,
)
"""Likelihood-ratio (G) test."""
