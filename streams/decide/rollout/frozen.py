"""The level that a predecessor reached, frozen: bounds of it, and bets against it."""

from __future__ import annotations

import math

from detectors.arrays import FloatArray
from detectors.bets import binary, bounded
from detectors.intervals import clopper_pearson_upper, empirical_bernstein_upper
from detectors.quantities import Sums
from detectors.sequential.confidence_sequence import (
    BinaryConfidenceSequence,
    BoundedConfidenceSequence,
)
from streams.decide.measure.interval import LEVEL
from streams.decide.rollout.records import Frozen, Rail

ALPHA_FROZEN = 0.01
"""Chance that a frozen level lies beyond the bound taken for it."""


def frozen_of(rails: dict[str, Rail]) -> dict[str, Frozen]:
    """What the baseline has reached in each guardrail."""
    return {
        metric: Frozen(rail.n_baseline, rail.s_baseline, rail.q_baseline)
        for metric, rail in rails.items()
        if rail.n_baseline > 0
    }


def level_of(frozen: Frozen, margin: float, rows_per_unit: int = 1) -> float:
    """What a successor may not be above: an upper bound of the frozen level, and the margin.

    Parameters
    ----------
    rows_per_unit
        So many rows that depend on each other count as one.

    Returns
    -------
    1 or above where the predecessor's rows are too few to say.

    Examples
    --------
    >>> round(level_of(Frozen(1_000, 50.0), 0.01), 4)
    0.0784
    >>> level_of(Frozen(3, 0.0), 0.3) > 1.0
    True
    """
    return upper(frozen, ALPHA_FROZEN, rows_per_unit) + margin


def upper(frozen: Frozen, alpha: float, rows_per_unit: int = 1) -> float:
    """Upper bound of a mean in [0, 1]: exact for yes and no (Clopper and Pearson), else that of
    Maurer and Pontil.

    Examples
    --------
    >>> round(upper(Frozen(1_000, 120.0, 30.0), 0.01), 4)
    0.1452
    """
    n = math.floor(frozen.n / rows_per_unit)
    s = frozen.s / rows_per_unit
    if frozen.q is None:
        # Part of a unit counts as a whole one, which only raises the bound.
        return clopper_pearson_upper(math.ceil(s - 1e-9), n, alpha)
    return min(empirical_bernstein_upper(n, s, frozen.q / rows_per_unit, alpha), 1.0)


def lower(frozen: Frozen, alpha: float, rows_per_unit: int = 1) -> float:
    """Lower bound, likewise.

    Examples
    --------
    >>> round(lower(Frozen(1_000, 50.0), 0.01), 4)
    0.0353
    """
    q = None if frozen.q is None else frozen.n - 2.0 * frozen.s + frozen.q
    return 1.0 - upper(Frozen(frozen.n, frozen.n - frozen.s, q), alpha, rows_per_unit)


def increments(sums: Sums, limit: float, rows_per_unit: int = 1) -> FloatArray:
    """Increments of the bets that the mean of a window is above a limit, shape (K,)."""
    n, s = sums.n / rows_per_unit, sums.s / rows_per_unit
    if sums.q is None:
        return binary.increments(n=n, s=s, m=limit)
    return bounded.increments(n=n, s=s, q=sums.q / rows_per_unit, m=limit)


def difference(
    version: Frozen, frozen: Frozen, rows_per_unit: int = 1
) -> tuple[float | None, float | None]:
    """95 % interval of a version's mean less the frozen level, valid at any time.

    A fifth of the error is spent on the frozen level, the rest on the version, whose mean is taken
    to be one and the same throughout.

    Examples
    --------
    >>> low, high = difference(Frozen(2_000, 200.0), Frozen(5_000, 250.0))
    >>> 0.01 < low < 0.05 < high < 0.09
    True
    """
    if version.n <= 0 or frozen.n <= 0:
        return None, None
    alpha = LEVEL / 5.0
    n, s = version.n / rows_per_unit, version.s / rows_per_unit
    if version.q is None:
        rate = BinaryConfidenceSequence()
        rate.update(n=n, s=s)
        low, high = rate.interval(LEVEL - alpha)
    else:
        mean = BoundedConfidenceSequence()
        mean.update(n=n, s=s, q=version.q / rows_per_unit)
        low, high = mean.interval(LEVEL - alpha)
    return (
        float(low - upper(frozen, alpha / 2.0, rows_per_unit)),
        float(high - lower(frozen, alpha / 2.0, rows_per_unit)),
    )
