"""Rate of positives where only positives are ever reported, as with fraud or returns."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.intervals import wilson
from detectors.metrics.estimate import Estimate


def reported_by(complete: ArrayLike, seen: ArrayLike) -> FloatArray:
    """Share of the positives that have been reported, by age of the cohort.

    Parameters
    ----------
    complete
        Share of **all** predictions reported by the end of each delay bucket, shape (D,), from
        `detectors.estimation.completeness`. Its last known value stands for every positive that
        will ever be reported, so the buckets must reach far enough.
    seen
        Delay buckets that each cohort has seen to their end, shape (C,).

    Returns
    -------
    Shape (C,), 0 for a cohort that has seen none; NaN where nothing was ever reported.

    Raises
    ------
    ValueError
        A cohort that has seen more buckets than there are.

    Examples
    --------
    Of the 5 % that are fraud, three fifths are reported within the first bucket:

    >>> reported_by([0.03, 0.045, 0.05], seen=[0, 1, 3]).round(6).tolist()
    [0.0, 0.6, 1.0]
    """
    share = as_floats(complete)
    ages = np.asarray(seen, dtype=np.int64)
    if np.any((ages < 0) | (ages > share.size)):
        raise ValueError(f"seen is {ages.max()} buckets; there are {share.size}")
    known = share[~np.isnan(share)]
    final = known[-1] if known.size and known[-1] > 0.0 else np.nan
    # A bucket that no cohort has seen yet adds nothing that is known: take the last known value.
    curve = np.concatenate([[0.0], np.where(np.isnan(share), final, share) / final])
    return as_floats(curve[ages])


def positive_rate(
    positives: ArrayLike, n: ArrayLike, reported: ArrayLike, alpha: float = 0.05
) -> Estimate:
    """Rate of positives among the predictions of cohorts of any ages.

    A cohort counts with the predictions whose positives would be known by now. Counting all of
    them would call every young cohort a good one.

    Parameters
    ----------
    positives, n
        Positives reported so far within the buckets seen, and predictions, of each cohort,
        shape (..., C).
    reported
        Share of positives reported by each cohort's age, shape (..., C), see `reported_by`.
    alpha
        One less the nominal coverage.

    Returns
    -------
    The rate with Wilson's interval, shape (...), for a delay curve taken as known; NaN where
    no positive can be known yet.

    Examples
    --------
    >>> number = positive_rate([50, 30], [1_000, 1_000], [1.0, 0.6])
    >>> [round(float(x), 4) for x in number]
    [0.05, 0.0404, 0.0618]

    References
    ----------
    .. [1] Lawless, Adjustments for reporting delays and the prediction of occurred but not
       reported events, Canadian Journal of Statistics 22, 1994.
    """
    exposed = np.sum(as_floats(n) * as_floats(reported), axis=-1)
    found = np.sum(np.where(as_floats(reported) > 0.0, as_floats(positives), 0.0), axis=-1)
    # A tiny sample can show more positives than it was expected to expose: stop at a rate of 1.
    exposed = np.maximum(exposed, np.where(exposed > 0.0, found, exposed))
    low, high = wilson(found, exposed, alpha)
    rate = found / np.where(exposed > 0.0, exposed, np.nan)
    return Estimate(as_floats(rate), low, high)
