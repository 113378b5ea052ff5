"""Observed over expected: does the model predict too few or too many events in total?"""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.distributions import normal_sf
from detectors.intervals import Ends, wilson


def ratio(sum_y: ArrayLike, sum_p: ArrayLike) -> FloatArray:
    """Events seen per event predicted; 1 is calibrated in the large.

    Parameters
    ----------
    sum_y, sum_p
        Sum of outcomes and of predicted probabilities, shape (...).

    Returns
    -------
    Shape (...); NaN where none was predicted.

    Examples
    --------
    >>> round(float(ratio(2, 2.2)), 6)
    0.909091
    """
    expected = as_floats(sum_p)
    return as_floats(as_floats(sum_y) / np.where(expected > 0.0, expected, np.nan))


def z(sum_y: ArrayLike, sum_p: ArrayLike, sum_pq: ArrayLike) -> FloatArray:
    """Standardised difference of seen and predicted events.

    Parameters
    ----------
    sum_y, sum_p, sum_pq
        Sum of outcomes, of ``p`` and of ``p * (1 - p)``, shape (...).

    Returns
    -------
    Shape (...); NaN where no forecast is uncertain.

    Examples
    --------
    >>> round(float(z(12, 10.0, 4.0)), 6)
    1.0
    """
    spread = as_floats(sum_pq)
    gap = as_floats(sum_y) - as_floats(sum_p)
    return as_floats(gap / np.sqrt(np.where(spread > 0.0, spread, np.nan)))


def p_value(sum_y: ArrayLike, sum_p: ArrayLike, sum_pq: ArrayLike) -> FloatArray:
    """Two-sided chance of a difference this large when calibrated, for one look, shape (...).

    Examples
    --------
    >>> round(float(p_value(12, 10.0, 4.0)), 4)
    0.3173
    """
    return as_floats(2.0 * normal_sf(np.abs(z(sum_y, sum_p, sum_pq))))


def interval(n: ArrayLike, sum_y: ArrayLike, sum_p: ArrayLike, alpha: float = 0.05) -> Ends:
    """Interval of the ratio: Wilson's interval of the rate over the predicted rate.

    Parameters
    ----------
    n, sum_y, sum_p
        Labels, sum of outcomes and of predicted probabilities, shape (...).
    alpha
        One less the nominal coverage.

    Examples
    --------
    >>> low, high = interval(1_000, 60, 50.0)
    >>> bool(low < 1.2 < high)
    True
    """
    low, high = wilson(sum_y, n, alpha)
    predicted = as_floats(sum_p)
    scale = as_floats(n) / np.where(predicted > 0.0, predicted, np.nan)
    return Ends(as_floats(low * scale), as_floats(high * scale))
