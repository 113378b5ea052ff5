"""Asymptotic confidence sequence over the values of windows, for metrics that are no mean of rows.

Approximate: valid in the limit of many windows, not at every sample size as the bets are. Prefer
a bet wherever the metric is a mean, see `detectors.bets`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

from detectors.arrays import as_floats
from detectors.bets.grid import require_open
from detectors.sequential.confidence_sequence import Interval
from schemas.errors import ConfigurationError

GUARANTEE = "asymptotic"
"""Word that every alarm of this file carries, in place of the budget's exact guarantee."""

BURN_IN = 20
"""Windows before the first look; earlier, the estimated spread is too rough."""


def rho_squared(alpha: float, n_opt: float) -> float:
    """Scale of the mixture that makes the sequence tightest after `n_opt` windows.

    Parameters
    ----------
    alpha
        One less the nominal coverage, in (0, 1).
    n_opt
        Windows, above 0.

    Raises
    ------
    ConfigurationError
        `alpha` outside (0, 1), or `n_opt` not above 0.

    Examples
    --------
    >>> round(rho_squared(0.05, 5_000), 8)
    0.00158723
    """
    require_open("alpha", as_floats(alpha), low=0.0, high=1.0)
    if not n_opt > 0.0:
        raise ConfigurationError(f"n_opt is {n_opt:g}; it must be above 0 windows")
    twice = -2.0 * math.log(alpha)
    return (twice + math.log(twice + 1.0)) / n_opt


def margin(n: float, alpha: float, n_opt: float) -> float:
    """Half-width of the sequence after `n` windows, in standard deviations of a window's value.

    Examples
    --------
    >>> round(margin(1_000, 0.05, 5_000), 6)
    0.106375

    References
    ----------
    .. [1] Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, Time-uniform central limit theory and
       asymptotic confidence sequences, Annals of Statistics 52, 2024.
    """
    if not n > 0.0:
        return math.inf
    scaled = n * rho_squared(alpha, n_opt)
    return math.sqrt(
        2.0 * (scaled + 1.0) / (n * scaled) * math.log(math.sqrt(scaled + 1.0) / alpha)
    )


class AsymptoticConfidenceSequence:
    """Interval for the mean value of windows that, for many windows, holds at all looks at once.

    Windows weigh equally, so they should be of about one size. The mean is that of all windows
    so far: after a long healthy time it moves slowly.

    Parameters
    ----------
    n_opt
        Windows after which the interval is tightest.
    burn_in
        Windows before the first interval, at least 2.

    Examples
    --------
    >>> sequence = AsymptoticConfidenceSequence(n_opt=50)
    >>> for window in range(40):
    ...     sequence.update(0.90 + 0.01 * (-1) ** window)
    >>> low, high = sequence.interval(alpha=0.05)
    >>> round(low, 4), round(high, 4)
    (0.8951, 0.9049)

    References
    ----------
    .. [1] Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, Time-uniform central limit theory and
       asymptotic confidence sequences, Annals of Statistics 52, 2024.
    """

    def __init__(self, n_opt: float = 200.0, burn_in: int = BURN_IN) -> None:
        if burn_in < 2:
            raise ConfigurationError(f"burn_in is {burn_in}; a spread needs at least 2 windows")
        rho_squared(0.05, n_opt)
        self.n_opt = n_opt
        self.burn_in = burn_in
        self._n, self._mean, self._squares = 0, 0.0, 0.0

    def update(self, value: float) -> None:
        """Add the value of one window.

        Raises
        ------
        ValueError
            A value that is not finite, as of a window without a positive; skip it.
        """
        if not math.isfinite(value):
            raise ValueError(f"the window's value is {value:g}; skip a window without a value")
        self._n += 1
        step = value - self._mean
        self._mean += step / self._n
        self._squares += step * (value - self._mean)

    def interval(self, alpha: float) -> Interval:
        """Interval at level 1 - alpha; unbounded before the burn-in is over."""
        if self._n < self.burn_in:
            return Interval(-math.inf, math.inf)
        spread = math.sqrt(self._squares / (self._n - 1))
        half = spread * margin(self._n, alpha, self.n_opt)
        return Interval(self._mean - half, self._mean + half)

    def state(self) -> list[float]:
        """Windows, mean, and sum of squares about the mean."""
        return [float(self._n), self._mean, self._squares]

    @classmethod
    def restore(cls, state: Sequence[float], n_opt: float = 200.0, burn_in: int = BURN_IN) -> Self:
        """Continue from a `state` with the same settings."""
        sequence = cls(n_opt, burn_in)
        sequence._n = int(state[0])
        sequence._mean, sequence._squares = float(state[1]), float(state[2])
        return sequence
