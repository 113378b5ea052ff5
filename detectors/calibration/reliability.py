"""Reliability diagram: forecast against frequency, bin by bin, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import ArrayLike, as_floats
from detectors.intervals import wilson


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One point of the diagram, for a bin that holds labels."""

    index: int
    """Place of the bin."""
    n: int
    """Labels."""
    forecast: float
    """Mean predicted probability."""
    frequency: float
    """Share of positive outcomes."""
    low: float
    """Lower end of the frequency's Wilson interval."""
    high: float
    """Upper end of the frequency's Wilson interval."""


def bins(
    n: ArrayLike, sum_p: ArrayLike, sum_y: ArrayLike, alpha: float = 0.05
) -> list[ReliabilityBin]:
    """Points of the reliability diagram; empty bins are left out.

    Parameters
    ----------
    n, sum_p, sum_y
        Labels, sum of predicted probabilities and sum of outcomes of each bin, shape (B,).
    alpha
        One less the nominal coverage of each interval.

    Examples
    --------
    >>> [point] = bins([0, 100], [0.0, 15.0], [0, 10])
    >>> point.index, point.n, point.forecast, point.frequency, round(point.low, 4)
    (1, 100, 0.15, 0.1, 0.0552)

    References
    ----------
    .. [1] Murphy, Winkler, Reliability of subjective probability forecasts of precipitation and
       temperature, Applied Statistics 26, 1977.
    """
    count, forecast, positive = as_floats(n), as_floats(sum_p), as_floats(sum_y)
    low, high = wilson(positive, count, alpha)
    return [
        ReliabilityBin(
            index=int(b),
            n=int(count[b]),
            forecast=float(forecast[b] / count[b]),
            frequency=float(positive[b] / count[b]),
            low=float(low[b]),
            high=float(high[b]),
        )
        for b in np.flatnonzero(count > 0.0)
    ]
