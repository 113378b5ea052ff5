"""Bet B4: is a shadow model worse (or better) than the baseline on the same requests?"""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.grid import FRACTIONS, require_open, require_side
from detectors.bets.two_sample import Direction


def increments(
    *,
    n10: ArrayLike,
    n01: ArrayLike,
    n0: ArrayLike,
    d: ArrayLike = 0.0,
    side: Direction = "harm",
) -> FloatArray:
    """Log-wealth that each of K bets wins in a window of pairs.

    ``side="harm"`` has the null hypothesis *P(only the canary wrong) - P(only the baseline
    wrong) <= d*; ``side="benefit"`` has *>= d*. Pairs on which both agree tell little, so a
    shadow needs far fewer events than two separate arms.

    Parameters
    ----------
    n10, n01
        Pairs in which only the canary, or only the baseline, is wrong; shape (...).
    n0
        The other pairs, shape (...).
    d
        Margin in (-1, 1).
    side
        The direction in which to bet.

    Returns
    -------
    Shape (..., K).

    Raises
    ------
    ConfigurationError
        A margin outside (-1, 1), or an unknown side.

    Examples
    --------
    >>> from detectors.bets.grid import log_mean_exp
    >>> round(float(log_mean_exp(increments(n10=20, n01=5, n0=975))), 6)
    2.466818
    """
    require_side(side, allowed=("harm", "benefit"))
    margin = as_floats(d)[..., None]
    require_open("d", margin, low=-1.0, high=1.0)
    bet = FRACTIONS / (1.0 + margin) if side == "harm" else -FRACTIONS / (1.0 - margin)
    worse, better, same = (as_floats(x)[..., None] for x in (n10, n01, n0))
    return as_floats(
        worse * np.log1p(bet * (1.0 - margin))
        + same * np.log1p(-bet * margin)
        + better * np.log1p(-bet * (1.0 + margin))
    )
