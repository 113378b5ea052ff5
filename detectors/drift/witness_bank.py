"""Many TV-witness tests with as many bins, stepped together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import BoolArray, FloatArray, as_floats
from detectors.bets import binary
from detectors.bets.grid import log_mean_exp
from detectors.sequential.e_sr import step


class Witnesses(NamedTuple):
    """What N tests of B bins remember: histograms so far (N, B), log-wealth (N, K)."""

    ewma: FloatArray
    wealth: FloatArray


class Bets(NamedTuple):
    """A window of N tests: which of them bet, which alarm, and the log-wealth after it, (N,)."""

    made: BoolArray
    alarm: BoolArray
    log_m: FloatArray


def update(
    known: Witnesses,
    counts: FloatArray,
    *,
    shares: FloatArray,
    allowance: FloatArray,
    decay: FloatArray,
    log_share: FloatArray,
) -> tuple[Witnesses, Bets]:
    """`detectors.drift.witness.WitnessTest.update` of N tests at once, bit for bit.

    Parameters
    ----------
    counts
        Windows, none of them empty, shape (N, B).
    shares
        Of each bin in the reference, shape (N, B).
    allowance
        What is tolerated, the reference's own error included, shape (N,).
    decay
        Weight of the past, shape (N,).
    log_share
        Natural log of the shares of the budget, shape (N,).

    Examples
    --------
    >>> even, window = np.full((1, 2), 0.5), np.array([[150.0, 50.0]])
    >>> known = Witnesses(np.zeros((1, 2)), np.full((1, 12), -np.inf))
    >>> settings = {"shares": even, "allowance": np.array([0.05]), "decay": np.array([0.8])}
    >>> for _ in range(3):
    ...     known, found = update(known, window, **settings, log_share=np.array([-7.0]))
    >>> found.made.tolist(), found.alarm.tolist()
    ([True], [True])
    """
    total = known.ewma.sum(axis=-1)
    witness = known.ewma > total[:, None] * shares
    bound = _sum_where(shares, witness) + allowance
    made: BoolArray = witness.any(axis=-1) & (bound < 1.0)
    wealth, rows = known.wealth.copy(), np.flatnonzero(made)
    if rows.size:
        n, s = counts[rows].sum(axis=-1), _sum_where(counts[rows], witness[rows])
        le = binary.increments(n=n, s=s, m=bound[rows])
        wealth[rows] = step(wealth[rows], le, log_share=log_share[rows, None])
    log_m = log_mean_exp(wealth)
    after = Witnesses(as_floats(decay[:, None] * known.ewma + counts), wealth)
    return after, Bets(made, np.asarray(made & (log_m >= 0.0), dtype=np.bool_), log_m)


def _sum_where(values: FloatArray, chosen: BoolArray) -> FloatArray:
    """Sum of the chosen entries of each row; in the order in which a row alone would be summed."""
    flat, counts = values[chosen], chosen.sum(axis=-1)
    starts, sums = np.cumsum(counts) - counts, np.zeros(len(values))
    for count in np.flatnonzero(np.bincount(counts)).tolist():
        rows = np.flatnonzero(counts == count)
        sums[rows] = flat[starts[rows, None] + np.arange(count)].sum(axis=-1)
    return sums
