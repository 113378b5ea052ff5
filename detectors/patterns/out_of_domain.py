"""Out of domain: the share of rows unlike anything in the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import BoolArray, FloatArray, IntArray, as_floats
from detectors.sequential.band import Band, BandTest
from schemas.errors import ConfigurationError
from schemas.reference import ReferenceProfile

FLOOR = 0.001
"""Smallest budget: a reference of thousands of rows cannot promise less."""


def outside(
    numeric: FloatArray, low: FloatArray, high: FloatArray, unseen: BoolArray | None = None
) -> BoolArray:
    """Which rows lie outside the reference's support in any feature.

    Parameters
    ----------
    numeric
        Numeric features, shape (n, F); NaN is a missing value and lies nowhere.
    low, high
        Smallest and largest value of each in the reference, shape (F,).
    unseen
        Where a categorical feature has a value that the reference does not know, shape (n, G).

    Returns
    -------
    Shape (n,).

    Examples
    --------
    >>> values = as_floats([[0.5, 9.0], [0.5, 2.0]])
    >>> outside(values, as_floats([0.0, 0.0]), as_floats([1.0, 5.0])).tolist()
    [True, False]
    """
    far = ((numeric < low) | (numeric > high)).any(axis=1)
    return np.asarray(far if unseen is None else far | unseen.any(axis=1), dtype=np.bool_)


def singletons(numeric: FloatArray, codes: IntArray | None = None) -> int:
    """Reference rows that would lie outside the support of all the others.

    Parameters
    ----------
    numeric
        Numeric features of the reference, shape (m, F); F may be 0.
    codes
        Categorical features as non-negative codes, shape (m, G); a negative code is missing.

    Examples
    --------
    Rows 0 and 3 hold a unique extreme, row 1 the only category 7:

    >>> numbers = as_floats([[1.0], [2.0], [3.0], [4.0]])
    >>> singletons(numbers, np.array([[5], [7], [5], [5]]))
    3
    """
    alone: NDArray[np.bool_] = np.zeros(numeric.shape[0], dtype=np.bool_)
    for column in numeric.T:
        for end in (np.fmin.reduce(column), np.fmax.reduce(column)):
            at_end = column == end
            if at_end.sum() == 1:
                alone |= at_end
    for column in () if codes is None else codes.T:
        known = np.where(column < 0, 0, column)
        alone |= (np.bincount(known)[known] == 1) & (column >= 0)
    return int(alone.sum())


def limit(singles: int, m: int) -> float:
    """Budget for the share of rows outside, from the reference alone.

    Good and Turing: the mass outside the support of a sample is about its share of singletons.
    The budget is twice that, with one more singleton for safety. Over references, the true mass
    exceeds it in 1.7 % of cases with one numeric feature and in 0.2 % with five.

    Parameters
    ----------
    singles, m
        Singletons (see `singletons`) and rows of the reference.

    Raises
    ------
    ConfigurationError
        A budget that reaches 1: the reference has no support to speak of.

    Examples
    --------
    >>> limit(9, 10_000)
    0.002
    >>> limit(0, 10_000)
    0.001

    References
    ----------
    .. [1] Good, The population frequencies of species and the estimation of population
       parameters, Biometrika 40, 1953.
    .. [2] McAllester, Schapire, On the convergence rate of Good-Turing estimators, COLT 2000.
    """
    if not 0 <= singles <= m or m < 1:
        raise ConfigurationError(f"{singles} singletons of {m} reference rows cannot be")
    budget = max(FLOOR, 2.0 * (singles + 1) / m)
    if not budget < 1.0:
        raise ConfigurationError(
            f"{singles} of {m} reference rows are unlike all others, so any new row may be; "
            "use a larger reference, or fewer or coarser features"
        )
    return budget


def unseen_share(profile: ReferenceProfile, dispersion: float = 1.0) -> float:
    """`limit` from a profile, which keeps no rows: as many singletons as it leaves possible.

    Those are two ends of each numeric feature, and every category that was seen once. At most 1.

    Parameters
    ----------
    dispersion
        So many rows of the reference are worth one independent row.

    Examples
    --------
    >>> from schemas.profiling import build
    >>> unseen_share(build("m", {"amount": range(1_000)}))
    0.006
    """
    rare = sum(kind.counts[:-1].count(1) for kind in profile.categorical.values())
    rows = profile.n / dispersion
    singles = min(2 * len(profile.numeric) + rare, rows)
    return min(max(FLOOR, 2.0 * (singles + 1) / max(rows, 1.0)), 1.0)


def out_of_domain_test(singles: int, m: int) -> BandTest:
    """Test of one rate, rows outside among rows, against `limit`.

    Raises
    ------
    ConfigurationError
        See `limit`.

    Examples
    --------
    >>> from detectors.sequential.band import Rates
    >>> test = out_of_domain_test(9, 10_000)
    >>> [test.update(Rates(n=as_floats([500]), s=as_floats([s])), share=1e-3) for s in (1, 12)]
    [False, True]
    """
    return BandTest(Band(low=as_floats([0.0]), high=as_floats([limit(singles, m)])))
