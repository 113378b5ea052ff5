"""Whether the inputs of both arms kept their contract in one window of a rollout."""

from __future__ import annotations

from typing import NamedTuple

from detectors.intervals import wilson
from detectors.quantities import sums_of
from schemas.summaries import Part
from streams.decide import merge
from streams.decide.domain import DOMAIN
from streams.decide.keys import WindowKey
from streams.decide.levels import Level, feature_levels
from streams.decide.rollout.arms import Cohort
from streams.decide.rollout.records import Trouble
from streams.decide.sentences import named
from streams.decide.state import State

ALPHA = 0.001
"""Chance to find any fault in a window of an arm whose inputs are just within all contracts."""

CONTRACTS = frozenset({"missing_rate", "out_of_range_rate", DOMAIN})


class Faults(NamedTuple):
    """What was broken in a window: in the canary's inputs alone, and in those of the baseline."""

    own: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


def faults_of(state: State, cohort: Cohort, *, chronic: frozenset[str] = frozenset()) -> Faults:
    """The contracts that a window's inputs break for certain, by name.

    A rule for one window, not a sequential test: what it finds keeps a window from counting
    against a version, and never convicts one.

    Parameters
    ----------
    chronic
        What was broken before the rollout began: both versions have to live with it.
    """
    canary, baseline = (broken_in(state, cohort, key) for key in (cohort.canary, cohort.baseline))
    shared = tuple(name for name in baseline if name not in chronic)
    return Faults(tuple(name for name in canary if name not in baseline), shared)


def broken_in(state: State, cohort: Cohort, key: WindowKey) -> tuple[str, ...]:
    """The contracts that the inputs of one arm break for certain in a window."""
    levels = _contracts(cohort)
    if not levels:
        return ()
    parts = (Part.INPUT,)
    vector = merge.total(state, key, cohort.subject, parts, from_ms=cohort.from_ms)
    found = []
    for level in levels:
        sums = sums_of(cohort.subject.inputs, vector, level.metric, level.feature)
        if sums is not None and broken(level, sums.n, sums.s, alpha=ALPHA / len(levels)):
            found.append(name_of(level.metric, level.feature))
    return tuple(found)


def name_of(metric: str, feature: str) -> str:
    """A contract in words.

    Examples
    --------
    >>> name_of("missing_rate", "age")
    'missing rate of age'
    """
    return named(metric, feature)


def chronic_of(troubles: list[Trouble]) -> frozenset[str]:
    """Names of what alerts say is broken."""
    return frozenset(name_of(one.metric, one.feature) for one in troubles)


def broken(level: Level, n: float, s: float, *, alpha: float) -> bool:
    """Whether a rate is above its level for certain: the lower end of its interval is.

    Examples
    --------
    >>> level = Level("missing_rate", Part.INPUT, 0.01, feature="age")
    >>> broken(level, 1_000, 60, alpha=0.001), broken(level, 1_000, 11, alpha=0.001)
    (True, False)
    """
    if n <= 0:
        return False
    # An interval has two ends, and only one of them is asked for.
    low, _ = wilson(s / level.dispersion, n / level.dispersion, min(2.0 * alpha, 1.0))
    return bool(low > level.limit)


def _contracts(cohort: Cohort) -> list[Level]:
    subject = cohort.subject
    rows = subject.policy.dependence.rows_per_unit
    features = [
        level
        for feature in subject.features
        for level in feature_levels(feature, rows_per_unit=rows)
    ]
    return [level for level in (*features, *subject.levels) if level.metric in CONTRACTS]
