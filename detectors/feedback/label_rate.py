"""Label rate: do labels come as often as they should, by cohort and by hour of arrival?"""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets import poisson
from detectors.bets.poisson import DROPS, RISES
from detectors.sequential.band import BandTest, around, require_tolerance

ARRIVAL_BETS = RISES.size + DROPS.size
"""Length of `arrival_increments`, for `detectors.sequential.e_sr.BudgetedESR`."""


def coverage_test(labelled: int, predictions: int, *, tolerance: float = 0.05) -> BandTest:
    """Two-sided test of the share of predictions that have a label at maturity.

    Feed it one rate: labelled among all predictions of a cohort that has reached the age at which
    the reference was counted. A younger cohort has fewer labels by nature.

    Parameters
    ----------
    labelled, predictions
        Of the reference, at the same age.
    tolerance
        Change of the share that does not matter, in [0, 1).

    Raises
    ------
    ConfigurationError
        No predictions in the reference, or `tolerance` outside [0, 1).

    Examples
    --------
    >>> from detectors.sequential.band import Rates
    >>> test = coverage_test(9_000, 10_000)
    >>> cohorts = [Rates(n=as_floats([200]), s=as_floats([s])) for s in (181, 140)]
    >>> [test.update(cohort, share=0.001) for cohort in cohorts]
    [False, True]
    >>> test.leading
    (0, 'below')
    """
    return BandTest(around([labelled], [predictions], tolerance=tolerance))


def arrival_increments(
    *, count: ArrayLike, mu: ArrayLike, dispersion: float = 1.0, tolerance: float = 0.0
) -> FloatArray:
    """Log-wealth of bets that labels flood in, and that they dry up, in an hour of arrival.

    Null hypothesis: the expected count lies within `tolerance` of `mu`, as a share of it. An hour
    with no label at all counts, and is the strongest sign of a drop: do not skip it.

    Parameters
    ----------
    count, mu
        Labels that arrived and labels expected in the window, shape (...); `mu` above 0 and fixed
        before, as from the same hour of the week.
    dispersion
        Variance over mean of reference windows, at least 1. Labels come in batches, so this is
        seldom 1.
    tolerance
        Change of the rate that does not matter, in [0, 1).

    Returns
    -------
    Shape (..., 15): nine bets on a rise, six on a drop.

    Raises
    ------
    ConfigurationError
        `mu` not above 0, or `dispersion` below 1, or `tolerance` outside [0, 1).

    Examples
    --------
    >>> from detectors.sequential.e_sr import BudgetedESR
    >>> detector = BudgetedESR(bets=ARRIVAL_BETS)
    >>> hours = [arrival_increments(count=c, mu=50.0) for c in (47, 55, 12)]
    >>> [detector.update(le, share=0.001) for le in hours]
    [False, False, True]

    References
    ----------
    .. [1] Shin, Ramdas, Rinaldo, E-detectors: a nonparametric framework for sequential change
       detection, New England Journal of Statistics in Data Science, 2023.
    """
    require_tolerance(tolerance)
    expected = as_floats(mu)
    rise = poisson.increments(
        count=count, mu=expected * (1.0 + tolerance), dispersion=dispersion, side="above"
    )
    drop = poisson.increments(
        count=count, mu=expected * (1.0 - tolerance), dispersion=dispersion, side="below"
    )
    return as_floats(np.concatenate([rise, drop], axis=-1))
