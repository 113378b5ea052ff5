"""Murphy's decomposition of the Brier score: reliability, resolution, uncertainty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats


class Murphy(NamedTuple):
    """Parts of the Brier score, each of shape (...); NaN without labels."""

    reliability: FloatArray
    """Harm done by miscalibration; 0 is best."""
    resolution: FloatArray
    """Good done by telling cases apart; higher is better."""
    uncertainty: FloatArray
    """Brier score of always predicting the base rate."""

    @property
    def binned_brier(self) -> FloatArray:
        """Brier score of the binned forecasts: reliability - resolution + uncertainty."""
        return as_floats(self.reliability - self.resolution + self.uncertainty)


def decompose(n: ArrayLike, sum_p: ArrayLike, sum_y: ArrayLike) -> Murphy:
    """Split the Brier score of the binned forecasts into its parts.

    Exact for the Brier score itself only where the forecast is constant in each bin; report the
    difference as remainder.

    Parameters
    ----------
    n, sum_p, sum_y
        Labels, sum of predicted probabilities and sum of outcomes of each bin, shape (..., B).

    Examples
    --------
    >>> parts = decompose([100, 200, 100], [15, 80, 75], [10, 70, 80])
    >>> [round(float(part), 5) for part in (*parts, parts.binned_brier)]
    [0.0025, 0.06375, 0.24, 0.17875]

    References
    ----------
    .. [1] Murphy, A new vector partition of the probability score, Journal of Applied
       Meteorology 12, 1973.
    """
    count = as_floats(n)
    size = np.where(count > 0.0, count, 1.0)
    p, y = as_floats(sum_p) / size, as_floats(sum_y) / size
    total = count.sum(axis=-1, keepdims=True)
    weight = count / np.where(total > 0.0, total, np.nan)
    base = np.sum(weight * y, axis=-1, keepdims=True)
    return Murphy(
        reliability=as_floats(np.sum(weight * (p - y) ** 2, axis=-1)),
        resolution=as_floats(np.sum(weight * (y - base) ** 2, axis=-1)),
        uncertainty=as_floats((base * (1.0 - base))[..., 0]),
    )


def remainder(brier: ArrayLike, parts: Murphy) -> FloatArray:
    """Brier score that the bins do not explain, shape (...).

    Examples
    --------
    >>> parts = decompose([100, 200, 100], [15, 80, 75], [10, 70, 80])
    >>> round(float(remainder(0.180, parts)), 5)
    0.00125
    """
    return as_floats(as_floats(brier) - parts.binned_brier)
