"""E-CUSUM: the other recursion for monitoring, kept beside e-SR for comparison."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats


def step(log_wealth: ArrayLike, le: ArrayLike) -> FloatArray:
    """One window of the recursion: forget debt, then bet.

    While the null hypothesis holds, the mean time to an alarm at a wealth of c is at least c
    windows, as for `detectors.sequential.e_sr`, but it takes no share of a budget from window to
    window and reacts a little more slowly. Monitoring here uses e-SR.

    Parameters
    ----------
    log_wealth, le
        Shape (..., K): log-wealth before the window, 0 or ``-inf`` at the start, and the
        increments of the window.

    Returns
    -------
    Shape (..., K).

    Examples
    --------
    >>> log_wealth = np.array([0.0])
    >>> for le in (0.5, -0.2, 1.0):
    ...     log_wealth = step(log_wealth, [le])
    >>> round(float(np.exp(log_wealth[0])), 6)
    3.669297

    References
    ----------
    .. [1] Shin, Ramdas, Rinaldo, E-detectors: a nonparametric framework for sequential change
       detection, New England Journal of Statistics in Data Science, 2023.
    """
    return as_floats(np.maximum(as_floats(log_wealth), 0.0) + as_floats(le))
