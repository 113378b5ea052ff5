"""Confusion counts, what a metric of them offers, and the delta method on them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.metrics.estimate import Estimate


class Confusion(NamedTuple):
    """Counts of decisions against truths, or what they change a metric by; arrays of one shape."""

    tp: FloatArray
    fp: FloatArray
    fn: FloatArray
    tn: FloatArray

    @property
    def total(self) -> FloatArray:
        """Sum of all four."""
        return as_floats(self.tp + self.fp + self.fn + self.tn)


class ConfusionMetric(Protocol):
    """A smooth metric of confusion counts that depends on their proportions only."""

    @property
    def name(self) -> str:
        """The field's word for it."""

    def value(self, counts: Confusion) -> FloatArray:
        """The metric, shape of the counts; NaN where it is undefined."""

    def gradient(self, counts: Confusion) -> Confusion:
        """Change of the metric for one more event in each cell."""

    def interval(self, counts: Confusion, alpha: float = 0.05) -> Estimate:
        """The metric with its interval for one look at a fixed sample."""


def confusion(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> Confusion:
    """Confusion counts from anything that numpy reads.

    Parameters
    ----------
    tp, fp, fn, tn
        True and false positives, false and true negatives, shapes that broadcast; at least 0,
        fractions allowed for expected counts.

    Raises
    ------
    ValueError
        A negative or NaN count.

    Examples
    --------
    >>> float(confusion(40, 10, 20, 130).total)
    200.0
    """
    cells = np.broadcast_arrays(*(as_floats(x) for x in (tp, fp, fn, tn)))
    for name, cell in zip(Confusion._fields, cells, strict=True):
        wrong = ~(cell >= 0.0)
        if np.any(wrong):
            bad = float(np.ravel(cell)[int(np.argmax(np.ravel(wrong)))])
            raise ValueError(f"{name} is {bad:g}; a count must be at least 0")
    return Confusion(*(as_floats(cell) for cell in cells))


def divide(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Quotient, NaN where the denominator is not above 0.

    Examples
    --------
    >>> divide([1.0, 1.0], [4.0, 0.0]).tolist()
    [0.25, nan]
    """
    below = as_floats(denominator)
    return as_floats(as_floats(numerator) / np.where(below > 0.0, below, np.nan))


def delta_variance(counts: Confusion, gradient: Confusion) -> FloatArray:
    """Variance of a metric by the delta method, for independent rows.

    The counts are multinomial. For a metric that depends on proportions only, the counts are
    orthogonal to the gradient, so the covariances drop out.

    Parameters
    ----------
    counts
        Observed counts.
    gradient
        Of the metric at these counts.

    Returns
    -------
    Shape of the counts.

    Examples
    --------
    A rate of 30 in 100, as a metric of the cells ``tp`` and ``fn``:

    >>> counts = confusion(30, 0, 70, 0)
    >>> gradient = Confusion(*(np.asarray(x) for x in (0.007, 0.0, -0.003, 0.0)))
    >>> round(float(delta_variance(counts, gradient)), 6)
    0.0021

    References
    ----------
    .. [1] Agresti, Categorical Data Analysis, 3rd edition, 2013, section 16.1.
    """
    terms = [count * slope**2 for count, slope in zip(counts, gradient, strict=True)]
    return as_floats(np.sum(np.stack(terms), axis=0))
