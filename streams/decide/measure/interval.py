"""95 % intervals for one window, and the verdict that follows from interval and budget."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detectors.intervals import mean_interval, wilson
from detectors.planning import needed_binary
from schemas.windows import Metric, Verdict
from streams.decide.quantities import Sums

LEVEL = 0.05
"""One less the coverage of every interval of a window."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a test saw in a window, for people: 95 % interval, n, and the level not to exceed."""

    n: int
    value: float | None
    low: float | None
    high: float | None
    budget: float | None


def number(value: float) -> float | None:
    """A finite number, None for any other.

    Examples
    --------
    >>> number(1.5), number(float("nan")), number(float("inf"))
    (1.5, None, None)
    """
    return float(value) if math.isfinite(value) else None


def interval_of(sums: Sums) -> tuple[float | None, float | None]:
    """Interval of a rate (Wilson) or of a mean (large sample); None where nothing is known."""
    if sums.n <= 0:
        return None, None
    if sums.q is None:
        low, high = wilson(sums.s, sums.n, LEVEL)
    else:
        low, high = mean_interval(sums.n, sums.s, sums.q, LEVEL)
    return number(float(low)), number(float(high))


def judge(low: float | None, high: float | None, budget: float | None) -> Verdict | None:
    """Degraded if the whole interval is above the budget, healthy if it is within.

    Examples
    --------
    >>> judge(0.06, 0.09, 0.05).value, judge(0.01, 0.05, 0.05).value, judge(0.04, 0.09, 0.05).value
    ('degraded', 'healthy', 'cannot_tell')
    >>> judge(0.1, 0.2, None) is None
    True
    """
    if budget is None:
        return None
    if low is not None and low > budget:
        return Verdict.DEGRADED
    if high is not None and high <= budget:
        return Verdict.HEALTHY
    return Verdict.CANNOT_TELL


def metric_of(name: str, sums: Sums, *, feature: str = "", budget: float | None = None) -> Metric:
    """A rate or a mean with interval and verdict."""
    low, high = interval_of(sums)
    verdict = judge(low, high, budget)
    return Metric(
        name=name,
        feature=feature,
        n=sums.n,
        value=sums.mean,
        low=low,
        high=high,
        budget=budget,
        verdict=verdict,
        needed=needed(sums, budget) if verdict is Verdict.CANNOT_TELL else None,
    )


def needed(sums: Sums, budget: float | None) -> int | None:
    """How many more events of this level a verdict is expected to take.

    A plan, from the events that a sequential test would need. None where no number would do:
    the level is the budget itself, or unknown.

    Examples
    --------
    >>> needed(Sums(100, 10.0), 0.08) > needed(Sums(100, 10.0), 0.05) > 100
    True
    >>> needed(Sums(100, 5.0), 0.05) is None
    True
    """
    mean = sums.mean
    if mean is None or budget is None or not 0.0 <= mean <= 1.0:
        return None
    events = needed_binary(mean, budget, LEVEL)
    return max(math.ceil(events) - sums.n, 1) if math.isfinite(events) else None


def worst(verdicts: list[Verdict]) -> Verdict:
    """Degraded before cannot tell before healthy; nothing to go by is "cannot tell".

    Examples
    --------
    >>> worst([Verdict.HEALTHY, Verdict.CANNOT_TELL]).value, worst([]).value
    ('cannot_tell', 'cannot_tell')
    """
    for verdict in (Verdict.DEGRADED, Verdict.CANNOT_TELL):
        if verdict in verdicts:
            return verdict
    return Verdict.HEALTHY if verdicts else Verdict.CANNOT_TELL
