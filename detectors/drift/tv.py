"""Total variation distance: the share of events that would have to move to another bin."""

from __future__ import annotations

import math

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.contract import Comparison
from detectors.drift.histograms import inverse_size, shares, smoothed


def tv(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Total variation distance of window counts `c` from reference counts `r`.

    Parameters
    ----------
    c, r
        Counts, shape (..., B).

    Returns
    -------
    Shape (...), in [0, 1]; NaN where a side is empty.

    Examples
    --------
    >>> round(float(tv([50, 30, 20], [400, 400, 200])), 6)
    0.1
    """
    return as_floats(0.5 * np.sum(np.abs(shares(c) - shares(r)), axis=-1))


def noise_floor(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Mean distance without drift, in the normal approximation, shape (...).

    Examples
    --------
    >>> round(float(noise_floor([50, 30, 20], [400, 400, 200])), 3)
    0.058
    """
    q = smoothed(r)
    scale = np.sqrt(inverse_size(c, r) / (2.0 * math.pi))
    return as_floats(scale * np.sum(np.sqrt(q * (1.0 - q)), axis=-1))


def corrected(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Distance above its noise floor, at least 0.

    Examples
    --------
    >>> round(float(corrected([50, 30, 20], [400, 400, 200])), 3)
    0.042
    """
    return as_floats(np.maximum(tv(c, r) - noise_floor(c, r), 0.0))


def interval(c: ArrayLike, r: ArrayLike, alpha: float = 0.05) -> tuple[FloatArray, FloatArray]:
    """Interval for the true distance, valid at every sample size for one look.

    One event moves the distance by at most 1/n or 1/m (McDiarmid), and chance raises it by at
    most ``sqrt((B - 1) (1/n + 1/m)) / 2`` on average. Wide, but never too narrow.

    Parameters
    ----------
    c, r
        Counts, shape (..., B).
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
    .. [1] McDiarmid, On the method of bounded differences, 1989.
    """
    value, scale = tv(c, r), inverse_size(c, r)
    half = np.sqrt(scale * math.log(2.0 / alpha) / 2.0)
    bias = 0.5 * np.sqrt((as_floats(c).shape[-1] - 1) * scale)
    return as_floats(np.maximum(value - half - bias, 0.0)), as_floats(np.minimum(value + half, 1.0))


TV = Comparison(name="tv", value=tv, corrected=corrected, interval=interval)
"""Total variation distance."""
