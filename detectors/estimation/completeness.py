"""How complete the labels of a cohort are by its age: the discrete Kaplan-Meier estimator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, IntArray, as_floats
from detectors.distributions import normal_ppf
from detectors.intervals import Ends
from schemas.errors import ConfigurationError


def seen_buckets(age_ms: ArrayLike, ends_ms: ArrayLike) -> IntArray:
    """Delay buckets that cohorts are old enough to have seen to their end.

    Parameters
    ----------
    age_ms
        Time from the last prediction of each cohort to now, shape (...).
    ends_ms
        Upper ends of the closed delay buckets, rising, shape (D - 1,) where the last of D
        buckets is open: it is never seen to its end.

    Returns
    -------
    Shape (...), from 0 to D - 1.

    Raises
    ------
    ConfigurationError
        Ends that do not rise.

    Examples
    --------
    >>> seen_buckets([500, 60_000, 10**9], [60_000, 300_000]).tolist()
    [0, 1, 2]
    """
    ends = as_floats(ends_ms)
    if ends.ndim != 1 or not np.all(np.diff(ends) > 0.0):
        raise ConfigurationError(f"ends {ends.tolist()} of delay buckets must rise")
    return np.searchsorted(ends, as_floats(age_ms), side="right").astype(np.int64)


@dataclass(frozen=True, slots=True)
class RiskSums:
    """What the estimator needs of any number of cohorts; sums of cohorts add.

    Examples
    --------
    Two cohorts of 100; the second is too young to have seen the second bucket:

    >>> sums = RiskSums.of(labels=[[40, 30], [50, 0]], n=[100, 100], seen=[2, 1])
    >>> sums.at_risk.tolist(), sums.events.tolist()
    ([200.0, 60.0], [90.0, 30.0])
    """

    at_risk: FloatArray
    """Predictions without a label at the start of each delay bucket, shape (D,)."""
    events: FloatArray
    """Labels that came in each bucket, shape (D,)."""

    @classmethod
    def of(cls, labels: ArrayLike, n: ArrayLike, seen: ArrayLike) -> Self:
        """Sums of cohorts, each counted in the buckets that it has seen to their end.

        A cohort counts again, in full, when it is older: keep one sum per age of cohorts, or
        sum up anew.

        Parameters
        ----------
        labels
            Labels by delay, shape (C, D), of one cohort of predictions in each row.
        n
            Predictions of each cohort, shape (C,).
        seen
            Buckets seen, shape (C,), see `seen_buckets`.

        Raises
        ------
        ValueError
            Shapes that do not fit, a negative count, or more labels than predictions.
        """
        counts, size, ages = as_floats(labels), as_floats(n), as_floats(seen)
        if counts.ndim != 2 or size.shape != counts.shape[:1] or ages.shape != size.shape:
            raise ValueError(
                f"labels {counts.shape}, n {size.shape} and seen {ages.shape} do not fit: need "
                "(C, D), (C,) and (C,)"
            )
        earlier = np.cumsum(counts, axis=1) - counts
        waiting = size[:, None] - earlier
        if not (np.all(counts >= 0.0) and np.all(waiting >= counts)):
            worst = int(np.argmin((waiting - counts).min(axis=1)))
            raise ValueError(
                f"cohort {worst} has {counts[worst].sum():g} labels for {size[worst]:g} "
                "predictions; counts must be at least 0 and at most the predictions"
            )
        old = np.arange(counts.shape[1]) < ages[:, None]
        return cls(
            at_risk=as_floats(np.sum(waiting * old, axis=0)),
            events=as_floats(np.sum(counts * old, axis=0)),
        )

    def __add__(self, other: RiskSums) -> RiskSums:
        """Sums of the cohorts of both."""
        return RiskSums(self.at_risk + other.at_risk, self.events + other.events)

    @property
    def hazard(self) -> FloatArray:
        """Chance that a label comes in a bucket if it has not come before; NaN where unseen."""
        return as_floats(self.events / np.where(self.at_risk > 0.0, self.at_risk, np.nan))


def completeness(sums: RiskSums) -> FloatArray:
    """Share of predictions that have their label by the end of each delay bucket.

    Unlike the share among all predictions so far, it is not biased by young cohorts. It may stay
    below 1: some labels never come.

    Parameters
    ----------
    sums
        Of cohorts of any ages.

    Returns
    -------
    Shape (D,), not falling; NaN from the first bucket that no cohort has seen.

    Examples
    --------
    >>> sums = RiskSums.of(labels=[[40, 30], [50, 0]], n=[100, 100], seen=[2, 1])
    >>> completeness(sums).round(4).tolist()
    [0.45, 0.725]

    References
    ----------
    .. [1] Kaplan, Meier, Nonparametric estimation from incomplete observations, JASA 53, 1958.
    """
    return as_floats(1.0 - np.cumprod(1.0 - _open_ended(sums)))


def interval(sums: RiskSums, alpha: float = 0.05) -> Ends:
    """Interval of the completeness: Greenwood's variance on the log of the log of the rest.

    Parameters
    ----------
    sums
        Of cohorts of any ages.
    alpha
        One less the nominal coverage, for one bucket.

    Returns
    -------
    Ends in [0, 1], each of shape (D,); NaN where no cohort has seen the bucket. Where the
    completeness is 0 or 1 the ends are equal to it.

    Examples
    --------
    >>> sums = RiskSums.of(labels=[[40, 30], [50, 0]], n=[100, 100], seen=[2, 1])
    >>> low, high = interval(sums)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.384, 0.646], [0.522, 0.799])

    References
    ----------
    .. [1] Kalbfleisch, Prentice, The Statistical Analysis of Failure Time Data, 2nd edition,
       2002, section 1.4.
    """
    hazard = _open_ended(sums)
    rest = 1.0 - completeness(sums)
    inside = (rest > 0.0) & (rest < 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(hazard / ((1.0 - hazard) * sums.at_risk))
        log_rest = np.log(np.where(inside, rest, 0.5))
        half = normal_ppf(1.0 - alpha / 2.0) * np.sqrt(greenwood) / np.abs(log_rest)
        low, high = 1.0 - np.exp(log_rest * np.exp(-half)), 1.0 - np.exp(log_rest * np.exp(half))
    sure = 1.0 - rest
    return Ends(as_floats(np.where(inside, low, sure)), as_floats(np.where(inside, high, sure)))


def maturity(complete: ArrayLike, target: float = 0.95) -> float:
    """Delay buckets that a cohort must have seen before it may be judged.

    Parameters
    ----------
    complete
        Completeness by the end of each bucket, shape (D,).
    target
        Completeness asked for, in (0, 1].

    Returns
    -------
    A number of buckets, at least 1; ``inf`` where the target is not reached.

    Raises
    ------
    ConfigurationError
        A target outside (0, 1].

    Examples
    --------
    >>> maturity([0.45, 0.72, 0.96]), maturity([0.45, 0.72, 0.80])
    (3.0, inf)
    """
    if not 0.0 < target <= 1.0:
        raise ConfigurationError(f"target is {target:g}; a completeness must lie in (0, 1]")
    reached = np.flatnonzero(as_floats(complete) >= target)
    return float(reached[0] + 1) if reached.size else math.inf


def _open_ended(sums: RiskSums) -> FloatArray:
    """Hazards; NaN from the first bucket that nobody has seen, 0 after the last label came."""
    hazard = sums.hazard
    finished = np.maximum.accumulate(hazard == 1.0)
    return as_floats(np.where(finished & np.isnan(hazard), 0.0, hazard))
