"""Calibration test that may be looked at after every window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Self

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.contract import require_finite
from detectors.bets.grid import psi
from detectors.sequential.e_sr import log_share_of, step
from detectors.summary import Ints
from schemas.errors import ConfigurationError

SIZES: FloatArray = 2.0 ** -np.arange(1, 9, dtype=np.float64)
"""Bet sizes, 1/2 to 2**-8."""

_PRICES: FloatArray = psi(SIZES)
"""What the variance costs each bet."""

SIGNS: FloatArray = np.array([1.0, -1.0])
"""Outcomes above the forecast, and below it."""


def increments(d: ArrayLike, v: ArrayLike, n: ArrayLike, *, tau: float = 0.02) -> FloatArray:
    """Log-wealth that bets on a deviation of outcomes from forecasts win in a window.

    Null hypothesis: the mean deviation given the past lies in [-tau, tau].

    Parameters
    ----------
    d, v
        Sum of ``x`` and of ``x**2`` over the window, where ``x`` is ``y - p`` (or that times a
        weight in [-1, 1] that only depends on ``p``), shape (...).
    n
        Labels, shape (...).
    tau
        Tolerated deviation, in [0, 1).

    Returns
    -------
    Shape (..., 2, 8): by sign, by bet size.

    Raises
    ------
    ConfigurationError
        `tau` outside [0, 1).

    Examples
    --------
    >>> round(float(increments(12.0, 80.0, 500, tau=0.0)[0, 2]), 6)
    0.817489
    >>> round(float(increments(12.0, 80.0, 500, tau=0.01)[0, 2]), 6)
    0.198862

    References
    ----------
    .. [1] Fan, Grama, Liu, Exponential inequalities for martingales with applications,
       Electronic Journal of Probability 20, 2015.
    """
    if not 0.0 <= tau < 1.0:
        raise ConfigurationError(f"tau is {tau:g}; a tolerated deviation must lie in [0, 1)")
    deviation, spread, count = (as_floats(x)[..., None] for x in (d, v, n))
    gain = (SIGNS * deviation - count * tau) / (1.0 + tau)
    price = (spread - 2.0 * tau * SIGNS * deviation + count * tau * tau) / (1.0 + tau) ** 2
    return as_floats(SIZES * gain[..., None] - _PRICES * price[..., None])


@dataclass(frozen=True, slots=True)
class CalibrationSums:
    """Sums of one window of matured labels; sums of two windows add.

    Parameters
    ----------
    n, d, v
        Labels, sum of ``y - p`` and of ``(y - p)**2`` of each bin, shape (B,).
    d_slope, v_slope
        Sum of ``(y - p) * (2 p - 1)`` and of its square over all labels.
    """

    n: FloatArray
    d: FloatArray
    v: FloatArray
    d_slope: float
    v_slope: float

    @property
    def count(self) -> float:
        """All labels of the window."""
        return float(self.n.sum())

    def require_bins(self, bins: int) -> None:
        """Refuse sums that would poison a wealth for good.

        Raises
        ------
        ValueError
            Names the sums of another shape, or the value that is not finite.
        """
        for field in fields(self):
            values = as_floats(getattr(self, field.name))
            shape = () if field.name.endswith("_slope") else (bins,)
            if values.shape != shape:
                raise ValueError(
                    f"{field.name} has shape {values.shape}; this test holds {bins} bins"
                )
            require_finite(field.name, values)


@cache
def log_weights(bins: int) -> FloatArray:
    """Log of the weight of each bet: 1/8 for each sign of the total and of the slope, the other
    half for the bins. Shape (bins + 2, 1, 1)."""
    shares = np.concatenate([[1 / 8, 1 / 8], np.full(bins, 1 / (4 * bins))])
    return as_floats(np.log(shares / SIZES.size)[:, None, None])


def log_mixture(wealth: FloatArray) -> FloatArray:
    """Natural log of the weighted wealth of tests, shape (N,), from that of their bets
    (N, bins + 2, 2, 8): what `CalibrationTest.log_m` is of one."""
    return as_floats(np.logaddexp.reduce(_weighted(wealth).reshape(len(wealth), -1), axis=-1))


def leading_component(wealth: FloatArray) -> Ints:
    """The component of each of N tests that holds the most wealth, from that of their bets
    (N, bins + 2, 2, 8): 0 for the total, 1 for the slope, 2 and on for the bins, -1 for a fresh
    start."""
    parts = _weighted(wealth).reshape(len(wealth), -1)
    fresh = np.isneginf(parts).all(axis=-1)
    return np.where(fresh, -1, parts.argmax(axis=-1) // SIGNS.size)


def _weighted(wealth: FloatArray) -> FloatArray:
    """Log of the wealth of each component and sign, weighted; shape (N, bins + 2, 2)."""
    with np.errstate(divide="ignore"):
        return as_floats(np.logaddexp.reduce(wealth + log_weights(wealth.shape[1] - 2), axis=-1))


class CalibrationTest:
    """Alarm when outcomes deviate from forecasts: in total, in slope, or in some bin.

    A budgeted e-SR (`detectors.sequential.e_sr`) over a weighted mixture: 1/8 for each sign of
    the total and of the slope (over- and underconfidence), the other half for the bins. Null
    hypothesis: given the past, the frequency differs from every forecast by at most `tau`.
    The caller calls `reset` after an alarm. A window or a bin without labels changes nothing.

    Parameters
    ----------
    bins
        Number of bins B.
    tau
        Tolerated deviation, in [0, 1).

    Examples
    --------
    >>> test = CalibrationTest(bins=2)
    >>> sums = CalibrationSums(
    ...     n=as_floats([300, 200]), d=as_floats([30.0, 20.0]), v=as_floats([54.0, 36.0]),
    ...     d_slope=-20.0, v_slope=30.0,
    ... )
    >>> [test.update(sums, share=0.001) for _ in range(3)]
    [False, True, True]
    >>> test.leading
    'total, outcomes above forecasts'
    """

    def __init__(self, bins: int = 10, tau: float = 0.02) -> None:
        if bins < 1:
            raise ConfigurationError(f"bins is {bins}; a calibration test needs at least 1")
        if not 0.0 <= tau < 1.0:
            raise ConfigurationError(f"tau is {tau:g}; a tolerated deviation must lie in [0, 1)")
        self.bins = bins
        self.tau = tau
        self._wealth: FloatArray = np.full((bins + 2, SIGNS.size, SIZES.size), -np.inf)

    def update(self, sums: CalibrationSums, *, share: float) -> bool:
        """Bet on one window and return whether it alarms.

        Parameters
        ----------
        sums
            Sums of the window.
        share
            The window's share of the false-alarm budget, in [0, 1].

        Raises
        ------
        ConfigurationError
            A share outside [0, 1].
        ValueError
            Sums with another number of bins, or NaN or infinity among them.
        """
        sums.require_bins(self.bins)
        log_share = log_share_of(share)
        if sums.count <= 0.0:
            return False
        n = np.concatenate([[sums.count, sums.count], sums.n])
        d = np.concatenate([[sums.d.sum(), sums.d_slope], sums.d])
        v = np.concatenate([[sums.v.sum(), sums.v_slope], sums.v])
        after = step(self._wealth, increments(d, v, n, tau=self.tau), log_share=log_share)
        self._wealth = as_floats(np.where((n > 0.0)[:, None, None], after, self._wealth))
        return self.log_m >= 0.0

    @property
    def log_m(self) -> float:
        """Natural log of the wealth; an alarm is at 0 or above."""
        return float(log_mixture(self._wealth[None])[0])

    @property
    def leading(self) -> str:
        """The component that holds the most wealth, in words; empty for a fresh start."""
        wealth = _weighted(self._wealth[None])[0]
        if np.all(np.isneginf(wealth)):
            return ""
        place, sign = divmod(int(np.argmax(wealth)), SIGNS.size)
        if place == 1:
            return "slope, " + ("underconfident" if sign == 0 else "overconfident")
        name = "total" if place == 0 else f"bin {place - 2}"
        return f"{name}, outcomes " + ("above" if sign == 0 else "below") + " forecasts"

    def reset(self) -> None:
        """Start anew, as after an alarm."""
        self._wealth = np.full_like(self._wealth, -np.inf)

    def state(self) -> list[float | None]:
        """Log-wealth of each bet, None for none; an empty list for a fresh start."""
        flat = self._wealth.ravel().tolist()
        known = [None if math.isinf(x) else x for x in flat]
        return known if any(x is not None for x in known) else []

    @classmethod
    def restore(cls, state: Sequence[float | None], bins: int = 10, tau: float = 0.02) -> Self:
        """Continue from a `state` with the same settings."""
        return cls(bins, tau).resume(state)

    def resume(self, state: Sequence[float | None]) -> Self:
        """A test with these settings that goes on from a `state`."""
        test = type(self)(self.bins, self.tau)
        if len(state):
            flat = [-math.inf if x is None else x for x in state]
            test._wealth = as_floats(flat).reshape(test._wealth.shape)
        return test
