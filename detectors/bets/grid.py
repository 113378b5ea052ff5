"""The bet grid that every test shares: K fractions of the largest bet that cannot go bankrupt."""

from __future__ import annotations

from typing import Literal

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from schemas.errors import ConfigurationError

Side = Literal["above", "below"]

K = 12
"""Bets mixed in one test."""

FRACTIONS: FloatArray = 2.0 ** -np.arange(1, K + 1, dtype=np.float64)
"""Shares of the largest bet, 1/2 to 2**-12. None is the whole, so wealth stays positive."""


def log_mean_exp(log_wealth: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Log of the mean wealth over the last axis, the mixture over all bets.

    Parameters
    ----------
    log_wealth
        Shape (..., K), log-wealth of each bet. ``-inf`` (no wealth) is allowed.
    weights
        Shape (K,), above 0 with sum 1; equal weights where left out.

    Returns
    -------
    Shape (...), natural log; ``-inf`` where every bet is empty.

    Examples
    --------
    >>> float(log_mean_exp([0.0, 0.0]))
    0.0
    >>> float(log_mean_exp([-np.inf, -np.inf]))
    -inf
    >>> round(float(log_mean_exp([2_000.0, 0.0])), 6)
    1999.306853
    """
    values = as_floats(log_wealth)
    top = np.maximum.reduce(values, axis=-1)
    shift = np.where(top == -np.inf, 0.0, top)
    wealth = np.exp(values - shift[..., None])
    mixed = (
        np.add.reduce(wealth, axis=-1) / wealth.shape[-1]
        if weights is None
        else wealth @ as_floats(weights)
    )
    with np.errstate(divide="ignore"):
        return as_floats(shift + np.log(mixed))


def weights_around(place: float, *, octaves: float, spread: float = 0.1) -> FloatArray:
    """Weights of the K bets, most on those near one of them.

    Equal weights cost ``log K`` of evidence, about as much as a rollback at 5 % needs in all. Who
    knows the size of what is worth finding can put most of the weight there; the mixture stays
    fair, and finds the rest somewhat later.

    Parameters
    ----------
    place
        The bet in the middle, 1 for half of the largest bet, 2 for a quarter, and so on.
    octaves
        Standard deviation of the bell around it, in bets.
    spread
        Share of the weight that all bets divide equally.

    Examples
    --------
    >>> weights_around(4.3, octaves=1.25).round(2).tolist()[:6]
    [0.02, 0.06, 0.18, 0.29, 0.25, 0.12]
    """
    bell = np.exp(-0.5 * ((np.arange(1, K + 1) - place) / octaves) ** 2)
    return as_floats((1.0 - spread) * bell / bell.sum() + spread / K)


def psi(g: ArrayLike) -> FloatArray:
    """Price of the variance term of a bet of size `g`: ``-log(1 - g) - g``.

    For ``xi >= -1`` and ``0 <= g < 1``, ``exp(g * xi - psi(g) * xi**2) <= 1 + g * xi``, which
    turns a sum and a sum of squares into a bet.

    Parameters
    ----------
    g
        Any shape, in [0, 1).

    Examples
    --------
    >>> round(float(psi(0.5)), 6)
    0.193147

    References
    ----------
    .. [1] Fan, Grama, Liu, Exponential inequalities for martingales with applications,
       Electronic Journal of Probability 20, 2015.
    """
    size = as_floats(g)
    return as_floats(-np.log1p(-size) - size)


def require_open(name: str, values: FloatArray, *, low: float, high: float) -> None:
    """Refuse a setting outside the open interval (low, high).

    Raises
    ------
    ConfigurationError
        Names the setting, the value and the interval.

    Examples
    --------
    >>> require_open("m", as_floats(1.5), low=0.0, high=1.0)
    Traceback (most recent call last):
    ...
    schemas.errors.ConfigurationError: m is 1.5; it must lie strictly between 0 and 1
    """
    inside = (values > low) & (values < high)
    if not inside.all():
        wrong = ~inside
        worst = float(np.ravel(values)[int(np.argmax(np.ravel(wrong)))])
        raise ConfigurationError(
            f"{name} is {worst:g}; it must lie strictly between {low:g} and {high:g}"
        )


def require_side(side: str, *, allowed: tuple[str, str]) -> None:
    """Refuse an unknown direction of a test.

    Raises
    ------
    ConfigurationError
        Names the side and the two that exist.

    Examples
    --------
    >>> require_side("above", allowed=("above", "below"))
    """
    if side not in allowed:
        raise ConfigurationError(f"side is {side!r}; use {allowed[0]!r} or {allowed[1]!r}")
