"""The few distribution functions that the detectors need, in numpy and the standard library."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from schemas.errors import ConfigurationError

_TINY = 1e-300
_STEPS = 100_000
_log_gamma = np.vectorize(math.lgamma, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def log_gamma(x: ArrayLike) -> FloatArray:
    """Natural log of the gamma function, elementwise.

    Examples
    --------
    >>> round(float(log_gamma(5.0)), 6)
    3.178054
    """
    return as_floats(_log_gamma(as_floats(x)))


def normal_sf(z: ArrayLike) -> FloatArray:
    """Chance that a standard normal exceeds `z`, elementwise.

    Examples
    --------
    >>> round(float(normal_sf(1.959963984540054)), 6)
    0.025
    """
    return as_floats(0.5 * _erfc(as_floats(z) / math.sqrt(2.0)))


def normal_ppf(p: float) -> float:
    """Quantile of the standard normal.

    Raises
    ------
    ConfigurationError
        `p` outside (0, 1).

    Examples
    --------
    >>> round(normal_ppf(0.975), 6)
    1.959964
    """
    _require_probability(p)
    return NormalDist().inv_cdf(p)


def chi2_sf(x: ArrayLike, df: ArrayLike) -> FloatArray:
    """Chance that a chi-square variable with `df` degrees of freedom exceeds `x`, elementwise.

    NaN in `x` gives NaN; `df` of 0 gives 1, the p-value of a comparison without freedom.

    Examples
    --------
    >>> round(float(chi2_sf(4.547804, 2)), 6)
    0.10291
    """
    value, freedom = np.broadcast_arrays(as_floats(x) / 2.0, as_floats(df) / 2.0)
    result = np.ones(value.shape)
    live = (freedom > 0.0) & (value > 0.0)
    small = live & (value < freedom + 1.0)
    large = live & ~small
    result[small] = 1.0 - _gamma_series(value[small], freedom[small])
    result[large] = _gamma_fraction(value[large], freedom[large])
    result[np.isnan(value)] = np.nan
    return result


def chi2_isf(alpha: float, df: float) -> float:
    """Value that a chi-square variable with `df` degrees of freedom exceeds with chance `alpha`.

    Raises
    ------
    ConfigurationError
        `alpha` outside (0, 1), or `df` not above 0.

    Examples
    --------
    >>> round(chi2_isf(0.01, 2), 6)
    9.21034
    """
    _require_probability(alpha)
    if not df > 0.0:
        raise ConfigurationError(f"df is {df:g}; a chi-square needs degrees of freedom above 0")
    return _chi2_isf(float(alpha), float(df))


@lru_cache(maxsize=4_096)
def _chi2_isf(alpha: float, df: float) -> float:
    """Newton on the log of the tail, kept inside a bracket that halves when it oversteps."""
    low, high = 0.0, max(df, 1.0)
    while float(chi2_sf(high, df)) > alpha:
        high *= 2.0
    x = 0.5 * (low + high)
    target = math.log(alpha)
    for _ in range(200):
        tail = max(float(chi2_sf(x, df)), _TINY)
        error = math.log(tail) - target
        low, high = (x, high) if error > 0.0 else (low, x)
        log_density = (df / 2.0 - 1.0) * math.log(x / 2.0) - x / 2.0 - math.lgamma(df / 2.0)
        after = x + error * tail / max(0.5 * math.exp(log_density), _TINY)
        if not low < after < high:
            after = 0.5 * (low + high)
        if abs(after - x) <= 1e-14 * x:
            return after
        x = after
    return x


def _gamma_series(x: FloatArray, a: FloatArray) -> FloatArray:
    """Regularised lower incomplete gamma for x < a + 1."""
    term = 1.0 / a
    total = term.copy()
    for step in range(1, _STEPS):
        term = term * x / (a + step)
        total = total + term
        if not np.any(term > total * 1e-17):
            break
    return as_floats(total * np.exp(a * np.log(x) - x - log_gamma(a)) if x.size else total)


def _gamma_fraction(x: FloatArray, a: FloatArray) -> FloatArray:
    """Regularised upper incomplete gamma for x >= a + 1, by Lentz's continued fraction."""
    b = x + 1.0 - a
    c = np.full_like(x, 1.0 / _TINY)
    d = 1.0 / b
    h = d.copy()
    for step in range(1, _STEPS):
        an = -step * (step - a)
        b = b + 2.0
        d = _away_from_zero(an * d + b)
        c = _away_from_zero(b + an / c)
        d = 1.0 / d
        h = h * d * c
        if not np.any(np.abs(d * c - 1.0) > 1e-15):
            break
    return as_floats(h * np.exp(a * np.log(x) - x - log_gamma(a)) if x.size else h)


def _away_from_zero(x: FloatArray) -> FloatArray:
    return as_floats(np.where(np.abs(x) < _TINY, _TINY, x))


def beta_cdf(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function, the chance that a Beta(a, b) is at most `x`.

    Examples
    --------
    >>> round(beta_cdf(0.3, 2.0, 5.0), 6)
    0.579825
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - beta_cdf(1.0 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _beta_fraction(x, a, b) / a


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Lentz's continued fraction of the incomplete beta function."""
    c = 1.0
    d = 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1.0))
    h = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for coefficient in (even, odd):
            d = 1.0 / _nonzero(1.0 + coefficient * d)
            c = _nonzero(1.0 + coefficient / c)
            h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return h


def _nonzero(x: float) -> float:
    return x if abs(x) > _TINY else _TINY


def beta_ppf(p: float, a: float, b: float) -> float:
    """Quantile of Beta(a, b), by bisection.

    Raises
    ------
    ConfigurationError
        `p` outside (0, 1).

    Examples
    --------
    >>> round(beta_ppf(0.975, 51, 950), 6)
    0.06539
    """
    _require_probability(p)
    low, high = 0.0, 1.0
    for _ in range(120):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if beta_cdf(middle, a, b) < p else (low, middle)
    return 0.5 * (low + high)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Chance of at most `k` successes in `n` trials.

    Examples
    --------
    >>> round(binomial_cdf(1, 3, 0.5), 6)
    0.5
    """
    if k < 0:
        return 0.0
    return 1.0 if k >= n else beta_cdf(1.0 - p, n - k, k + 1.0)


def _require_probability(p: float) -> None:
    if not 0.0 < p < 1.0:
        raise ConfigurationError(f"a probability of {p:g} was given; it must lie inside (0, 1)")
