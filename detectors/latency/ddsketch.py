"""DDSketch over a fixed range: latency quantiles with a relative error of at most 2 %.

A sketch is an array of counts; merging, splitting and taking back are addition and
subtraction, exactly as good as one sketch of all values.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, IntArray, as_floats
from detectors.distributions import binomial_cdf, normal_ppf
from schemas.errors import ConfigurationError

ACCURACY = 0.02
LOWEST_MS = 0.1
HIGHEST_MS = 600_000.0


def bucket_key(x: ArrayLike, *, accuracy: float = ACCURACY) -> IntArray:
    """Key of the bucket that holds `x`: the ``k`` with ``gamma**(k-1) < x <= gamma**k``.

    Examples
    --------
    >>> int(bucket_key(100.0, accuracy=0.01))
    231
    """
    return np.asarray(np.ceil(np.log(as_floats(x)) / _log_gamma(accuracy)), dtype=np.int64)


def bucket_value(key: ArrayLike, *, accuracy: float = ACCURACY) -> FloatArray:
    """Value that stands for a bucket, within `accuracy` of everything in it.

    Examples
    --------
    >>> round(float(bucket_value(231, accuracy=0.01)), 6)
    100.494568
    """
    log_gamma = _log_gamma(accuracy)
    return as_floats(2.0 * np.exp(as_floats(key) * log_gamma) / (math.exp(log_gamma) + 1.0))


def _log_gamma(accuracy: float) -> float:
    return math.log1p(accuracy) - math.log1p(-accuracy)


_FIRST = int(bucket_key(LOWEST_MS))
BUCKETS = int(bucket_key(HIGHEST_MS)) - _FIRST + 1
"""Buckets of a sketch, 0.1 ms to 600 s."""


class Range(NamedTuple):
    """Two latencies in milliseconds, NaN where nothing is known."""

    low: float
    high: float


def keys(x_ms: ArrayLike) -> IntArray:
    """Bucket of each latency, in [0, BUCKETS).

    Values below the range, zero among them, go to the first bucket and values above it to the
    last; see `clamped`.

    Parameters
    ----------
    x_ms
        Latencies in milliseconds, any shape, not NaN.

    Raises
    ------
    ValueError
        A NaN; drop missing latencies first.

    Examples
    --------
    >>> keys([0.0, 0.1, 1.0, 1e9]).tolist()
    [0, 0, 57, 390]
    """
    values = as_floats(x_ms)
    if np.any(np.isnan(values)):
        raise ValueError("a latency is NaN; drop missing latencies before counting them")
    inside = np.clip(values, LOWEST_MS, HIGHEST_MS)
    return np.asarray(bucket_key(inside) - _FIRST, dtype=np.int64)


def counts(x_ms: ArrayLike) -> IntArray:
    """Sketch of the latencies, shape (BUCKETS,).

    Examples
    --------
    >>> sketch = counts([12.0, 15.0, 900.0])
    >>> sketch.shape, int(sketch.sum())
    ((391,), 3)
    """
    return np.asarray(np.bincount(keys(x_ms).ravel(), minlength=BUCKETS), dtype=np.int64)


def clamped(x_ms: ArrayLike) -> tuple[int, int]:
    """Latencies below and above the range, whose value the sketch does not keep.

    Examples
    --------
    >>> clamped([0.0, 5.0, 1e9])
    (1, 1)
    """
    values = as_floats(x_ms)
    return int(np.sum(values < LOWEST_MS)), int(np.sum(values > HIGHEST_MS))


def quantile(sketch: ArrayLike, q: float) -> float:
    """Latency below which a share `q` lies, in milliseconds; NaN for an empty sketch.

    Parameters
    ----------
    sketch
        Counts, shape (BUCKETS,).
    q
        In [0, 1].

    Raises
    ------
    ConfigurationError
        `q` outside [0, 1].

    Examples
    --------
    >>> round(quantile(counts([10.0] * 99 + [500.0]), 0.5), 1)
    10.0

    References
    ----------
    .. [1] Masson, Rim, Lee, DDSketch: a fast and fully-mergeable quantile sketch with
       relative-error guarantees, VLDB 12, 2019.
    """
    if not 0.0 <= q <= 1.0:
        raise ConfigurationError(f"q is {q:g}; a quantile must lie in [0, 1]")
    ranks = _ranks(sketch)
    n = int(ranks[-1])
    return _at_rank(ranks, math.floor(q * (n - 1))) if n else math.nan


def quantile_interval(sketch: ArrayLike, q: float, alpha: float = 0.05) -> Range:
    """Interval for the true quantile, from order statistics, for one look.

    Makes no assumption on the distribution; the ends carry the relative error of the sketch.
    An end beyond the smallest or largest rank is the edge of the range, 0 or ``inf``.

    Parameters
    ----------
    sketch
        Counts, shape (BUCKETS,).
    q
        In (0, 1).
    alpha
        One less the coverage.

    Raises
    ------
    ConfigurationError
        `q` outside (0, 1).

    Examples
    --------
    >>> sketch = counts([float(x) for x in range(1, 1_001)])
    >>> low, high = quantile_interval(sketch, 0.9)
    >>> 870 < low < 900 < high < 930
    True

    References
    ----------
    .. [1] David, Nagaraja, Order Statistics, Wiley, 2003, section 7.1.
    """
    if not 0.0 < q < 1.0:
        raise ConfigurationError(f"q is {q:g}; a quantile with an interval must lie in (0, 1)")
    ranks = _ranks(sketch)
    n = int(ranks[-1])
    if n == 0:
        return Range(math.nan, math.nan)
    # The l-th smallest value is above the quantile iff fewer than l values are at most it.
    below = _first_rank(n, q, alpha / 2.0)
    above = _first_rank(n, q, 1.0 - alpha / 2.0, inclusive=True) + 1
    low = _at_rank(ranks, below - 1) if below >= 1 else 0.0
    high = _at_rank(ranks, above - 1) if above <= n else math.inf
    return Range(low, high)


@lru_cache(maxsize=65_536)
def _first_rank(n: int, q: float, level: float, *, inclusive: bool = False) -> int:
    """Smallest k with P(Bin(n, q) <= k) above (or at least at) `level`.

    By bisection, near the normal approximation where that holds, which is nearly always.
    """

    def enough(k: int) -> bool:
        mass = binomial_cdf(k, n, q)
        return mass > level or (inclusive and mass == level)

    guess = math.floor(n * q + normal_ppf(level) * math.sqrt(n * q * (1.0 - q)))
    low, high = max(guess - 1, 0), min(max(guess + 1, 0), n)
    if not enough(high) or (low > 0 and enough(low - 1)):
        low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _ranks(sketch: ArrayLike) -> IntArray:
    """Values up to the end of each bucket."""
    return np.cumsum(np.asarray(sketch, dtype=np.int64))


def _at_rank(ranks: IntArray, rank: int) -> float:
    """Value of the bucket that holds the value of 0-based `rank`."""
    return _value(int(ranks.searchsorted(rank, side="right")))


@cache
def _value(bucket: int) -> float:
    return float(bucket_value(bucket + _FIRST))


def count_over(sketch: ArrayLike, limit_ms: float) -> int:
    """Latencies surely above a limit: those in buckets wholly above it.

    An undercount, so a bet that too many are above the limit stays valid.

    Examples
    --------
    >>> count_over(counts([10.0, 200.0, 300.0]), 250.0)
    1
    """
    first_above = int(bucket_key(max(limit_ms, LOWEST_MS))) - _FIRST + 1
    return int(np.asarray(sketch, dtype=np.int64)[first_above:].sum())
