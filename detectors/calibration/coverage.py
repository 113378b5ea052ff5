"""Coverage: do intervals hold, and quantiles bound, as many values as they promise?"""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.grid import require_open
from detectors.sequential.band import Band, BandTest
from schemas.errors import ConfigurationError


def interval_coverage_test(nominal: float, *, tolerance: float = 0.02) -> BandTest:
    """Two-sided test that intervals cover as often as they promise.

    Feed it one rate: covered among matured values that came with an interval. Too many covered
    is a fault as well: the intervals are wider than they claim.

    Parameters
    ----------
    nominal
        Promised coverage, in (0, 1).
    tolerance
        Difference that does not matter, in (0, 1); at 0 the test would find every rounding.

    Raises
    ------
    ConfigurationError
        `nominal` or `tolerance` outside (0, 1).

    Examples
    --------
    >>> from detectors.sequential.band import Rates
    >>> test = interval_coverage_test(0.9)
    >>> windows = [Rates(n=as_floats([200]), s=as_floats([s])) for s in (178, 140)]
    >>> [test.update(window, share=0.001) for window in windows]
    [False, True]
    >>> test.leading
    (0, 'below')
    """
    return quantile_coverage_test([nominal], tolerance=tolerance)


def quantile_coverage_test(levels: ArrayLike, *, tolerance: float = 0.02) -> BandTest:
    """Two-sided test that values lie at or below each forecast quantile as often as promised.

    Feed it one rate for each level, from `below`. One share of the budget covers all levels.

    Parameters
    ----------
    levels
        Levels of the quantiles, shape (Q,), in (0, 1), ascending.
    tolerance
        Difference that does not matter, in (0, 1).

    Raises
    ------
    ConfigurationError
        Levels outside (0, 1) or not ascending, or `tolerance` outside (0, 1).

    Examples
    --------
    >>> quantile_coverage_test([0.1, 0.5, 0.9]).band.high.round(2).tolist()
    [0.12, 0.52, 0.92]
    """
    promised = require_levels(levels)
    require_open("tolerance", as_floats(tolerance), low=0.0, high=1.0)
    return BandTest(Band(as_floats(promised - tolerance), as_floats(promised + tolerance)))


def below(y: FloatArray, quantiles: FloatArray) -> FloatArray:
    """How many values lie at or below each forecast quantile, shape (Q,); counts add.

    Parameters
    ----------
    y
        Truths, shape (n,).
    quantiles
        Forecast quantiles, shape (n, Q).

    Raises
    ------
    ValueError
        Another number of forecasts than truths.

    Examples
    --------
    >>> below(as_floats([1.0, 5.0]), as_floats([[0.0, 2.0], [4.0, 6.0]])).tolist()
    [0.0, 2.0]
    """
    if quantiles.ndim != 2 or quantiles.shape[0] != y.size:
        raise ValueError(f"{y.size} truths do not fit quantiles of shape {quantiles.shape}")
    return as_floats((y[:, None] <= quantiles).sum(axis=0))


def require_levels(levels: ArrayLike) -> FloatArray:
    """Levels of quantiles as an array, shape (Q,).

    Raises
    ------
    ConfigurationError
        No level, levels outside (0, 1), or not ascending.

    Examples
    --------
    >>> require_levels([0.1, 0.9]).tolist()
    [0.1, 0.9]
    """
    values = as_floats(levels)
    if values.ndim != 1 or values.size == 0 or not np.all(np.diff(values) > 0.0):
        raise ConfigurationError(f"levels are {values.tolist()}; give one or more, ascending")
    require_open("level", values, low=0.0, high=1.0)
    return values
