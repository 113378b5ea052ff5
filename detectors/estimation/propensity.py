"""Labels that were chosen with known chances: weighted means, and bets that stay exact."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, FloatArray, as_floats
from detectors.bets import bounded
from detectors.bets.contract import WindowSums
from detectors.bets.grid import K, Side, require_open, require_side
from detectors.metrics.confusion import divide
from detectors.metrics.estimate import Estimate, normal_at
from schemas.errors import ConfigurationError

CAP = 20.0
"""Largest weight of a label. Larger ones are clipped, and the clipped mass is reported."""


@dataclass(frozen=True, slots=True)
class WeightSums(WindowSums):
    """Weighted sums of the labels of a window, each a single number or an array; they add.

    A label's weight is one over its propensity, the chance with which it was chosen to be
    labelled, at most `CAP`. With an **unknown** propensity no correction exists.

    Examples
    --------
    >>> sums = WeightSums.of(x=[1, 0, 1], propensity=[0.5, 1.0, 0.04], predictions=30)
    >>> float(sums.w), float(sums.wx), float(sums.lost)
    (23.0, 22.0, 5.0)
    >>> float((sums + sums).n)
    60.0
    """

    n: ArrayLike
    """Predictions of the window, labelled **or not**."""
    w: ArrayLike
    """Sum of weights."""
    wx: ArrayLike
    """Sum of weight times value."""
    w2: ArrayLike
    """Sum of squared weights."""
    w2x: ArrayLike
    """Sum of squared weight times value."""
    w2x2: ArrayLike
    """Sum of squared weight times squared value."""
    lost: ArrayLike
    """Weight that clipping took away."""

    @property
    def filled(self) -> BoolArray:
        """Where there are predictions; a window without any label says that weights are 0."""
        return np.asarray(as_floats(self.n) > 0.0, dtype=np.bool_)

    @classmethod
    def of(
        cls, x: ArrayLike, propensity: ArrayLike, *, predictions: float, cap: float = CAP
    ) -> Self:
        """Sums of labelled rows.

        Parameters
        ----------
        x, propensity
            Value and chance of being labelled of each labelled row, shape (m,).
        predictions
            All predictions of the window.
        cap
            Largest weight.

        Raises
        ------
        ValueError
            A propensity outside (0, 1], or more labels than predictions.
        """
        values, chance = as_floats(x), as_floats(propensity)
        if not np.all((chance > 0.0) & (chance <= 1.0)):
            bad = float(chance[~((chance > 0.0) & (chance <= 1.0))][0])
            raise ValueError(f"a label has propensity {bad:g}; it must lie in (0, 1]")
        if values.size > predictions:
            raise ValueError(f"{values.size} labels for {predictions:g} predictions")
        full = 1.0 / chance
        weight = np.minimum(full, cap)
        return cls(
            n=float(predictions),
            w=float(weight.sum()),
            wx=float((weight * values).sum()),
            w2=float((weight**2).sum()),
            w2x=float((weight**2 * values).sum()),
            w2x2=float((weight**2 * values**2).sum()),
            lost=float((full - weight).sum()),
        )

    def __add__(self, other: WeightSums) -> WeightSums:
        """Sums of both windows."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return WeightSums(*(as_floats(a) + as_floats(b) for a, b in pairs))

    @property
    def effective_size(self) -> FloatArray:
        """Labels of equal weight that would say as much, shape (...); NaN without labels."""
        return divide(as_floats(self.w) ** 2, self.w2)

    @property
    def clipped_mass(self) -> FloatArray:
        """Share of the weight that clipping took away: what the mean cannot see, shape (...)."""
        return divide(self.lost, as_floats(self.w) + as_floats(self.lost))


def hajek_mean(sums: WeightSums, alpha: float = 0.05) -> Estimate:
    """Mean over **all** predictions, from the labels that were chosen.

    Parameters
    ----------
    sums
        Of values in [0, 1].
    alpha
        One less the nominal coverage.

    Returns
    -------
    Weighted mean with its large-sample interval cut at [0, 1], shape (...); NaN without labels.

    Examples
    --------
    Labels of 2,000 predictions:

    >>> sums = WeightSums(n=2_000, w=2_000, wx=300, w2=5_000, w2x=1_000, w2x2=1_000, lost=0)
    >>> [round(float(x), 4) for x in hajek_mean(sums)]
    [0.15, 0.1221, 0.1779]
    >>> float(sums.effective_size)
    800.0

    References
    ----------
    .. [1] Hájek, Comment on a paper by D. Basu, in Foundations of Statistical Inference, 1971.
    .. [2] Kish, Survey Sampling, 1965 (the effective size).
    """
    mean = divide(sums.wx, sums.w)
    squares = as_floats(sums.w2x2) - 2.0 * mean * as_floats(sums.w2x) + mean**2 * as_floats(sums.w2)
    variance = divide(np.maximum(squares, 0.0), as_floats(sums.w) ** 2)
    return normal_at(mean, variance, alpha=alpha)


@dataclass(frozen=True, slots=True)
class WeightedBet:
    """Bet on the mean over all predictions of a value in [0, 1], from chosen labels.

    ``side="above"`` has the null hypothesis *mean <= m*, ``side="below"`` has *mean >= m*. Each
    prediction, labelled or not, counts with ``weight * value / cap``, 0 if not labelled, whose
    mean is at most ``mean / cap``; clipped weights only lower it. For "below" the same is done
    with one less the value, so both sides are exact, clipped or not.

    Parameters
    ----------
    m
        The limit in (0, 1).
    cap
        Largest weight in the sums.
    side
        The direction in which to bet.

    Examples
    --------
    >>> from detectors.sequential.betting import BettingTest
    >>> test = BettingTest(WeightedBet(m=0.10))
    >>> window = WeightSums(n=2_000, w=2_000, wx=300, w2=5_000, w2x=1_000, w2x2=1_000, lost=0)
    >>> [test.update(window, share=0.001) for _ in range(4)]
    [False, True, True, True]

    References
    ----------
    .. [1] Waudby-Smith, Wu, Ramdas, Karampatziakis, Mineiro, Anytime-valid off-policy inference
       for contextual bandits, ACM/IMS Journal of Data Science 1, 2024.
    """

    m: ArrayLike
    cap: float = CAP
    side: Side = "above"

    def __post_init__(self) -> None:
        require_side(self.side, allowed=("above", "below"))
        require_open("m", as_floats(self.m), low=0.0, high=1.0)
        if not self.cap >= 1.0:
            raise ConfigurationError(f"cap is {self.cap:g}; a weight is never below 1")

    @property
    def bets(self) -> int:
        """K."""
        return K

    def increments(self, sums: WeightSums) -> FloatArray:
        """Log-wealth that each bet wins, shape (..., K)."""
        limit, first, second = as_floats(self.m), as_floats(sums.wx), as_floats(sums.w2x2)
        if self.side == "below":
            limit = 1.0 - limit
            first = as_floats(sums.w) - first
            second = as_floats(sums.w2) - 2.0 * as_floats(sums.w2x) + second
        return bounded.increments(
            n=sums.n, s=first / self.cap, q=second / self.cap**2, m=limit / self.cap
        )
