"""Repeated inputs: how many rows have a twin, from hashed counts that add.

A pane counts rows in B buckets by a stable hash of their input. Twins always share a bucket and
strangers do so once in B pairs, so the excess of pairs is the number of twins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.distributions import chi2_sf
from schemas.errors import ConfigurationError


class Repeats(NamedTuple):
    """Estimate of repetition in a window, each of shape (...); NaN below two rows.

    ``twins`` is the mean number of other rows with the same input, which is no less than the
    share of rows that have a twin; ``sd`` is its standard deviation when no row has one;
    ``p_value`` the chance of so many when no row has one, for one look.
    """

    twins: FloatArray
    sd: FloatArray
    p_value: FloatArray


def repeats(counts: ArrayLike) -> Repeats:
    """Estimate the repetition in hashed counts.

    With pairs ``c (c - 1)`` summed over buckets, ``(sum - n (n - 1) / B) / (1 - 1 / B)`` is an
    unbiased estimate of the ordered pairs of twins. Under the null hypothesis pairs collide
    pairwise independently, so its standard deviation is ``sqrt(2 n (n - 1) / (B - 1))``: per row
    it is ``sqrt(2 / (B - 1))`` and does not shrink with n. With 1,024 buckets, 10 % of twins are
    2.3 standard deviations. The p-value matches the first three moments with a gamma law.

    Parameters
    ----------
    counts
        Rows by bucket, shape (..., B), B at least 2.

    Raises
    ------
    ConfigurationError
        Fewer than 2 buckets.

    Examples
    --------
    >>> seen = repeats([2, 2, 0, 0])
    >>> round(float(seen.twins), 6), round(float(seen.sd), 6)
    (0.333333, 0.707107)
    """
    n, pairs, buckets = _colliding(counts)
    twins = (pairs - n * (n - 1.0) / buckets) / (1.0 - 1.0 / buckets)
    sd = np.sqrt(2.0 * n * (n - 1.0) / (buckets - 1.0))
    skew = _skew(n, buckets)
    freedom = 8.0 / skew**2
    value = np.maximum(freedom + twins / sd * np.sqrt(2.0 * freedom), 0.0)
    p = np.where(np.isnan(value), np.nan, chi2_sf(value, np.where(np.isnan(value), 1.0, freedom)))
    return Repeats(as_floats(twins / n), as_floats(sd / n), as_floats(p))


def _skew(n: FloatArray, buckets: int) -> FloatArray:
    """Skewness of the number of colliding pairs: single pairs, and triangles of three rows."""
    p = 1.0 / buckets
    pairs = n * (n - 1.0) / 2.0
    variance = pairs * p * (1.0 - p)
    third = variance * (1.0 - 2.0 * p) + n * (n - 1.0) * (n - 2.0) * p * p * (1.0 - p)
    return as_floats(third / variance**1.5)


def collision_share(counts: ArrayLike) -> FloatArray:
    """Chance that two rows of the window are twins, shape (...); NaN below two rows.

    Unlike the number of twins it does not grow with the window, so windows and a reference of
    other sizes compare. Below 0 by chance.

    Parameters
    ----------
    counts
        Rows by bucket, shape (..., B), B at least 2.

    Raises
    ------
    ConfigurationError
        Fewer than 2 buckets.

    Examples
    --------
    >>> round(float(collision_share([10, 0, 0, 0])), 6)
    1.0

    References
    ----------
    .. [1] Goldreich, Ron, On testing expansion in bounded-degree graphs, ECCC 2000 (collision
       estimate of a distribution's second moment).
    """
    n, pairs, buckets = _colliding(counts)
    same = pairs / (n * (n - 1.0))
    return as_floats((same - 1.0 / buckets) / (1.0 - 1.0 / buckets))


def _colliding(counts: ArrayLike) -> tuple[FloatArray, FloatArray, int]:
    """Rows, NaN below two of them; ordered pairs that share a bucket; and buckets."""
    window = as_floats(counts)
    buckets: int = window.shape[-1]
    if buckets < 2:
        raise ConfigurationError(f"{buckets} bucket tells nothing apart; count in 2 or more")
    n = window.sum(axis=-1)
    pairs = (window * (window - 1.0)).sum(axis=-1)
    return as_floats(np.where(n >= 2.0, n, np.nan)), as_floats(pairs), buckets
