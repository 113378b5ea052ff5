"""Kolmogorov-Smirnov distance of two histograms over the same ordered bins."""

from __future__ import annotations

import math

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.contract import Comparison
from detectors.drift.histograms import inverse_size, shares


def ks(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Largest difference of the cumulative shares of `c` and `r`.

    Binning can only lower the distance, so the p-value is conservative.

    Parameters
    ----------
    c, r
        Counts over ordered bins, shape (..., B).

    Returns
    -------
    Shape (...), in [0, 1]; NaN where a side is empty.

    Examples
    --------
    >>> round(float(ks([50, 30, 20], [400, 400, 200])), 6)
    0.1
    """
    return as_floats(np.max(np.abs(np.cumsum(shares(c) - shares(r), axis=-1)), axis=-1))


def p_value(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Upper bound ``2 exp(-2 D**2 / (1/n + 1/m))`` of the p-value, for one look, shape (...).

    Examples
    --------
    >>> round(float(p_value([50, 30, 20], [400, 400, 200])), 6)
    0.324641
    """
    bound = 2.0 * np.exp(-2.0 * ks(c, r) ** 2 / inverse_size(c, r))
    return as_floats(np.minimum(bound, 1.0))


def threshold(n: int, m: int, alpha: float) -> float:
    """Distance that an unchanged window of `n` events exceeds with chance at most `alpha`.

    Examples
    --------
    >>> round(threshold(100, 1_000, 0.01), 6)
    0.170707
    """
    return math.sqrt((1.0 / n + 1.0 / m) * math.log(2.0 / alpha) / 2.0)


def band(c: ArrayLike, r: ArrayLike, alpha: float) -> FloatArray:
    """Most that both cumulative shares together are off, with chance 1 - `alpha`, shape (...).

    Examples
    --------
    >>> round(float(band([500, 500], [5_000, 5_000], 0.05)), 4)
    0.0616
    """
    n, m = as_floats(c).sum(axis=-1), as_floats(r).sum(axis=-1)
    scale = math.sqrt(math.log(4.0 / alpha) / 2.0)
    with np.errstate(divide="ignore"):
        return as_floats(scale * (1.0 / np.sqrt(n) + 1.0 / np.sqrt(m)))


def interval(c: ArrayLike, r: ArrayLike, alpha: float = 0.05) -> tuple[FloatArray, FloatArray]:
    """Interval for the true distance, valid at every sample size for one look.

    Parameters
    ----------
    c, r
        Counts over ordered bins, shape (..., B).
    alpha
        One less the coverage.

    Returns
    -------
    Lower and upper ends, each of shape (...), in [0, 1].

    Examples
    --------
    >>> low, high = interval([500, 300, 200], [4_000, 4_000, 2_000])
    >>> bool(0 < low < 0.1 < high < 0.2)
    True

    References
    ----------
    .. [1] Massart, The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality, Annals of
       Probability 18, 1990.
    """
    value, half = ks(c, r), band(c, r, alpha)
    return as_floats(np.maximum(value - half, 0.0)), as_floats(np.minimum(value + half, 1.0))


KS = Comparison(
    name="ks",
    value=ks,
    threshold=lambda n, m, bins, alpha: threshold(n, m, alpha),
    p_value=p_value,
    interval=interval,
    ordered=True,
    conservative=True,
)
"""Kolmogorov-Smirnov distance."""
