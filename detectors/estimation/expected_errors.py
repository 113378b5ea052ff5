"""Errors that scores let expect, as sums that a bet on their level can use."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.distributions import normal_ppf
from detectors.estimation.score_map import ScoreMap, cells
from detectors.metrics.confusion import divide


class ExpectedErrors(NamedTuple):
    """Number of rows, sum of their chances of a wrong decision, and sum of squares; shape (...)."""

    n: FloatArray
    s: FloatArray
    q: FloatArray


def expected_errors(n: ArrayLike, n1: ArrayLike, score_map: ScoreMap) -> ExpectedErrors:
    """What `detectors.bets.bounded` needs to bet on the error rate before labels come.

    Each row counts with the chance that its decision is wrong, by decision and score bin.

    Parameters
    ----------
    n, n1
        Rows, and rows with a positive decision, of each score bin, shape (..., B).
    score_map
        Shares of positives of the same bins.

    Raises
    ------
    ValueError
        Counts that contradict each other or do not fit the map.

    Examples
    --------
    >>> found = expected_errors([100, 100], [0, 100], ScoreMap.known([0.1, 0.8]))
    >>> [round(float(x), 6) for x in found]
    [200.0, 30.0, 5.0]
    """
    rows = fitting(cells(n, n1), score_map)
    chance = np.stack([score_map.rate[..., 0, :], 1.0 - score_map.rate[..., 1, :]], axis=-2)
    return ExpectedErrors(
        n=as_floats(rows.sum(axis=(-2, -1))),
        s=as_floats(np.sum(rows * chance, axis=(-2, -1))),
        q=as_floats(np.sum(rows * chance**2, axis=(-2, -1))),
    )


def allowance(n: ArrayLike, n1: ArrayLike, score_map: ScoreMap, *, alpha: float) -> FloatArray:
    """By how much the sampling error of the map may raise the expected error rate.

    Parameters
    ----------
    n, n1, score_map
        As above.
    alpha
        Chance that it raises it by more, for each mix of scores and decisions.

    Returns
    -------
    Shape (...); NaN for an empty window.

    Examples
    --------
    >>> score_map = ScoreMap.learn([1_000, 1_000], [100, 900])
    >>> round(float(allowance([500, 500], [0, 500], score_map, alpha=0.01)), 4)
    0.0156
    """
    rows = fitting(cells(n, n1), score_map)
    share = divide(rows, rows.sum(axis=(-2, -1), keepdims=True))
    slope = np.stack([share[..., 0, :], -share[..., 1, :]], axis=-2)
    return as_floats(normal_ppf(1.0 - alpha) * np.sqrt(score_map.noise(slope)))


def fitting(rows: FloatArray, score_map: ScoreMap) -> FloatArray:
    """The rows, shape (..., 2, B), of as many score bins as the map has.

    Raises
    ------
    ValueError
        Another number of bins.
    """
    if rows.shape[-1] != score_map.rate.shape[-1]:
        raise ValueError(
            f"the window has {rows.shape[-1]} score bins and the map {score_map.rate.shape[-1]}"
        )
    return rows
