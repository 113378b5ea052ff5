"""A number with its interval, and the interval that a known variance leaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.distributions import normal_ppf
from detectors.intervals import wilson


class Estimate(NamedTuple):
    """A value between the ends of its interval, arrays of one shape; NaN where unknown."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


def wilson_at(
    value: ArrayLike,
    variance: ArrayLike,
    *,
    fallback: ArrayLike,
    low: float = 0.0,
    alpha: float = 0.05,
) -> Estimate:
    """Wilson's interval at the size at which a rate would have this variance.

    A metric near its end has a skew distribution; the symmetric interval of the delta method
    would leave the range there. For a plain rate this is Wilson's interval itself.

    Parameters
    ----------
    value
        A metric in [low, 1], shape (...).
    variance
        Its variance, shape (...).
    fallback
        Size to use where the variance is 0, as at a perfect score, shape (...).
    low
        Least possible value of the metric.
    alpha
        One less the nominal coverage.

    Examples
    --------
    A rate of 10 in 100:

    >>> number = wilson_at(0.1, 0.1 * 0.9 / 100, fallback=100)
    >>> round(float(number.low), 4), round(float(number.high), 4)
    (0.0552, 0.1744)

    References
    ----------
    .. [1] Newcombe, Confidence intervals for an effect size measure based on the Mann-Whitney
       statistic, part 2, Statistics in Medicine 25, 2006.
    """
    span = 1.0 - low
    metric = as_floats(value)
    share, spread = (metric - low) / span, as_floats(variance) / span**2
    smooth = (spread > 0.0) & (share > 0.0) & (share < 1.0)
    size = np.where(
        smooth, share * (1.0 - share) / np.where(smooth, spread, 1.0), as_floats(fallback)
    )
    ends = wilson(share * size, size, alpha)
    return Estimate(metric, as_floats(low + span * ends.low), as_floats(low + span * ends.high))


def normal_at(
    value: ArrayLike,
    variance: ArrayLike,
    *,
    low: ArrayLike = 0.0,
    high: ArrayLike = 1.0,
    alpha: float = 0.05,
) -> Estimate:
    """Symmetric interval of a known variance, cut at the range of the value.

    Parameters
    ----------
    value, variance
        Shape (...).
    low, high
        Range of the value, shape (...).
    alpha
        One less the nominal coverage.

    Examples
    --------
    >>> number = normal_at(0.99, 0.01**2)
    >>> round(float(number.low), 4), float(number.high)
    (0.9704, 1.0)
    """
    centre = as_floats(value)
    half = normal_ppf(1.0 - alpha / 2.0) * np.sqrt(as_floats(variance))
    return Estimate(
        centre,
        as_floats(np.maximum(centre - half, low)),
        as_floats(np.minimum(centre + half, high)),
    )
