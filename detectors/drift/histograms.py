"""What the histogram measures share: sample sizes, smoothing, and the scale of chance."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats


def inverse_size(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """``1/n + 1/m``, the variance scale of a comparison of two histograms.

    Parameters
    ----------
    c, r
        Window and reference counts, shape (..., B).

    Returns
    -------
    Shape (...); NaN where a side is empty.

    Examples
    --------
    >>> round(float(inverse_size([50, 50], [500, 500])), 6)
    0.011
    """
    n, m = as_floats(c).sum(axis=-1), as_floats(r).sum(axis=-1)
    both = (n > 0.0) & (m > 0.0)
    n, m = np.where(both, n, 1.0), np.where(both, m, 1.0)
    return as_floats(np.where(both, 1.0 / n + 1.0 / m, np.nan))


def smoothed(counts: ArrayLike) -> FloatArray:
    """Shares with half a count added to each bin, so that logarithms are finite.

    Examples
    --------
    >>> smoothed([0, 3]).tolist()
    [0.125, 0.875]
    """
    values = as_floats(counts)
    bins = values.shape[-1]
    return as_floats((values + 0.5) / (values.sum(axis=-1, keepdims=True) + 0.5 * bins))


def shares(counts: ArrayLike) -> FloatArray:
    """Plain shares; NaN where the histogram is empty.

    Examples
    --------
    >>> shares([1, 3]).tolist()
    [0.25, 0.75]
    """
    values = as_floats(counts)
    total = values.sum(axis=-1, keepdims=True)
    return as_floats(np.divide(values, np.where(total > 0.0, total, np.nan)))


def variance(weights: FloatArray, p: FloatArray) -> FloatArray:
    """Variance of `weights` under the distribution `p`, over the last axis.

    Examples
    --------
    >>> float(variance(as_floats([0.0, 2.0]), as_floats([0.5, 0.5])))
    1.0
    """
    mean = np.sum(p * weights, axis=-1, keepdims=True)
    return as_floats(np.sum(p * (weights - mean) ** 2, axis=-1))
