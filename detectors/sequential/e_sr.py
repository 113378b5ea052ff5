"""Budgeted e-SR: monitoring without end, at a stated expected number of false alarms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.grid import K, log_mean_exp
from detectors.sequential.e_process import refuse_nan
from schemas.errors import ConfigurationError


def step(log_wealth: ArrayLike, le: ArrayLike, *, log_share: ArrayLike) -> FloatArray:
    """One window of the recursion: put the share in, then bet with all of it.

    Parameters
    ----------
    log_wealth, le
        Shape (..., K), log-wealth before the window and the increments of the window.
    log_share
        Natural log of the window's share of the budget, shape (..., 1) or a scalar.

    Returns
    -------
    Shape (..., K), the log-wealth after the window. Streams on the leading axes are stepped
    together.

    Examples
    --------
    One bet at a share of 1 is the Shiryaev-Roberts recursion:

    >>> log_wealth = np.array([-np.inf])
    >>> for le in (0.5, -0.2, 1.0):
    ...     log_wealth = step(log_wealth, [le], log_share=0.0)
    >>> round(float(np.exp(log_wealth[0])), 6)
    8.613119
    """
    return as_floats(np.logaddexp(as_floats(log_share), as_floats(log_wealth)) + as_floats(le))


def log_share_of(share: float) -> float:
    """Log of a share of the budget; 0 is a window in which nothing may be spent.

    Raises
    ------
    ConfigurationError
        A share outside [0, 1].

    Examples
    --------
    >>> log_share_of(0.0)
    -inf
    """
    if not 0.0 <= share <= 1.0:
        raise ConfigurationError(
            f"share is {share:g}; the share of the false-alarm budget must lie in [0, 1]"
        )
    return math.log(share) if share > 0.0 else -math.inf


class BudgetedESR:
    """Shiryaev-Roberts detector whose expected false alarms are the sum of the shares it got.

    `update` puts the window's share of the budget into the wealth, bets, and says whether the
    wealth reached 1. After an alarm the **caller** calls `reset` when it takes up monitoring
    again. While the null hypothesis holds, *wealth minus shares so far* is a supermartingale,
    so the expected number of false alarms is at most the sum of the shares, whatever the
    dependence between tests. Healthy history costs nothing: old debt is forgotten.

    An empty window must **not** be updated (the share would be spent on no data); the caller
    skips it. A share is fixed before its window is seen.

    Parameters
    ----------
    bets
        Length of the increments; K for every bet but the Poisson one.

    Examples
    --------
    >>> from detectors.bets.binary import increments
    >>> detector = BudgetedESR()
    >>> [detector.update(increments(n=200, s=bad, m=0.06), share=0.001) for bad in (9, 8, 24, 31)]
    [False, False, False, True]
    >>> detector.reset()
    >>> detector.log_m
    -inf

    References
    ----------
    .. [1] Shin, Ramdas, Rinaldo, E-detectors: a nonparametric framework for sequential change
       detection, New England Journal of Statistics in Data Science, 2023.
    """

    def __init__(self, bets: int = K) -> None:
        self._wealth: FloatArray = np.full(bets, -np.inf)
        self._log_m: float | None = None

    def update(self, le: ArrayLike, *, share: float) -> bool:
        """Add one non-empty window and return whether it alarms.

        Parameters
        ----------
        le
            Increments of the window, shape (bets,).
        share
            The window's share of the false-alarm budget, in [0, 1].

        Raises
        ------
        ConfigurationError
            A share outside [0, 1].
        ValueError
            Increments of another shape than the wealth, or NaN among them.
        """
        increments = as_floats(le)
        if increments.shape != self._wealth.shape:
            raise ValueError(
                f"increments have shape {increments.shape}; this detector holds "
                f"{self._wealth.shape}"
            )
        refuse_nan(increments)
        self._wealth = step(self._wealth, increments, log_share=log_share_of(share))
        self._log_m = None
        return self.log_m >= 0.0

    @property
    def log_m(self) -> float:
        """Natural log of the wealth; an alarm is at 0 or above, a fresh start is ``-inf``."""
        if self._log_m is None:
            self._log_m = float(log_mean_exp(self._wealth))
        return self._log_m

    def reset(self) -> None:
        """Start anew, as after an alarm."""
        self._wealth = np.full_like(self._wealth, -np.inf)
        self._log_m = None

    def state(self) -> list[float]:
        """The log-wealth of each bet; an empty list for a fresh start, as JSON has no ``-inf``."""
        return [] if np.all(np.isneginf(self._wealth)) else self._wealth.tolist()

    @classmethod
    def restore(cls, state: Sequence[float], bets: int = K) -> Self:
        """Continue from a `state`; `bets` is used for an empty one only."""
        detector = cls(bets=len(state) or bets)
        if len(state):
            detector._wealth = as_floats(state).copy()
        return detector
