"""How much of a catalogue is used, and how unevenly, from hashed counts that add."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, FloatArray, as_floats
from detectors.drift.histograms import shares
from schemas.errors import ConfigurationError


class Distinct(NamedTuple):
    """Estimated number of different items and its standard error, each of shape (...).

    NaN where every bucket is taken: then the table is too small to tell.
    """

    items: FloatArray
    sd: FloatArray


def distinct(counts: ArrayLike) -> Distinct:
    """Linear counting: different items from the share of empty buckets.

    Good to a per cent or so up to a load of three items a bucket; a table that is full cannot
    tell, which is said as NaN.

    Parameters
    ----------
    counts
        Events by bucket of a stable hash of the item, shape (..., B).

    Examples
    --------
    >>> items, sd = distinct([3, 0, 1, 0, 0, 2, 0, 0])
    >>> round(float(items), 6), round(float(sd), 6)
    (3.760029, 1.01979)

    References
    ----------
    .. [1] Whang, Vander-Zanden, Taylor, A linear-time probabilistic counting algorithm for
       database applications, ACM Transactions on Database Systems 15, 1990.
    """
    taken = as_floats(counts) > 0.0
    buckets = taken.shape[-1]
    empty = 1.0 - taken.mean(axis=-1)
    load = -np.log(np.where(empty > 0.0, empty, np.nan))
    sd = np.sqrt(buckets * np.maximum(np.expm1(load) - load, 0.0))
    return Distinct(as_floats(buckets * load), as_floats(sd))


def coverage(counts: ArrayLike, *, catalogue: int) -> Distinct:
    """Share of a catalogue of known size that appeared at all, with its standard error.

    Parameters
    ----------
    counts
        Events by bucket, shape (..., B).
    catalogue
        Items that could have appeared, at least 1.

    Raises
    ------
    ConfigurationError
        `catalogue` below 1.

    Examples
    --------
    >>> round(float(coverage([3, 0, 1, 0, 0, 2, 0, 0], catalogue=10).items), 3)
    0.376
    """
    if catalogue < 1:
        raise ConfigurationError(f"catalogue is {catalogue}; it must hold at least 1 item")
    items, sd = distinct(counts)
    return Distinct(as_floats(np.minimum(items / catalogue, 1.0)), as_floats(sd / catalogue))


def most_popular(reference: ArrayLike, *, part: float = 0.01) -> BoolArray:
    """The buckets that held most events in the reference, at least one of them.

    Fixed by the reference, their share of a window is a plain rate that a bet on a rate takes.
    The largest buckets *of a window* hold more by choice; see `top_share`.

    Parameters
    ----------
    reference
        Reference counts, shape (B,).
    part
        Part of the buckets, in (0, 1].

    Returns
    -------
    Shape (B,).

    Raises
    ------
    ConfigurationError
        `part` outside (0, 1].

    Examples
    --------
    >>> most_popular([5, 9, 1, 9], part=0.25).tolist()
    [False, True, False, False]
    """
    counts = as_floats(reference)
    chosen = np.zeros(counts.shape, dtype=np.bool_)
    chosen[np.argsort(-counts, kind="stable")[: _size(part, counts.size)]] = True
    return chosen


def top_share(counts: ArrayLike, *, part: float = 0.01) -> FloatArray:
    """Share of events in the fullest buckets, a description; shape (...), NaN where empty.

    Parameters
    ----------
    counts
        Events by bucket, shape (..., B).
    part
        Part of the buckets, in (0, 1].

    Raises
    ------
    ConfigurationError
        `part` outside (0, 1].

    Examples
    --------
    >>> float(top_share([5, 9, 1, 5], part=0.25))
    0.45
    """
    p = np.sort(shares(counts), axis=-1)
    return as_floats(p[..., -_size(part, p.shape[-1]) :].sum(axis=-1))


def _size(part: float, buckets: int) -> int:
    if not 0.0 < part <= 1.0:
        raise ConfigurationError(f"part is {part:g}; a part of the buckets must lie in (0, 1]")
    return max(1, math.ceil(part * buckets - 1e-9))


def gini(counts: ArrayLike) -> FloatArray:
    """Gini coefficient over all buckets: 0 when all are equal, near 1 when one holds all.

    Examples
    --------
    >>> float(gini([1, 1, 1, 1])), float(gini([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    p = np.sort(shares(counts), axis=-1)
    buckets = p.shape[-1]
    ranks = 2.0 * np.arange(1, buckets + 1) - buckets - 1.0
    return as_floats((ranks * p).sum(axis=-1) / buckets)


def evenness(counts: ArrayLike) -> FloatArray:
    """Entropy over its largest possible value: 1 when all buckets are equal, 0 when one holds all.

    Examples
    --------
    >>> float(evenness([1, 1, 1, 1])), float(evenness([0, 8]))
    (1.0, 0.0)
    """
    p = shares(counts)
    entropy = -(p * np.log(np.where(p > 0.0, p, 1.0))).sum(axis=-1)
    return as_floats(np.abs(entropy) / math.log(max(p.shape[-1], 2)))
