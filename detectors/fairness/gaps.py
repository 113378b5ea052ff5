"""Gaps between groups and a reference group, with intervals for one look; for display."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, FloatArray, as_floats
from detectors.distributions import normal_ppf
from detectors.intervals import Ends, newcombe
from detectors.metrics.confusion import divide
from detectors.metrics.estimate import Estimate
from schemas.errors import ConfigurationError

LEAST = 30
"""Events below which a group is not shown: too noisy, and too close to single people."""

_PRIOR = 20.0


@dataclass(frozen=True, slots=True)
class Gaps:
    """One criterion for all groups, arrays of shape (G,).

    NaN where a group is empty. Show a group only where `shown`.
    """

    n: FloatArray
    """Events that the criterion is about."""
    rate: FloatArray
    """Rate of each group, shrunk to that of all by 20 events."""
    difference: Estimate
    """Rate less that of the reference group, with Newcombe's interval."""
    ratio: Estimate
    """Rate over that of the reference group, with Katz's interval."""
    shown: BoolArray
    """Whether group and reference group have enough events to be shown."""
    reference: int
    """Place of the reference group."""


def gaps(k: ArrayLike, n: ArrayLike, *, reference: int | None = None, alpha: float = 0.05) -> Gaps:
    """Compare a rate of every group with that of the reference group.

    The criterion is in the counts: for *selection* give positive decisions of all rows, for the
    *true positive rate* tp of tp + fn, for the *false positive rate* fp of fp + tn, for the
    *precision* tp of tp + fp.

    Parameters
    ----------
    k, n
        Events that count and all events of each group, shape (G,).
    reference
        Place of the reference group; the largest by default.
    alpha
        One less the nominal coverage of each interval.

    Raises
    ------
    ValueError
        Shapes that are not (G,), or counts that contradict each other.
    ConfigurationError
        A reference group that does not exist.

    Examples
    --------
    >>> result = gaps([300, 36], [1_000, 200])
    >>> [round(float(x[1]), 4) for x in result.ratio]
    [0.6, 0.4398, 0.8185]
    >>> result.reference, result.shown.tolist(), round(float(result.rate[1]), 4)
    (0, [True, True], 0.1891)

    References
    ----------
    .. [1] Newcombe, Interval estimation for the difference between independent proportions,
       Statistics in Medicine 17, 1998.
    .. [2] Hardt, Price, Srebro, Equality of opportunity in supervised learning, NeurIPS 2016.
    """
    hits, size = as_floats(k), as_floats(n)
    if hits.ndim != 1 or hits.shape != size.shape or not np.all((hits >= 0.0) & (hits <= size)):
        raise ValueError(
            f"k of shape {hits.shape} and n of shape {size.shape}: need 0 <= k <= n for each group"
        )
    base = _reference(size, reference)
    low, high = newcombe(hits, size, hits[base], size[base], alpha)
    plain = divide(hits, size)
    everybody = divide(hits.sum(), size.sum())
    return Gaps(
        n=size,
        rate=as_floats((hits + _PRIOR * everybody) / (size + _PRIOR)),
        difference=Estimate(as_floats(plain - plain[base]), low, high),
        ratio=ratio(hits, size, hits[base], size[base], alpha),
        shown=np.asarray((size >= LEAST) & (size[base] >= LEAST), dtype=np.bool_),
        reference=base,
    )


def ratio(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, alpha: float = 0.05
) -> Estimate:
    """Ratio of two rates, first over second, with Katz's log interval.

    Half an event is added on both sides for the interval where a count is 0.

    Parameters
    ----------
    k1, n1, k2, n2
        Events that count and all events of both samples, shape (...).
    alpha
        One less the nominal coverage.

    Returns
    -------
    Shape (...); NaN where a sample is empty or the second rate is 0.

    Examples
    --------
    >>> [round(float(x), 4) for x in ratio(36, 200, 300, 1_000)]
    [0.6, 0.4398, 0.8185]

    References
    ----------
    .. [1] Katz, Baptista, Azen, Pike, Obtaining confidence intervals for the risk ratio in
       cohort studies, Biometrics 34, 1978.
    """
    parts = np.broadcast_arrays(*(as_floats(x) for x in (k1, n1, k2, n2)))
    first, size1, second, size2 = (as_floats(x) for x in parts)
    value = divide(divide(first, size1), divide(second, size2))
    half = np.where((first == 0.0) | (second == 0.0), 0.5, 0.0)
    first, size1, second, size2 = first + half, size1 + half, second + half, size2 + half
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.log(divide(first, size1) / divide(second, size2))
        spread = 1.0 / first - 1.0 / size1 + 1.0 / second - 1.0 / size2
    width = normal_ppf(1.0 - alpha / 2.0) * np.sqrt(spread)
    known = ~np.isnan(value)
    low, high = np.exp(centre - width), np.exp(centre + width)
    return Estimate(
        value, as_floats(np.where(known, low, np.nan)), as_floats(np.where(known, high, np.nan))
    )


def calibration_gaps(
    n: ArrayLike,
    residual: ArrayLike,
    square: ArrayLike,
    *,
    reference: int | None = None,
    alpha: float = 0.05,
) -> Estimate:
    """Gap in calibration in the large: does a score mean the same for every group?

    Parameters
    ----------
    n, residual, square
        Labels, sum of truth less score and sum of its squares of each group, shape (G,).
    reference
        Place of the reference group; the largest by default.
    alpha
        One less the nominal coverage of each interval.

    Returns
    -------
    Mean residual less that of the reference group, with its large-sample interval in [-2, 2],
    shape (G,); the reference group is compared with itself and gets 0. NaN below 2 labels.

    Raises
    ------
    ConfigurationError
        A reference group that does not exist.

    Examples
    --------
    >>> low = calibration_gaps([1_000, 200], [0.0, 16.0], [160.0, 36.0]).low
    >>> round(float(low[1]), 4)
    0.017
    """
    size = as_floats(n)
    base = _reference(size, reference)
    count = np.where(size >= 2.0, size, np.nan)
    mean = as_floats(residual) / count
    spread = np.maximum(as_floats(square) - count * mean**2, 0.0) / (count - 1.0) / count
    half = normal_ppf(1.0 - alpha / 2.0) * np.sqrt(spread + spread[base])
    half[base] = np.where(np.isnan(half[base]), np.nan, 0.0)
    gap = mean - mean[base]
    ends = Ends(as_floats(np.maximum(gap - half, -2.0)), as_floats(np.minimum(gap + half, 2.0)))
    return Estimate(as_floats(gap), *ends)


def _reference(size: FloatArray, chosen: int | None) -> int:
    if chosen is None:
        return int(np.argmax(size))
    if not 0 <= chosen < size.size:
        raise ConfigurationError(f"reference group {chosen} does not exist; there are {size.size}")
    return chosen
