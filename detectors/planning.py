"""How many events a test still needs, for a verdict of "cannot tell"."""

from __future__ import annotations

import math

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets import binary
from detectors.bets.grid import require_open
from detectors.sequential.e_process import log_threshold
from schemas.errors import ConfigurationError

_MIXTURE_PRICE = 2.5
"""About log K: what it costs not to know the best bet beforehand."""


def needed_binary(p: float, m: float, alpha: float, *, log_e: float = 0.0) -> float:
    """Events after which a bet on the right side of the limit `m` is expected to decide.

    Wealth grows per event as fast as the best of the K bets does at the true rate, and the
    mixture costs about ``log K`` beyond the threshold. A plan, not a promise.

    Parameters
    ----------
    p
        Assumed true rate, in [0, 1].
    m
        The limit, in (0, 1).
    alpha
        Level of the test; for a budgeted test, the share of the budget.
    log_e
        Natural log of the evidence so far.

    Returns
    -------
    Events, at least 0; ``inf`` where `p` equals `m`.

    Raises
    ------
    ConfigurationError
        `m` or `alpha` outside its range, or `p` outside [0, 1].

    Examples
    --------
    >>> round(needed_binary(0.10, 0.05, 0.05))
    272
    >>> needed_binary(0.05, 0.05, 0.05)
    inf
    """
    return float(needed_binary_each(p, m, alpha, log_e=log_e))


def needed_binary_each(
    p: ArrayLike, m: ArrayLike, alpha: float, *, log_e: float = 0.0
) -> FloatArray:
    """`needed_binary` of many rates and limits, shapes that broadcast.

    Examples
    --------
    >>> needed_binary_each([0.10, 0.05], 0.05, 0.05).round().tolist()
    [272.0, inf]
    """
    rate, limit = np.broadcast_arrays(as_floats(p), as_floats(m))
    require_open("m", as_floats(limit), low=0.0, high=1.0)
    wrong = ~((rate >= 0.0) & (rate <= 1.0))
    if wrong.any():
        raise ConfigurationError(f"p is {rate[wrong][0]:g}; a rate must lie in [0, 1]")
    above = np.max(binary.increments(n=1.0, s=rate, m=limit, side="above"), axis=-1)
    below = np.max(binary.increments(n=1.0, s=rate, m=limit, side="below"), axis=-1)
    growth = np.where(rate > limit, above, below)
    missing = max(log_threshold(alpha) + _MIXTURE_PRICE - log_e, 0.0)
    if missing == 0.0:
        return np.zeros_like(growth)
    decided = (rate != limit) & (growth > 0.0)
    return as_floats(np.where(decided, missing / np.where(decided, growth, 1.0), np.inf))


def needed_difference(
    distance: float, variance: float, alpha: float, *, canary_share: float, log_e: float = 0.0
) -> float:
    """Events of both arms together after which a comparison is expected to decide.

    Parameters
    ----------
    distance
        Assumed distance of the true difference to the margin.
    variance
        Variance of a single value; ``p * (1 - p)`` for a rate.
    alpha
        Level of the test.
    canary_share
        Share of events that the canary serves, in (0, 1).
    log_e
        Natural log of the evidence so far.

    Returns
    -------
    Events of both arms, at least 0; ``inf`` where the distance is 0.

    Examples
    --------
    >>> round(needed_difference(0.05, 0.0475, 0.05, canary_share=0.5))
    835
    """
    require_open("canary_share", as_floats(canary_share), low=0.0, high=1.0)
    missing = max(log_threshold(alpha) + _MIXTURE_PRICE - log_e, 0.0)
    weight = canary_share * (1.0 - canary_share) * distance * distance
    return missing * 2.0 * variance / weight if weight > 0.0 else math.inf
