"""E-process: evidence against one null hypothesis, over a finite life such as a rollout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.grid import K, log_mean_exp
from schemas.errors import ConfigurationError


class EProcess:
    """Wealth of a mixture of bets, with its highest value so far.

    Under the null hypothesis, the chance that `crossed(alpha)` ever becomes true is at most
    `alpha`, however often it is asked (Ville). Do not use it for monitoring without end: while
    all is well the wealth sinks, and the debt hides a later change; use
    `detectors.sequential.e_sr` there.

    Parameters
    ----------
    bets
        Length of the increments; K for every bet but the Poisson one.
    weights
        Weight of each bet, shape (bets,), as of `detectors.bets.grid.weights_around`;
        equal where left out. They are no part of the state.

    Examples
    --------
    >>> from detectors.bets.binary import increments
    >>> process = EProcess()
    >>> for bad in (14, 16, 25):
    ...     log_e = process.update(increments(n=200, s=bad, m=0.05))
    >>> process.crossed(0.05)
    True
    >>> process.p_value < 0.05
    True

    References
    ----------
    .. [1] Ramdas, Grünwald, Vovk, Shafer, Game-theoretic statistics and safe anytime-valid
       inference, Statistical Science 38, 2023.
    """

    def __init__(self, bets: int = K, weights: FloatArray | None = None) -> None:
        self._wealth: FloatArray = np.zeros(bets)
        self._weights = weights
        self._highest = 0.0

    def update(self, le: ArrayLike) -> float:
        """Add one window's increments, shape (bets,), and return the log e-value.

        Raises
        ------
        ValueError
            Increments of another shape than the wealth, or NaN among them.
        """
        step = as_floats(le)
        if step.shape != self._wealth.shape:
            raise ValueError(
                f"increments have shape {step.shape}; this process holds {self._wealth.shape}"
            )
        refuse_nan(step)
        self._wealth = self._wealth + step
        self._highest = max(self._highest, self.log_e)
        return self.log_e

    @property
    def log_e(self) -> float:
        """Natural log of the present e-value."""
        return float(log_mean_exp(self._wealth, self._weights))

    @property
    def highest_log_e(self) -> float:
        """Natural log of the highest e-value so far, at least 0."""
        return self._highest

    @property
    def p_value(self) -> float:
        """Anytime-valid p-value, ``1 / highest e-value``."""
        return math.exp(-self._highest)

    def crossed(self, alpha: float) -> bool:
        """Whether the e-value has ever reached ``1 / alpha``; once true, it stays true."""
        return self._highest >= log_threshold(alpha)

    def state(self) -> list[float]:
        """Everything `restore` needs: the log-wealth of each bet, then the highest log e."""
        return [*self._wealth.tolist(), self._highest]

    @classmethod
    def restore(cls, state: Sequence[float], weights: FloatArray | None = None) -> Self:
        """Continue from a `state`, with the weights of before.

        Raises
        ------
        ValueError
            The state is too short to be one.
        """
        if len(state) < 2:
            raise ValueError(f"an e-process state needs at least 2 numbers, got {len(state)}")
        process = cls(bets=len(state) - 1, weights=weights)
        process._wealth = as_floats(state[:-1]).copy()
        process._highest = float(state[-1])
        return process


def refuse_nan(le: FloatArray) -> None:
    """Refuse increments that would poison the wealth for good.

    Raises
    ------
    ValueError
        A NaN, as from a mean of no events.

    Examples
    --------
    >>> refuse_nan(np.zeros(3))
    """
    if np.isnan(le).any():
        raise ValueError("increments hold NaN; skip a window whose sums or limit are unknown")


def log_threshold(alpha: float) -> float:
    """Log e-value at which a test of level `alpha` rejects.

    Raises
    ------
    ConfigurationError
        `alpha` outside (0, 1].

    Examples
    --------
    >>> round(log_threshold(0.05), 6)
    2.995732
    """
    if not 0.0 < alpha <= 1.0:
        raise ConfigurationError(f"alpha is {alpha:g}; it must lie above 0 and at most at 1")
    return -math.log(alpha)
