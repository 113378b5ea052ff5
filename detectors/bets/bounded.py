"""Bet B2: is the mean of a bounded quantity above (or below) a limit?"""

from __future__ import annotations

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.grid import FRACTIONS, Side, psi, require_open, require_side

_PRICES: FloatArray = psi(FRACTIONS)
"""What the variance costs each bet."""


def increments(
    *,
    n: ArrayLike,
    s: ArrayLike,
    q: ArrayLike,
    m: ArrayLike,
    lo: float = 0.0,
    hi: float = 1.0,
    side: Side = "above",
) -> FloatArray:
    """Log-wealth that each of K bets wins in a window with the given sums.

    With ``side="above"`` the null hypothesis is *mean <= m* and only the lower bound `lo` is
    used, so values clipped at a cap stay valid. With ``side="below"`` the null hypothesis is
    *mean >= m* and `hi` must be a true upper bound: a cap would make a bad mean look good.

    Parameters
    ----------
    n, s, q
        Number, sum and sum of squares of the window, shape (...).
    m
        The limit in (lo, hi), shape (...), fixed before the window is seen.
    lo, hi
        Bounds of a single value.
    side
        The direction in which to bet.

    Returns
    -------
    Shape (..., K).

    Raises
    ------
    ConfigurationError
        `m` outside (lo, hi), or an unknown side.

    Examples
    --------
    Brier scores with a mean of 0.15 against a budget of 0.13:

    >>> from detectors.bets.grid import log_mean_exp
    >>> le = increments(n=2_000, s=300.0, q=110.0, m=0.13)
    >>> round(float(log_mean_exp(le)), 3)
    8.839

    References
    ----------
    .. [1] Fan, Grama, Liu, Exponential inequalities for martingales with applications,
       Electronic Journal of Probability 20, 2015.
    """
    require_side(side, allowed=("above", "below"))
    limit = as_floats(m)
    require_open("m", limit, low=lo, high=hi)
    count, total, squares = as_floats(n), as_floats(s), as_floats(q)
    gain = total - count * limit
    spread = squares - 2.0 * limit * total + count * (limit * limit)
    room = limit - lo if side == "above" else hi - limit
    if side == "below":
        gain = -gain
    scaled_gain = (gain / room)[..., None]
    scaled_spread = (spread / (room * room))[..., None]
    return as_floats(FRACTIONS * scaled_gain - _PRICES * scaled_spread)
