"""Expected calibration error, with the part that chance alone explains."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats


def _total(n: FloatArray) -> FloatArray:
    total = n.sum(axis=-1)
    return as_floats(np.where(total > 0.0, total, np.nan))


def ece(n: ArrayLike, sum_p: ArrayLike, sum_y: ArrayLike) -> FloatArray:
    """Plug-in expected calibration error: mean gap between forecast and frequency of the bins.

    Well above 0 on a small window of a perfectly calibrated model; subtract `noise_floor`.

    Parameters
    ----------
    n, sum_p, sum_y
        Labels, sum of predicted probabilities and sum of outcomes of each bin, shape (..., B).

    Returns
    -------
    Shape (...), in [0, 1]; NaN without labels.

    Examples
    --------
    >>> round(float(ece([100, 200, 100], [15, 80, 75], [10, 70, 80])), 6)
    0.05

    References
    ----------
    .. [1] Naeini, Cooper, Hauskrecht, Obtaining well calibrated probabilities using Bayesian
       binning, AAAI 2015.
    """
    gap = np.abs(as_floats(sum_y) - as_floats(sum_p)).sum(axis=-1)
    return as_floats(gap / _total(as_floats(n)))


def noise_floor(n: ArrayLike, sum_pq: ArrayLike) -> FloatArray:
    """Plug-in error to expect of a perfectly calibrated model, in the normal approximation.

    Parameters
    ----------
    n
        Labels of each bin, shape (..., B).
    sum_pq
        Sum of ``p * (1 - p)`` of each bin, shape (..., B).

    Returns
    -------
    Shape (...); NaN without labels.

    Examples
    --------
    >>> round(float(noise_floor([100, 200, 100], [12.75, 48.0, 18.75])), 4)
    0.0296
    """
    spread = np.sqrt(2.0 / math.pi * as_floats(sum_pq)).sum(axis=-1)
    return as_floats(spread / _total(as_floats(n)))


def debiased(n: ArrayLike, sum_p: ArrayLike, sum_y: ArrayLike, sum_pq: ArrayLike) -> FloatArray:
    """Plug-in error above its noise floor, at least 0.

    Examples
    --------
    >>> n, sum_p, sum_y = [100, 200, 100], [15, 80, 75], [10, 70, 80]
    >>> round(float(debiased(n, sum_p, sum_y, [12.75, 48.0, 18.75])), 4)
    0.0204
    """
    return as_floats(np.maximum(ece(n, sum_p, sum_y) - noise_floor(n, sum_pq), 0.0))


def interval(
    n: ArrayLike, sum_p: ArrayLike, sum_y: ArrayLike, sum_sq: ArrayLike, alpha: float = 0.05
) -> tuple[FloatArray, FloatArray]:
    """Interval for the calibration error of the binned forecast.

    The plug-in error is off by at most the sum of what each bin's gap is off. That sum has a mean
    of ``sum w sqrt(2 v / pi)`` and a variance of ``(1 - 2 / pi) sum w**2 v``, with v the variance
    of a bin's gap, in the normal approximation. Wide, but not too narrow where bins are filled.

    Parameters
    ----------
    n, sum_p, sum_y
        As in `ece`.
    sum_sq
        Sum of ``(y - p)**2`` of each bin, shape (..., B).
    alpha
        One less the coverage.

    Returns
    -------
    Lower and upper ends, each of shape (...), in [0, 1]; NaN without labels.

    Examples
    --------
    >>> low, high = interval([100, 200, 100], [15, 80, 75], [10, 70, 80], [9.0, 45.0, 17.0])
    >>> bool(low < 0.05 < high)
    True
    """
    count = as_floats(n)
    size = np.where(count > 0.0, count, 1.0)
    gap = (as_floats(sum_y) - as_floats(sum_p)) / size
    # A bin of one label says nothing of its own spread; take the widest there is.
    spread = np.where(count > 1.0, as_floats(sum_sq) / size - gap**2, 0.25)
    weight = count / _total(count)[..., None]
    variance = np.maximum(spread, 0.0) / np.maximum(size - 1.0, 1.0)
    off = (weight * np.sqrt(2.0 / math.pi * variance)).sum(axis=-1)
    sd = np.sqrt((1.0 - 2.0 / math.pi) * (weight**2 * variance).sum(axis=-1))
    half = off + NormalDist().inv_cdf(1.0 - alpha / 2.0) * sd
    value = ece(n, sum_p, sum_y)
    return as_floats(np.maximum(value - half, 0.0)), as_floats(np.minimum(value + half, 1.0))


def squared_debiased(n: ArrayLike, sum_p: ArrayLike, sum_y: ArrayLike) -> FloatArray:
    """Mean squared gap of the bins without its bias; below 0 by chance.

    Bins with fewer than two labels are left out.

    Parameters
    ----------
    n, sum_p, sum_y
        As in `ece`.

    Returns
    -------
    Shape (...); NaN without labels.

    Examples
    --------
    >>> round(float(squared_debiased([100, 200, 100], [15, 80, 75], [10, 70, 80])), 6)
    0.001297

    References
    ----------
    .. [1] Kumar, Liang, Ma, Verified uncertainty calibration, NeurIPS 2019.
    """
    count = as_floats(n)
    usable = count >= 2.0
    size = np.where(usable, count, 2.0)
    p, y = as_floats(sum_p) / size, as_floats(sum_y) / size
    gap = (y - p) ** 2 - y * (1.0 - y) / (size - 1.0)
    weight = np.where(usable, count, 0.0)
    return as_floats(np.sum(weight * gap, axis=-1) / _total(as_floats(weight)))
