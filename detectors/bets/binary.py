"""Bet B1: is the rate of a yes/no event above (or below) a limit?"""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.grid import FRACTIONS, Side, require_open, require_side

_LOSS: FloatArray = np.log1p(-FRACTIONS)
"""What each bet loses on an event of the other kind."""


def increments(*, n: ArrayLike, s: ArrayLike, m: ArrayLike, side: Side = "above") -> FloatArray:
    """Log-wealth that each of K bets wins in a window of `n` events, `s` of them "yes".

    With ``side="above"`` the null hypothesis is *rate <= m*, and wealth grows when the rate is
    above the limit; ``side="below"`` is the mirror image. Under the null hypothesis the expected
    wealth factor of every bet is at most 1, given the past. Sums add: the increment of two
    windows at the same `m` is the sum of their increments, and an empty window gives zeros.

    Parameters
    ----------
    n, s
        Events and "yes" events of the window, shape (...). `s` may be fractional for a variable
        in [0, 1], though `detectors.bets.bounded` is then much faster.
    m
        The limit in (0, 1), shape (...), fixed before the window is seen.
    side
        The direction in which to bet.

    Returns
    -------
    Shape (..., K).

    Raises
    ------
    ConfigurationError
        `m` outside (0, 1), or an unknown side.

    Examples
    --------
    >>> from detectors.bets.grid import log_mean_exp
    >>> round(float(log_mean_exp(increments(n=1_000, s=80, m=0.05))), 6)
    5.773949

    References
    ----------
    .. [1] Waudby-Smith, Ramdas, Estimating means of bounded random variables by betting,
       JRSS-B 86, 2024.
    """
    require_side(side, allowed=("above", "below"))
    limit = as_floats(m)
    require_open("m", limit, low=0.0, high=1.0)
    yes = as_floats(s)[..., None]
    no = (as_floats(n) - as_floats(s))[..., None]
    odds = (limit / (1.0 - limit))[..., None]
    if side == "above":
        return as_floats(yes * np.log1p(FRACTIONS / odds) + no * _LOSS)
    return as_floats(yes * _LOSS + no * np.log1p(FRACTIONS * odds))
