"""Interval for the difference canary less baseline that holds at all times at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.bets import two_sample
from detectors.bets.grid import K, log_mean_exp
from detectors.sequential.confidence_sequence import Interval, ends
from detectors.sequential.e_process import log_threshold
from schemas.errors import ConfigurationError

_GRID = 201
_WIDEST = 0.99


def margins(points: int = _GRID) -> FloatArray:
    """Candidate differences from -0.99 to 0.99, dense near 0.

    Examples
    --------
    >>> [round(float(d), 3) for d in margins(5)]
    [-0.99, -0.124, 0.0, 0.124, 0.99]
    """
    if points < 3 or points % 2 == 0:
        raise ConfigurationError(f"grid is {points}; use an odd number of at least 3 points")
    return as_floats(_WIDEST * np.linspace(-1.0, 1.0, points) ** 3)


class DifferenceSequence:
    """Interval for ``mean_c - mean_b`` that covers it at every look, with chance 1 - alpha.

    The set of margins that neither the bet on harm nor the bet on benefit has rejected, window
    by window as in `detectors.bets.two_sample`, so levels and splits may move. The difference is
    taken to be one and the same throughout. Ends are rounded outwards to the grid.

    Parameters
    ----------
    grid
        Points of the grid of differences, odd.

    Examples
    --------
    >>> sequence = DifferenceSequence()
    >>> for _ in range(10):
    ...     sequence.update(n_c=500, k_c=50, n_b=2_000, k_b=100, b0=0.05)
    >>> low, high = sequence.interval(alpha=0.05)
    >>> 0.02 < low < 0.05 < high < 0.08
    True
    """

    def __init__(self, grid: int = _GRID) -> None:
        self._margins = margins(grid)
        self._harm: FloatArray = np.zeros((grid, K))
        self._benefit: FloatArray = np.zeros((grid, K))

    def update(self, *, n_c: float, k_c: float, n_b: float, k_b: float, b0: float) -> None:
        """Add a window of a yes/no metric; `b0` is the baseline's rate in earlier windows."""
        for wealth, side in self._sides():
            wealth += two_sample.increments_binary(
                n_c=n_c, k_c=k_c, n_b=n_b, k_b=k_b, b0=b0, d=self._margins, side=side
            )

    def update_bounded(
        self,
        *,
        n_c: float,
        s_c: float,
        q_c: float,
        n_b: float,
        s_b: float,
        q_b: float,
        b0: float,
    ) -> None:
        """Add a window of a loss in [0, 1]; `b0` is the baseline's mean in earlier windows."""
        for wealth, side in self._sides():
            wealth += two_sample.increments_bounded(
                n_c=n_c,
                s_c=s_c,
                q_c=q_c,
                n_b=n_b,
                s_b=s_b,
                q_b=q_b,
                b0=b0,
                d=self._margins,
                side=side,
            )

    def _sides(self) -> tuple[tuple[FloatArray, two_sample.Direction], ...]:
        return ((self._harm, "harm"), (self._benefit, "benefit"))

    def interval(self, alpha: float) -> Interval:
        """Interval at level 1 - alpha; (-1, 1) before any evidence."""
        needed = log_threshold(alpha / 2.0)
        return ends(
            self._margins,
            log_mean_exp(self._harm) >= needed,
            log_mean_exp(self._benefit) >= needed,
            range_=Interval(-1.0, 1.0),
        )

    def state(self) -> list[float]:
        """Everything `restore` needs: 2 K numbers for each point of the grid."""
        return [*self._harm.ravel().tolist(), *self._benefit.ravel().tolist()]

    @classmethod
    def restore(cls, state: Sequence[float]) -> Self:
        """Continue from a `state`."""
        harm, benefit = as_floats(state).reshape(2, -1, K)
        sequence = cls(grid=len(harm))
        sequence._harm, sequence._benefit = harm.copy(), benefit.copy()
        return sequence
