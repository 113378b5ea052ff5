"""Confidence sequence for a rate of counts: how much more than expected, at all times at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.bets import poisson
from detectors.bets.grid import Side, log_mean_exp
from detectors.sequential.confidence_sequence import Interval, ends
from detectors.sequential.e_process import log_threshold
from schemas.errors import ConfigurationError

_RATIOS: FloatArray = np.exp(np.linspace(np.log(1e-3), np.log(1e3), 2_001))
"""Candidate ratios, .7 % apart; the ends of an interval are rounded outwards to them."""


SIDES: tuple[Side, Side] = ("above", "below")


class PoissonConfidenceSequence:
    """Interval for counted over expected events that covers at every look, with chance 1 - alpha.

    The ratio is taken to be one and the same throughout, while what is expected may move with the
    hour. Exact for Poisson counts, approximate for a `dispersion` above 1.

    Parameters
    ----------
    dispersion
        Variance over mean of reference windows, at least 1.

    Raises
    ------
    ConfigurationError
        `dispersion` below 1.

    Examples
    --------
    >>> sequence = PoissonConfidenceSequence()
    >>> for count in (118, 125, 121, 119):
    ...     sequence.update(count=count, mu=100.0)
    >>> low, high = sequence.interval(alpha=0.05)
    >>> 1.0 < low < 1.21 < high < 1.5
    True

    References
    ----------
    .. [1] Howard, Ramdas, McAuliffe, Sekhon, Time-uniform, nonparametric, nonasymptotic
       confidence sequences, Annals of Statistics 49, 2021.
    """

    def __init__(self, dispersion: float = 1.0) -> None:
        if not dispersion >= 1.0:
            raise ConfigurationError(
                f"dispersion is {dispersion:g}; use 1 for Poisson counts, or more"
            )
        self._dispersion = dispersion
        self._count = 0.0
        self._mu = 0.0

    def update(self, *, count: float, mu: float) -> None:
        """Add `count` events where `mu` were expected."""
        self._count += count
        self._mu += mu

    def interval(self, alpha: float) -> Interval:
        """Interval at level 1 - alpha; (0, inf) before anything was expected."""
        whole = Interval(0.0, float("inf"))
        if not self._mu > 0.0:
            return whole
        needed = log_threshold(alpha / 2.0)
        expected = self._mu * _RATIOS
        more, fewer = (
            log_mean_exp(
                poisson.increments(
                    count=self._count, mu=expected, dispersion=self._dispersion, side=side
                )
            )
            >= needed
            for side in SIDES
        )
        return ends(_RATIOS, more, fewer, range_=whole)

    def state(self) -> list[float]:
        """The totals counted and expected."""
        return [self._count, self._mu]

    @classmethod
    def restore(cls, state: Sequence[float], dispersion: float = 1.0) -> Self:
        """Continue from a `state`."""
        sequence = cls(dispersion)
        sequence._count, sequence._mu = as_floats(state).tolist()
        return sequence
