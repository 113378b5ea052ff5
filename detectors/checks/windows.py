"""Windows drawn at random, on which sequential tests are tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.bets.kinds import (
    ArmCounts,
    ArmSums,
    BinarySums,
    BoundedSums,
    ExpectedCount,
    PairCounts,
)
from detectors.calibration.anytime import CalibrationSums
from detectors.calibration.class_wise import class_sums
from detectors.estimation.propensity import WeightSums
from detectors.fairness.four_fifths import GroupCounts
from detectors.sequential.band import Rates

Summary = TypeVar("Summary")
Draw: TypeAlias = Callable[[np.random.Generator], Summary]
"""Draws one window."""


def binary(p: float) -> Draw[BinarySums]:
    """Fifty events at the rate `p`."""
    return lambda rng: BinarySums(n=50, s=rng.binomial(50, p))


def clusters(p: float) -> Draw[BinarySums]:
    """Forty users with five equal outcomes each."""
    return lambda rng: BinarySums(n=200, s=5 * rng.binomial(40, p))


def bounded(mean: float) -> Draw[BoundedSums]:
    """Fifty values at 0, 0.1 and 1, half of them in the middle."""

    def window(rng: np.random.Generator) -> BoundedSums:
        high = mean - 0.05
        _, middle, top = rng.multinomial(50, [0.5 - high, 0.5, high])
        return BoundedSums(n=50, s=0.1 * middle + top, q=0.01 * middle + top)

    return window


def arms(rate_c: float) -> Draw[ArmCounts]:
    """Sixty canary events beside two hundred at a rate of 0.1; the guess is a little wrong."""
    return lambda rng: ArmCounts(
        n_c=60, k_c=rng.binomial(60, rate_c), n_b=200, k_b=rng.binomial(200, 0.1), b0=0.09
    )


def groups(rate: float) -> Draw[GroupCounts]:
    """Sixty rows of a group beside two hundred of the reference group at a rate of 0.3."""
    return lambda rng: GroupCounts(
        n=60.0,
        k=float(rng.binomial(60, rate)),
        n_reference=200.0,
        k_reference=float(rng.binomial(200, 0.3)),
    )


def weighted(mean: float) -> Draw[WeightSums]:
    """Two hundred predictions; the half that fails three times as often is labelled less."""
    chances, rates = np.array([0.8, 0.25]), mean * np.array([0.5, 1.5])

    def window(rng: np.random.Generator) -> WeightSums:
        labels = rng.binomial(100, chances)
        hits = rng.binomial(labels, rates)
        return WeightSums.of(
            np.concatenate([np.arange(n) < k for n, k in zip(labels, hits, strict=True)]),
            np.repeat(chances, labels),
            predictions=200,
        )

    return window


def losses(rate_c: float) -> Draw[ArmSums]:
    """The same arms with losses of 0 and 0.8."""

    def window(rng: np.random.Generator) -> ArmSums:
        c, b = rng.binomial(60, rate_c), rng.binomial(200, 0.1)
        return ArmSums(
            n_c=60, s_c=0.8 * c, q_c=0.64 * c, n_b=200, s_b=0.8 * b, q_b=0.64 * b, b0=0.07
        )

    return window


def pairs(worse: float, better: float) -> Draw[PairCounts]:
    """A hundred pairs with two rates of disagreement."""

    def window(rng: np.random.Generator) -> PairCounts:
        n10, n01, n0 = rng.multinomial(100, [worse, better, 1.0 - worse - better])
        return PairCounts(n10=n10, n01=n01, n0=n0)

    return window


def counts(ratio: float) -> Draw[ExpectedCount]:
    """Forty expected events or sixty, in turn of the draw."""

    def window(rng: np.random.Generator) -> ExpectedCount:
        mu = float(rng.choice([40.0, 60.0]))
        return ExpectedCount(count=rng.poisson(ratio * mu), mu=mu)

    return window


def histogram(tv: float) -> Draw[FloatArray]:
    """Two hundred events, `tv` away from four equal bins."""
    law = np.full(4, 0.25) + tv / 2 * np.array([1, -1, 1, -1])
    return lambda rng: as_floats(rng.multinomial(200, law))


def labels(bias: float) -> Draw[CalibrationSums]:
    """Forty labels in four bins, whose frequency is `bias` above the forecast."""

    def window(rng: np.random.Generator) -> CalibrationSums:
        p = rng.uniform(0.1, 0.7, size=40)
        residual = (rng.random(40) < p + bias) - p
        tilted, place = residual * (2 * p - 1), (4 * p).astype(int)
        return CalibrationSums(
            n=as_floats(np.bincount(place, minlength=4)),
            d=as_floats(np.bincount(place, weights=residual, minlength=4)),
            v=as_floats(np.bincount(place, weights=residual**2, minlength=4)),
            d_slope=float(tilted.sum()),
            v_slope=float((tilted**2).sum()),
        )

    return window


def rates(p: float, q: float) -> Draw[Rates]:
    """Fifty events each at the rates `p` and `q`."""
    return lambda rng: Rates(np.full(2, 50.0), as_floats(rng.binomial(50, [p, q])))


def outputs(top: float) -> Draw[FloatArray]:
    """Sixty answers, of which one in four bins holds the share `top`."""
    law = np.array([top, *[(1.0 - top) / 3] * 3])
    return lambda rng: as_floats(rng.multinomial(60, law))


def flips(p: float, q: float) -> Draw[dict[str, tuple[int, int]]]:
    """Two sources with sixty labels each, reversed at the rates `p` and `q`."""

    def window(rng: np.random.Generator) -> dict[str, tuple[int, int]]:
        return {name: (int(rng.binomial(60, r)), 60) for name, r in (("crm", p), ("review", q))}

    return window


def classes(bias: float) -> Draw[tuple[CalibrationSums, ...]]:
    """Fifty labels of three classes; the first comes `bias` too often, the second too seldom."""

    def window(rng: np.random.Generator) -> tuple[CalibrationSums, ...]:
        p = 0.7 * rng.dirichlet([1.0, 1.0, 1.0], 50) + 0.1
        law = np.cumsum(p + bias * np.array([1, -1, 0]), axis=1)[:, :-1]
        return class_sums(as_floats(p), (rng.random((50, 1)) > law).sum(axis=1), bins=4)

    return window
