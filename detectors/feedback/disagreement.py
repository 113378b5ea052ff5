"""Disagreement: how often do two reviewers of one case not say the same?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.grid import require_open
from detectors.intervals import wilson
from detectors.sequential.band import Band, BandTest


class Disagreement(NamedTuple):
    """Rate of disagreement with its interval, and Cohen's kappa; NaN where nothing is known."""

    rate: FloatArray
    low: FloatArray
    high: FloatArray
    kappa: FloatArray


def disagreement(table: ArrayLike, alpha: float = 0.05) -> Disagreement:
    """Describe a table of cases that two reviewers judged.

    Kappa is 1 for full agreement and 0 for what two reviewers would reach who guess at their own
    rates. Tables of two windows add.

    Parameters
    ----------
    table
        Cases by first and second opinion, shape (..., C, C).
    alpha
        One less the nominal coverage of the interval.

    Raises
    ------
    ValueError
        A table that is not square.

    Examples
    --------
    >>> found = disagreement([[20, 5], [10, 15]])
    >>> float(found.rate), round(float(found.kappa), 6)
    (0.3, 0.4)
    >>> round(float(found.low), 4), round(float(found.high), 4)
    (0.191, 0.4375)

    References
    ----------
    .. [1] Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
       Measurement 20, 1960.
    """
    cases = as_floats(table)
    if cases.ndim < 2 or cases.shape[-1] != cases.shape[-2]:
        raise ValueError(f"the table has shape {cases.shape}; give as many rows as columns")
    n = cases.sum(axis=(-2, -1))
    known = np.where(n > 0.0, n, np.nan)
    same = np.trace(cases, axis1=-2, axis2=-1)
    rate = (n - same) / known
    guessed = (cases.sum(axis=-1) * cases.sum(axis=-2)).sum(axis=-1) / known**2
    room = np.where(guessed < 1.0, 1.0 - guessed, np.nan)
    low, high = wilson(n - same, n, alpha)
    return Disagreement(as_floats(rate), low, high, as_floats((1.0 - rate - guessed) / room))


def disagreement_test(*, budget: float) -> BandTest:
    """Test whether reviewers disagree more often than `budget`.

    Feed it one rate: disagreements among cases that were judged twice. Cases must be picked for a
    second opinion without regard to the first, or the rate is that of the picked.

    Parameters
    ----------
    budget
        Highest acceptable rate, in (0, 1).

    Raises
    ------
    ConfigurationError
        `budget` outside (0, 1).

    Examples
    --------
    >>> from detectors.sequential.band import Rates
    >>> test = disagreement_test(budget=0.10)
    >>> windows = [Rates(n=as_floats([100]), s=as_floats([s])) for s in (8, 31)]
    >>> [test.update(window, share=0.001) for window in windows]
    [False, True]
    """
    require_open("budget", as_floats(budget), low=0.0, high=1.0)
    return BandTest(Band(low=as_floats([0.0]), high=as_floats([budget])))
