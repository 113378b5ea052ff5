"""Confidence sequences: intervals for a mean that hold at all times at once.

An interval is the set of means that a bet has not rejected. The bets here have sizes fixed for
all time, so their wealth depends on the total sums only, and the whole state is two or three
numbers, which add over windows in any order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.bets import binary
from detectors.bets.grid import log_mean_exp, psi
from detectors.sequential.e_process import log_threshold
from schemas.errors import ConfigurationError

_GRID = 1_000
_LADDER: FloatArray = 2.0 ** np.arange(-10, 8, dtype=np.float64)


class Interval(NamedTuple):
    """A lower and an upper end; the whole range where nothing is known yet."""

    low: float
    high: float


def prefix_end(rejected: Sequence[bool] | np.typing.NDArray[np.bool_]) -> int:
    """Length of the run of rejections at the start.

    Reading an end off the first point that is *not* rejected keeps the error at that of one
    single test, also where wealth is not monotone in the mean.

    Examples
    --------
    >>> prefix_end([True, True, False, True])
    2
    """
    flags = np.asarray(rejected, dtype=np.bool_)
    return int(flags.size if flags.all() else np.argmin(flags))


class BinaryConfidenceSequence:
    """Interval for a rate that covers it at every look at once, with probability 1 - alpha.

    The rate is taken to be one and the same throughout; for a level that moves, compare with a
    baseline beside it (`detectors.canary`).

    Parameters
    ----------
    grid
        Points of the grid of rates; the ends are rounded outwards to it.

    Examples
    --------
    >>> sequence = BinaryConfidenceSequence()
    >>> for bad in (9, 11, 10):
    ...     sequence.update(n=200, s=bad)
    >>> low, high = sequence.interval(alpha=0.05)
    >>> 0.02 < low < 0.05 < high < 0.10
    True

    References
    ----------
    .. [1] Waudby-Smith, Ramdas, Estimating means of bounded random variables by betting,
       JRSS-B 86, 2024.
    """

    def __init__(self, grid: int = _GRID) -> None:
        self._points = arcsine_grid(grid)
        self._n = 0.0
        self._s = 0.0

    def update(self, *, n: float, s: float) -> None:
        """Add `n` events, `s` of them "yes"."""
        self._n += n
        self._s += s

    def interval(self, alpha: float) -> Interval:
        """Interval at level 1 - alpha; (0, 1) before any event."""
        needed = log_threshold(alpha / 2.0)
        above = binary.increments(n=self._n, s=self._s, m=self._points, side="above")
        below = binary.increments(n=self._n, s=self._s, m=self._points, side="below")
        return ends(
            self._points,
            log_mean_exp(above) >= needed,
            log_mean_exp(below) >= needed,
            range_=Interval(0.0, 1.0),
        )

    def state(self) -> list[float]:
        """The totals n and s."""
        return [self._n, self._s]

    @classmethod
    def restore(cls, state: Sequence[float], grid: int = _GRID) -> Self:
        """Continue from a `state`."""
        sequence = cls(grid)
        sequence._n, sequence._s = float(state[0]), float(state[1])
        return sequence


class BoundedConfidenceSequence:
    """Interval for the mean of a quantity in [lo, hi], at every look at once.

    Parameters
    ----------
    lo, hi
        True bounds of a single value.
    grid
        Points of the grid of means; the ends are rounded outwards to it.

    Examples
    --------
    >>> sequence = BoundedConfidenceSequence()
    >>> sequence.update(n=2_000, s=300.0, q=110.0)
    >>> low, high = sequence.interval(alpha=0.05)
    >>> 0.12 < low < 0.15 < high < 0.18
    True
    """

    def __init__(self, lo: float = 0.0, hi: float = 1.0, grid: int = _GRID) -> None:
        if not (math.isfinite(lo) and math.isfinite(hi) and lo < hi):
            raise ConfigurationError(f"the range [{lo:g}, {hi:g}] is empty; lo must be below hi")
        self._range = Interval(lo, hi)
        self._points = arcsine_grid(grid)
        self._n = 0.0
        self._s = 0.0
        self._q = 0.0

    def update(self, *, n: float, s: float, q: float) -> None:
        """Add `n` values with sum `s` and sum of squares `q`."""
        self._n += n
        self._s += s
        self._q += q

    def interval(self, alpha: float) -> Interval:
        """Interval at level 1 - alpha; (lo, hi) before any value."""
        needed = log_threshold(alpha / 2.0)
        lo, hi = self._range
        span = hi - lo
        total = (self._s - self._n * lo) / span
        squares = (self._q - 2.0 * lo * self._s + self._n * lo * lo) / (span * span)
        means = self._points
        gain = total - self._n * means
        spread = squares - 2.0 * means * total + self._n * means**2
        return ends(
            lo + span * means,
            _ladder_wealth(gain, spread, means) >= needed,
            _ladder_wealth(-gain, spread, 1.0 - means) >= needed,
            range_=self._range,
        )

    def state(self) -> list[float]:
        """The totals n, s and q."""
        return [self._n, self._s, self._q]

    @classmethod
    def restore(
        cls, state: Sequence[float], lo: float = 0.0, hi: float = 1.0, grid: int = _GRID
    ) -> Self:
        """Continue from a `state` over the same range."""
        sequence = cls(lo, hi, grid)
        sequence._n, sequence._s, sequence._q = (float(x) for x in state)
        return sequence


def _ladder_wealth(gain: FloatArray, spread: FloatArray, room: FloatArray) -> FloatArray:
    """Log mean wealth over bets of the same sizes at every mean.

    Sizes relative to the room, as in `detectors.bets.bounded`, would bet badly on means close
    to the bound and leave them in the interval. A size too large for its room counts as lost.
    """
    sizes = _LADDER * room[:, None]
    affordable = sizes <= 0.5
    safe = np.where(affordable, sizes, 0.5)
    wealth = safe * (gain / room)[:, None] - psi(safe) * (spread / room**2)[:, None]
    return log_mean_exp(np.where(affordable, wealth, -np.inf))


def arcsine_grid(points: int) -> FloatArray:
    """Points inside (0, 1), denser near both ends, where a rate's interval is short.

    Examples
    --------
    >>> [round(float(x), 3) for x in arcsine_grid(3)]
    [0.146, 0.5, 0.854]
    """
    if points < 3:
        raise ConfigurationError(f"grid is {points}; use at least 3 points")
    steps = np.arange(1, points + 1, dtype=np.float64) / (points + 1)
    return as_floats(np.sin(0.5 * np.pi * steps) ** 2)


def ends(
    points: FloatArray,
    above: np.typing.NDArray[np.bool_],
    below: np.typing.NDArray[np.bool_],
    *,
    range_: Interval,
) -> Interval:
    """Read the interval off the rejections along increasing `points`.

    Parameters
    ----------
    points
        Candidate means, increasing, shape (G,).
    above, below
        Where *mean <= point*, and where *mean >= point*, is rejected, shape (G,).
    range_
        The ends when nothing is rejected.

    Examples
    --------
    >>> flags = np.array([True, False, False])
    >>> ends(np.array([0.2, 0.5, 0.8]), flags, flags[::-1], range_=Interval(0.0, 1.0))
    Interval(low=0.2, high=0.8)
    """
    lows, highs = prefix_end(above), prefix_end(below[::-1])
    low = float(points[lows - 1]) if lows else range_.low
    high = float(points[-highs]) if highs else range_.high
    return Interval(low, high)
