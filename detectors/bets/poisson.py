"""Bet B5: is a count above (or below) what the calendar led us to expect?"""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.grid import Side, require_side
from schemas.errors import ConfigurationError

RISES: FloatArray = 1.0 + 2.0 ** np.arange(-6, 3, dtype=np.float64)
"""Rate ratios that the bets on a rise are made for, 1.016 to 5."""

DROPS: FloatArray = 1.0 - 2.0 ** np.arange(-6, 0, dtype=np.float64)
"""Rate ratios that the bets on a drop are made for, 0.984 to 0.5."""


def increments(
    *, count: ArrayLike, mu: ArrayLike, dispersion: float = 1.0, side: Side = "above"
) -> FloatArray:
    """Log-wealth that each bet wins in a window with `count` events where `mu` were expected.

    With ``side="above"`` the null hypothesis is *expected count <= mu*. Exact for Poisson
    counts; for overdispersed counts (variance `dispersion` times the mean) approximately valid.

    Parameters
    ----------
    count, mu
        Counted and expected events of the window, shape (...); `mu` above 0 and fixed before.
    dispersion
        Variance over mean of reference windows, at least 1.
    side
        The direction in which to bet.

    Returns
    -------
    Shape (..., 9) for "above", (..., 6) for "below".

    Raises
    ------
    ConfigurationError
        `mu` not above 0, `dispersion` below 1, or an unknown side.

    Examples
    --------
    >>> from detectors.bets.grid import log_mean_exp
    >>> round(float(log_mean_exp(increments(count=260, mu=200.0))), 6)
    5.983198
    """
    require_side(side, allowed=("above", "below"))
    expected = as_floats(mu)
    if not np.all(expected > 0.0):
        raise ConfigurationError(
            f"mu is {float(np.min(expected)):g}; an expected count must be above 0, "
            "skip windows in which nothing is expected"
        )
    if not dispersion >= 1.0:
        raise ConfigurationError(f"dispersion is {dispersion:g}; use 1 for Poisson counts, or more")
    ratios = RISES if side == "above" else DROPS
    seen = as_floats(count)[..., None]
    return as_floats((seen * np.log(ratios) - (ratios - 1.0) * expected[..., None]) / dispersion)
