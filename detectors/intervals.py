"""Intervals for one look at a fixed sample, for display; decisions use `detectors.sequential`."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.distributions import beta_ppf, normal_ppf
from schemas.errors import ConfigurationError


class Ends(NamedTuple):
    """Lower and upper ends of an interval, arrays of one shape; NaN where nothing is known."""

    low: FloatArray
    high: FloatArray


def wilson(k: ArrayLike, n: ArrayLike, alpha: float = 0.05) -> Ends:
    """Wilson score interval of a rate.

    Parameters
    ----------
    k, n
        Events that count and all events, shape (...).
    alpha
        One less the nominal coverage.

    Returns
    -------
    Ends in [0, 1], shape (...); NaN where `n` is 0, or `k` so far from 0 to `n` that no rate fits.

    Examples
    --------
    >>> low, high = wilson(10, 100)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0552, 0.1744)

    References
    ----------
    .. [1] Wilson, Probable inference, the law of succession, and statistical inference, JASA 22,
       1927.
    """
    total = as_floats(n)
    size = np.where(total > 0.0, total, np.nan)
    rate = as_floats(k) / size
    z = _two_sided(alpha)
    shrink = 1.0 + z * z / size
    centre = (rate + z * z / (2.0 * size)) / shrink
    square = rate * (1.0 - rate) / size + z * z / (4.0 * size * size)
    half = z * np.sqrt(np.where(square >= 0.0, square, np.nan)) / shrink
    # Exact at the corners, where rounding would leave 1e-18 instead of 0.
    low = np.where(rate == 0.0, 0.0, centre - half)
    high = np.where(rate == 1.0, 1.0, centre + half)
    return Ends(as_floats(low), as_floats(high))


def wilson_of_one(k: float, n: float, alpha: float = 0.05) -> tuple[float, float]:
    """`wilson` of one rate, bit for bit, at a fraction of the time.

    Parameters
    ----------
    k, n
        Events that count and all events, `n` above 0.

    Examples
    --------
    >>> [round(end, 4) for end in wilson_of_one(10, 100)]
    [0.0552, 0.1744]
    """
    rate = k / n
    z = _two_sided(alpha)
    shrink = 1.0 + z * z / n
    centre = (rate + z * z / (2.0 * n)) / shrink
    half = z * _root(rate * (1.0 - rate) / n + z * z / (4.0 * n * n)) / shrink
    return 0.0 if rate == 0.0 else centre - half, 1.0 if rate == 1.0 else centre + half


def newcombe(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, alpha: float = 0.05
) -> Ends:
    """Newcombe's interval for the difference of two rates, first less second.

    Parameters
    ----------
    k1, n1, k2, n2
        Events that count and all events of both samples, shape (...).
    alpha
        One less the nominal coverage.

    Returns
    -------
    Ends in [-1, 1], shape (...); NaN where a sample is empty.

    Examples
    --------
    >>> low, high = newcombe(56, 70, 48, 80)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0524, 0.3339)

    References
    ----------
    .. [1] Newcombe, Interval estimation for the difference between independent proportions,
       Statistics in Medicine 17, 1998, method 10.
    """
    first, second = wilson(k1, n1, alpha), wilson(k2, n2, alpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        p1, p2 = as_floats(k1) / as_floats(n1), as_floats(k2) / as_floats(n2)
    down = np.sqrt((p1 - first.low) ** 2 + (second.high - p2) ** 2)
    up = np.sqrt((first.high - p1) ** 2 + (p2 - second.low) ** 2)
    return Ends(as_floats(p1 - p2 - down), as_floats(p1 - p2 + up))


def clopper_pearson_upper(k: int, n: int, alpha: float = 0.05) -> float:
    """Exact one-sided upper bound of a rate, at confidence 1 - `alpha`.

    Parameters
    ----------
    k, n
        Events that count and all events.
    alpha
        Chance that the rate lies above the bound.

    Returns
    -------
    1 where all events count, or there are none.

    Examples
    --------
    >>> round(clopper_pearson_upper(50, 1_000, alpha=0.025), 6)
    0.06539

    References
    ----------
    .. [1] Clopper, Pearson, The use of confidence or fiducial limits, Biometrika 26, 1934.
    """
    if k >= n:
        return 1.0
    return beta_ppf(1.0 - alpha, k + 1.0, float(n - k))


def empirical_bernstein_upper(
    n: int, s: float, q: float, alpha: float = 0.05, *, span: float = 1.0
) -> float:
    """Upper bound of the mean of a quantity in a range of width `span`, at any sample size.

    Parameters
    ----------
    n, s, q
        Number, sum and sum of squares.
    alpha
        Chance that the mean lies above the bound.
    span
        Width of the range of a single value.

    Returns
    -------
    ``inf`` below two values.

    Raises
    ------
    ConfigurationError
        `span` not above 0.

    Examples
    --------
    >>> round(empirical_bernstein_upper(1_000, 120.0, 30.0, alpha=0.01), 4)
    0.1452

    References
    ----------
    .. [1] Maurer, Pontil, Empirical Bernstein bounds and sample variance penalization, COLT 2009.
    """
    if not span > 0.0:
        raise ConfigurationError(f"span is {span:g}; the width of a range must be above 0")
    if n < 2:
        return math.inf
    mean = s / n
    spread = max(q - n * mean * mean, 0.0) / (n - 1)
    log_term = math.log(2.0 / alpha)
    return mean + math.sqrt(2.0 * spread * log_term / n) + 7.0 * span * log_term / (3.0 * (n - 1))


def mean_interval(n: ArrayLike, s: ArrayLike, q: ArrayLike, alpha: float = 0.05) -> Ends:
    """Large-sample interval of a mean from its sums.

    Parameters
    ----------
    n, s, q
        Number, sum and sum of squares, shape (...).
    alpha
        One less the nominal coverage.

    Returns
    -------
    Ends of shape (...); NaN below two values.

    Examples
    --------
    >>> low, high = mean_interval(100, 20.0, 8.0)
    >>> round(float(low), 4), round(float(high), 4)
    (0.1606, 0.2394)
    """
    count = as_floats(n)
    size = np.where(count >= 2.0, count, np.nan)
    mean = as_floats(s) / size
    spread = np.maximum(as_floats(q) - size * (mean * mean), 0.0) / (size - 1.0)
    half = _two_sided(alpha) * np.sqrt(spread / size)
    return Ends(as_floats(mean - half), as_floats(mean + half))


def mean_interval_of_one(n: float, s: float, q: float, alpha: float = 0.05) -> tuple[float, float]:
    """`mean_interval` of one mean, bit for bit, at a fraction of the time.

    Examples
    --------
    >>> [round(end, 4) for end in mean_interval_of_one(100, 20.0, 8.0)]
    [0.1606, 0.2394]
    """
    if n < 2.0:
        return math.nan, math.nan
    mean = s / n
    spread = max(q - n * (mean * mean), 0.0) / (n - 1.0)
    half = _two_sided(alpha) * math.sqrt(spread / n)
    return mean - half, mean + half


@lru_cache(maxsize=64)
def _two_sided(alpha: float) -> float:
    return normal_ppf(1.0 - alpha / 2.0)


def _root(square: float) -> float:
    """NaN of a negative number."""
    return math.sqrt(square) if square >= 0.0 else math.nan
