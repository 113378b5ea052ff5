"""The five bets as settings, each with the sums of a window that it is placed on.

With one number for each setting and sum, `detectors.sequential.betting` makes a test of them;
with arrays, `detectors.sequential.bank` makes many at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, FloatArray, as_floats
from detectors.bets import binary, bounded, paired, poisson, two_sample
from detectors.bets.contract import WindowSums
from detectors.bets.grid import K, Side
from detectors.bets.two_sample import Direction


@dataclass(frozen=True, slots=True)
class BinarySums(WindowSums):
    """`n` events, `s` of them "yes"."""

    n: ArrayLike
    s: ArrayLike

    @property
    def filled(self) -> BoolArray:
        """Where there are events."""
        return _above_zero(self.n)


@dataclass(frozen=True, slots=True)
class BinaryBet:
    """B1, *rate <= m* or *rate >= m*; see `detectors.bets.binary`.

    Examples
    --------
    >>> BinaryBet(m=0.05).increments(BinarySums(n=[100, 100], s=[4, 12])).shape
    (2, 12)
    """

    m: ArrayLike
    side: Side = "above"

    @property
    def bets(self) -> int:
        """K."""
        return K

    def increments(self, sums: BinarySums) -> FloatArray:
        """Shape (..., K)."""
        return binary.increments(n=sums.n, s=sums.s, m=self.m, side=self.side)


@dataclass(frozen=True, slots=True)
class BoundedSums(WindowSums):
    """Number, sum and sum of squares."""

    n: ArrayLike
    s: ArrayLike
    q: ArrayLike

    @property
    def filled(self) -> BoolArray:
        """Where there are events."""
        return _above_zero(self.n)


@dataclass(frozen=True, slots=True)
class BoundedBet:
    """B2, *mean <= m* or *mean >= m* of values in [lo, hi]; see `detectors.bets.bounded`."""

    m: ArrayLike
    lo: float = 0.0
    hi: float = 1.0
    side: Side = "above"

    @property
    def bets(self) -> int:
        """K."""
        return K

    def increments(self, sums: BoundedSums) -> FloatArray:
        """Shape (..., K)."""
        return bounded.increments(
            n=sums.n, s=sums.s, q=sums.q, m=self.m, lo=self.lo, hi=self.hi, side=self.side
        )


@dataclass(frozen=True, slots=True)
class ArmCounts(WindowSums):
    """Events and bad events of canary and baseline, and `b0` from earlier windows."""

    n_c: ArrayLike
    k_c: ArrayLike
    n_b: ArrayLike
    k_b: ArrayLike
    b0: ArrayLike

    @property
    def filled(self) -> BoolArray:
        """Where both arms have events."""
        return _above_zero(self.n_c) & _above_zero(self.n_b)


@dataclass(frozen=True, slots=True)
class TwoSampleBet:
    """B3 on a yes/no metric, *rate_c <= r rate_b + d* or >=; see `detectors.bets.two_sample`."""

    d: ArrayLike = 0.0
    r: float = 1.0
    side: Direction = "harm"

    @property
    def bets(self) -> int:
        """K."""
        return K

    def increments(self, sums: ArmCounts) -> FloatArray:
        """Shape (..., K)."""
        return two_sample.increments_binary(
            n_c=sums.n_c,
            k_c=sums.k_c,
            n_b=sums.n_b,
            k_b=sums.k_b,
            b0=sums.b0,
            d=self.d,
            r=self.r,
            side=self.side,
        )


@dataclass(frozen=True, slots=True)
class ArmSums(WindowSums):
    """Number, sum and sum of squares of canary and baseline, and `b0` from earlier windows."""

    n_c: ArrayLike
    s_c: ArrayLike
    q_c: ArrayLike
    n_b: ArrayLike
    s_b: ArrayLike
    q_b: ArrayLike
    b0: ArrayLike

    @property
    def filled(self) -> BoolArray:
        """Where both arms have events."""
        return _above_zero(self.n_c) & _above_zero(self.n_b)


@dataclass(frozen=True, slots=True)
class TwoSampleBoundedBet:
    """B3 on a loss in [0, 1]; the hypotheses are those of `TwoSampleBet`."""

    d: ArrayLike = 0.0
    r: float = 1.0
    side: Direction = "harm"

    @property
    def bets(self) -> int:
        """K."""
        return K

    def increments(self, sums: ArmSums) -> FloatArray:
        """Shape (..., K)."""
        return two_sample.increments_bounded(
            n_c=sums.n_c,
            s_c=sums.s_c,
            q_c=sums.q_c,
            n_b=sums.n_b,
            s_b=sums.s_b,
            q_b=sums.q_b,
            b0=sums.b0,
            d=self.d,
            r=self.r,
            side=self.side,
        )


@dataclass(frozen=True, slots=True)
class PairCounts(WindowSums):
    """Pairs with only the canary wrong, only the baseline wrong, and the rest."""

    n10: ArrayLike
    n01: ArrayLike
    n0: ArrayLike

    @property
    def filled(self) -> BoolArray:
        """Where there are pairs."""
        return _above_zero(as_floats(self.n10) + as_floats(self.n01) + as_floats(self.n0))


@dataclass(frozen=True, slots=True)
class PairedBet:
    """B4, *P(only the canary wrong) - P(only the baseline wrong) <= d* or >=."""

    d: ArrayLike = 0.0
    side: Direction = "harm"

    @property
    def bets(self) -> int:
        """K."""
        return K

    def increments(self, sums: PairCounts) -> FloatArray:
        """Shape (..., K)."""
        return paired.increments(n10=sums.n10, n01=sums.n01, n0=sums.n0, d=self.d, side=self.side)


@dataclass(frozen=True, slots=True)
class ExpectedCount(WindowSums):
    """Counted events, and how many were expected before the window."""

    count: ArrayLike
    mu: ArrayLike

    @property
    def filled(self) -> BoolArray:
        """Where something was expected or came; none of many expected says a lot."""
        return _above_zero(as_floats(self.mu) + as_floats(self.count))


@dataclass(frozen=True, slots=True)
class PoissonBet:
    """B5, *expected count <= mu* or *>= mu*; see `detectors.bets.poisson`."""

    dispersion: float = 1.0
    side: Side = "above"

    @property
    def bets(self) -> int:
        """9 for "above", 6 for "below"."""
        return len(poisson.RISES if self.side == "above" else poisson.DROPS)

    def increments(self, sums: ExpectedCount) -> FloatArray:
        """Shape (..., 9) or (..., 6)."""
        mu = np.where(sums.filled, as_floats(sums.mu), 1.0)
        return poisson.increments(
            count=sums.count, mu=mu, dispersion=self.dispersion, side=self.side
        )


def _above_zero(values: ArrayLike) -> BoolArray:
    return np.asarray(as_floats(values) > 0.0, dtype=np.bool_)
