"""Rollouts of many splits: the arithmetic of the product's guardrails, along whole courses.

DECIDE takes a rollout one window at a time. Here all windows of a split are bet on in one call of
the same bets, with the same guesses and thresholds. A test holds the decisions equal to those of
DECIDE fed with the panes of both arms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import BoolArray, FloatArray
from detectors.bets import paired, two_sample
from detectors.bets.grid import log_mean_exp
from detectors.canary.srm import log_e
from detectors.distributions import normal_ppf
from detectors.sequential.e_process import log_threshold
from detectors.summary import Ints
from schemas.policy import Policy
from streams.decide.rollout.rails import PRIOR_EVENTS, WIDEST_MARGIN, prior

Bools: TypeAlias = NDArray[np.bool_]

SIDES: tuple[two_sample.Direction, two_sample.Direction] = ("harm", "benefit")


@dataclass(frozen=True)
class Units:
    """Units such as households, numbered from 0.

    Parameters
    ----------
    names
        What a split hashes, shape (units,).
    of_row
        Unit of each row, shape (n,).
    """

    names: Sequence[int]
    of_row: Ints

    @classmethod
    def of(cls, names: Ints) -> Self:
        """Of the unit's name of each row."""
        unique, places = np.unique(names, return_inverse=True)
        return cls(unique.tolist(), places)


@dataclass(frozen=True)
class Split:
    """Whether the test on the traffic split alarms, counting rows and counting units."""

    rows: bool
    units: bool


@dataclass(frozen=True)
class Course:
    """The decision: rows per arm when it fell, None where it never did."""

    rollback_rows: float | None
    promote_rows: float | None
    difference: float


def split(canary: BoolArray, units: Units, window_rows: int) -> Split:
    """The sample ratio test at every look; a unit counts when its first row comes."""
    in_canary = canary[units.of_row]
    first = np.zeros(len(in_canary), np.bool_)
    first[np.unique(units.of_row, return_index=True)[1]] = True
    return Split(
        _mismatch(in_canary, np.ones(len(in_canary), np.bool_), window_rows),
        _mismatch(in_canary, first, window_rows),
    )


def _mismatch(in_canary: BoolArray, counted: BoolArray, window_rows: int) -> bool:
    seen = np.stack(
        [_cumulated(counted & arm, window_rows) for arm in (in_canary, ~in_canary)], axis=-1
    )
    return bool(log_e(seen, [0.5, 0.5]).max() >= log_threshold(0.001))


def concurrent(
    canary: BoolArray,
    units: Units,
    wrong: BoolArray,
    usual: BoolArray,
    policy: Policy,
    window_rows: int,
) -> Course:
    """A canary beside its baseline.

    Parameters
    ----------
    canary
        Whether each unit is in the canary, shape (units,).
    wrong, usual
        Errors that the canary and the baseline make on each row, shape (n,).
    """
    arm = canary[units.of_row]
    n_c, k_c = _windows(arm, window_rows), _windows(arm & wrong, window_rows)
    n_b, k_b = _windows(~arm, window_rows), _windows(~arm & usual, window_rows)
    rail = policy.guardrails[0]
    start = prior(policy, rail.metric)
    before_k, before_n = np.cumsum(k_b) - k_b, np.cumsum(n_b) - n_b
    guess = (before_k + start * PRIOR_EVENTS) / (before_n + PRIOR_EVENTS)
    margin = min(rail.margin, WIDEST_MARGIN)
    harm, benefit = (
        two_sample.increments_binary(
            n_c=n_c, k_c=k_c, n_b=n_b, k_b=k_b, b0=guess, d=margin, side=side
        )
        for side in SIDES
    )
    rows = np.cumsum(n_c)
    found = _decided(harm, benefit, rows, policy, weights=two_sample.WEIGHTS)
    return Course(*found, float(k_c.sum() / n_c.sum() - k_b.sum() / n_b.sum()))


def fixed_size(
    canary: BoolArray, units: Units, wrong: BoolArray, usual: BoolArray, *, rows_per_arm: int
) -> bool:
    """Whether a pooled z test, looked at once after so many rows per arm, finds harm at 5 %."""
    first = slice(0, 2 * rows_per_arm)
    arm = canary[units.of_row][first]
    bad_c, bad_b = wrong[first][arm], usual[first][~arm]
    pooled = (bad_c.sum() + bad_b.sum()) / len(arm)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / len(bad_c) + 1 / len(bad_b)))
    return bool((bad_c.mean() - bad_b.mean()) / spread > normal_ppf(0.95))


def shadow(
    order: Ints,
    units: Units,
    wrong: BoolArray,
    usual: BoolArray,
    policy: Policy,
    window_rows: int,
) -> Course:
    """A shadow that answers every request too; units come in a given order, shape (units,)."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    rows = np.argsort(place[units.of_row], kind="stable")
    worse, better = (wrong & ~usual)[rows], (usual & ~wrong)[rows]
    n10, n01 = _windows(worse, window_rows), _windows(better, window_rows)
    n = _windows(np.ones(len(rows), np.bool_), window_rows)
    margin = policy.guardrails[0].margin
    harm, benefit = (
        paired.increments(n10=n10, n01=n01, n0=n - n10 - n01, d=margin, side=side) for side in SIDES
    )
    found = _decided(harm, benefit, np.cumsum(n), policy)
    return Course(*found, float((n10.sum() - n01.sum()) / n.sum()))


def _decided(
    harm: FloatArray,
    benefit: FloatArray,
    rows: FloatArray,
    policy: Policy,
    *,
    weights: FloatArray | None = None,
) -> tuple[float | None, float | None]:
    """The first decision stays; at a tie the rollback wins."""
    canary = policy.canary
    bad = _first(_crossed(harm, canary.alpha_rollback, weights))
    good = _first(_crossed(benefit, canary.alpha_promote, weights) & (rows >= canary.min_events))
    if bad is not None and (good is None or bad <= good):
        return float(rows[bad]), None
    return None, None if good is None else float(rows[good])


def _crossed(increments: FloatArray, alpha: float, weights: FloatArray | None) -> Bools:
    log_wealth = log_mean_exp(np.cumsum(increments, axis=0), weights)
    return np.asarray(np.maximum.accumulate(log_wealth) >= log_threshold(alpha))


def _first(happened: Bools) -> int | None:
    return int(np.argmax(happened)) if happened.any() else None


def _windows(flags: BoolArray, window_rows: int) -> FloatArray:
    """Rows that are true in each whole window, shape (windows,)."""
    whole = len(flags) // window_rows * window_rows
    return np.asarray(flags[:whole].reshape(-1, window_rows).sum(axis=1), np.float64)


def _cumulated(flags: BoolArray, window_rows: int) -> FloatArray:
    return np.asarray(np.cumsum(_windows(flags, window_rows)), np.float64)
