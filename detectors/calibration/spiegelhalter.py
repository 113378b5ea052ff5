"""Spiegelhalter's test of calibration, for one look."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.distributions import normal_sf


def z(*, slope: ArrayLike, variance: ArrayLike) -> FloatArray:
    """Standardised difference of the Brier score from what the forecasts themselves promise.

    Parameters
    ----------
    slope
        Sum of ``(y - p) * (2 p - 1)``, shape (...).
    variance
        Sum of ``(1 - 2 p)**2 * p * (1 - p)``, shape (...).

    Returns
    -------
    Shape (...); above 0 where the Brier score is worse than promised; NaN where no forecast
    promises anything.

    Examples
    --------
    >>> import numpy as np
    >>> p, y = np.array([0.1, 0.4, 0.8, 0.9]), np.array([0, 1, 1, 0])
    >>> slope, variance = ((y - p) * (2 * p - 1)).sum(), ((1 - 2 * p) ** 2 * p * (1 - p)).sum()
    >>> round(float(z(slope=slope, variance=variance)), 6)
    1.498537

    References
    ----------
    .. [1] Spiegelhalter, Probabilistic prediction in patient management and clinical trials,
       Statistics in Medicine 5, 1986.
    """
    spread = as_floats(variance)
    return as_floats(-as_floats(slope) / np.sqrt(np.where(spread > 0.0, spread, np.nan)))


def p_value(*, slope: ArrayLike, variance: ArrayLike) -> FloatArray:
    """Two-sided chance of a difference this large when calibrated, shape (...).

    Examples
    --------
    >>> round(float(p_value(slope=-1.959964, variance=1.0)), 6)
    0.05
    """
    return as_floats(2.0 * normal_sf(np.abs(z(slope=slope, variance=variance))))
