"""Tempering: bets on events that are not independent of each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, FloatArray, as_floats
from detectors.bets.contract import Bet, Sums, require_finite
from schemas.errors import ConfigurationError

_ONE_SIDED = 2.33


@dataclass(frozen=True, slots=True)
class TemperedBet(Generic[Sums]):
    """A bet whose increments are divided by `g`.

    Exact for every bet and for clusters of at most `g` events (a user, a session, a batch) that
    each lie in one window, whatever the dependence inside a cluster: its factor becomes the
    geometric mean of `g` factors, those of its members and ones, and that is at most their
    arithmetic mean. With a `g` estimated by `design_effect` or `dispersion` the promise is
    approximate, and a cluster that goes on over several windows must be capped at `g` in all.

    Parameters
    ----------
    bet
        The bet on independent events.
    g
        Largest size of a cluster, or the estimated effect; finite and at least 1.

    Examples
    --------
    Two hundred events that are forty users with five equal outcomes each:

    >>> from detectors.bets.grid import log_mean_exp
    >>> from detectors.bets.kinds import BinaryBet, BinarySums
    >>> bet, sums = BinaryBet(m=0.05), BinarySums(n=200, s=25)
    >>> round(float(log_mean_exp(bet.increments(sums))), 2)
    6.14
    >>> round(float(log_mean_exp(TemperedBet(bet, g=5).increments(sums))), 2)
    0.61
    """

    bet: Bet[Sums]
    g: float

    def __post_init__(self) -> None:
        if not 1.0 <= self.g < np.inf:
            raise ConfigurationError(
                f"g is {self.g:g}; the size of a cluster must be finite and at least 1"
            )

    @property
    def bets(self) -> int:
        """As many as the bet has."""
        return self.bet.bets

    def increments(self, sums: Sums) -> FloatArray:
        """Those of the bet over `g`, shape (..., K)."""
        return as_floats(self.bet.increments(sums) / self.g)


def design_effect(
    *, n: ArrayLike, s: ArrayLike, q: ArrayLike | None = None, slot: ArrayLike | None = None
) -> float:
    """How much more the means of reference windows vary than those of independent events.

    ``Var(window mean) n / Var(event)``, pooled over windows of any size, at least 1 and at most
    the mean size of a window (the case of one observation a window).

    Parameters
    ----------
    n, s
        Events and sum of each reference window, shape (W,); empty windows are left out.
    q
        Sum of squares, shape (W,); None for yes/no events.
    slot
        Slot of each window, such as its hour of the week, shape (W,): windows are then compared
        with the others of their slot, so that a season is not taken for dependence.

    Raises
    ------
    ValueError
        Fewer than two windows more than slots, shapes that differ, or NaN.

    Examples
    --------
    >>> design_effect(n=[200, 200, 200, 200], s=[10, 9, 11, 10])
    1.0
    >>> round(design_effect(n=[200, 200, 200, 200], s=[2, 20, 1, 17]), 2)
    10.32

    References
    ----------
    .. [1] Kish, Survey Sampling, Wiley, 1965.
    """
    columns = [as_floats(n), as_floats(s), as_floats(s if q is None else q), _slots(slot, n)]
    count, total, squares, group = _kept(columns, where=as_floats(n) > 0.0)
    size, number = _by_slot(count, group), len(np.unique(group))
    mean = _by_slot(total, group) / size
    spread = _by_slot(squares, group) / size - mean**2
    squared = (total - count * mean) ** 2
    effect = _ratio(squared, count * spread, freedom=count.size - number)
    return float(np.clip(effect, 1.0, max(count.mean(), 1.0)))


def local_design_effect(
    *, n: ArrayLike, s: ArrayLike, q: ArrayLike | None = None, slot: ArrayLike | None = None
) -> float:
    """`design_effect` of what scatters from one window to the next, if it is more than chance.

    From the differences of windows that follow each other, so a level that moves slowly, or once,
    does not count: bets need the rate of a window to be within the limit given the past, not to
    stand still. An effect within chance (1 %, one-sided) is 1: dividing good evidence by noise
    costs delay and buys nothing.

    Parameters
    ----------
    n, s, q, slot
        As in `design_effect`, windows in order of time.

    Raises
    ------
    ValueError
        As in `design_effect`.

    Examples
    --------
    A step from .05 to .20 is no scatter:

    >>> s = [10, 9, 11, 10, 12, 9] * 3 + [40, 41, 38, 39, 42, 40] * 3
    >>> local_design_effect(n=[200] * 36, s=s)
    1.0
    >>> round(design_effect(n=[200] * 36, s=s), 1)
    10.5

    References
    ----------
    .. [1] Von Neumann, Distribution of the ratio of the mean square successive difference to the
       variance, Annals of Mathematical Statistics 12, 1941.
    """
    columns = [as_floats(n), as_floats(s), as_floats(s if q is None else q), _slots(slot, n)]
    count, total, squares, group = _kept(columns, where=as_floats(n) > 0.0)
    size, number = _by_slot(count, group), len(np.unique(group))
    mean = _by_slot(total, group) / size
    spread = _by_slot(squares, group) / size - mean**2
    off = total / count - mean
    squared = (off[1:] - off[:-1]) ** 2
    expected = spread[1:] / count[1:] + spread[:-1] / count[:-1]
    free = (count.size - number) / count.size
    effect = _ratio(squared, expected, freedom=(count.size - 1) * free)
    if effect <= _within_chance(count.size * free):
        return 1.0
    return float(np.clip(effect, 1.0, max(count.mean(), 1.0)))


def _within_chance(windows: float) -> float:
    """What independent rows exceed once in a hundred: a chi-square over its degrees of freedom.

    Squared successive differences of n windows vary as 2 n / 3 independent ones would; the
    quantile is that of Wilson and Hilferty.
    """
    width = 2.0 / (9.0 * (2.0 * windows / 3.0))
    return (1.0 - width + _ONE_SIDED * math.sqrt(width)) ** 3


def dispersion(count: ArrayLike, *, slot: ArrayLike | None = None) -> float:
    """Variance over mean of the counts of reference windows, at least 1 as for Poisson counts.

    Parameters
    ----------
    count
        Events of each reference window, shape (W,).
    slot
        Slot of each window, shape (W,), as in `design_effect`.

    Raises
    ------
    ValueError
        Fewer than two windows more than slots, shapes that differ, or NaN.

    Examples
    --------
    >>> round(dispersion([50, 80, 20, 65, 35]), 2)
    11.25

    References
    ----------
    .. [1] McCullagh, Nelder, Generalized Linear Models, Chapman and Hall, 1989.
    """
    values, group = _kept([as_floats(count), _slots(slot, count)])
    mean = _by_slot(values, group) / _by_slot(np.ones_like(values), group)
    number = len(np.unique(group))
    return max(_ratio((values - mean) ** 2, mean, freedom=values.size - number), 1.0)


def _slots(slot: ArrayLike | None, like: ArrayLike) -> FloatArray:
    return np.zeros(as_floats(like).shape) if slot is None else as_floats(slot)


def _kept(columns: list[FloatArray], *, where: BoolArray | None = None) -> list[FloatArray]:
    """The columns of the windows that count, found to fit each other and to suffice."""
    shapes = {column.shape for column in columns}
    if len(shapes) > 1 or columns[0].ndim != 1:
        raise ValueError(f"reference windows have shapes {sorted(shapes)}; give each shape (W,)")
    for column in columns:
        require_finite("reference windows", column)
    kept = columns if where is None else [column[where] for column in columns]
    slots = len(np.unique(kept[-1]))
    if kept[0].size < slots + 2:
        raise ValueError(
            f"{kept[0].size} reference windows for {slots} slots; a variance needs two more "
            "windows than slots"
        )
    return kept


def _by_slot(values: FloatArray, group: FloatArray) -> FloatArray:
    """Sum over the windows of the same slot, at each window."""
    _, place = np.unique(group, return_inverse=True)
    return as_floats(np.bincount(place, weights=values)[place])


def _ratio(squared: FloatArray, expected: FloatArray, *, freedom: float) -> float:
    """Pearson's statistic over its degrees of freedom; windows that cannot vary add nothing."""
    varies = expected > 0.0
    parts = np.where(varies, squared, 0.0) / np.where(varies, expected, 1.0)
    return float(parts.sum()) / freedom
