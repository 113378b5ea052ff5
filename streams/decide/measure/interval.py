"""95 % intervals for one window, and the verdict that follows from interval and budget."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from detectors.arrays import FloatArray
from detectors.bets.grid import Side
from detectors.intervals import mean_interval_of_one, wilson_of_one
from detectors.planning import needed_binary
from detectors.quantities import Sums
from schemas.windows import Metric, Verdict

LEVEL = 0.05
"""One less the coverage of every interval of a window."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a test saw in a window, for people: 95 % interval, n, and the level not to cross.

    ``beside`` is the segment that the stream was compared with, "" where the test compares none;
    ``names`` are the features that a list names.
    """

    n: int
    value: float | None
    low: float | None
    high: float | None
    level: float | None
    worse: Side = "above"
    beside: str = ""
    names: tuple[str, ...] = ()


class Stretch(NamedTuple):
    """Windows in a row beyond a level: since when, what they show together, and the mean of those
    before."""

    since_ms: int
    n: int
    value: float | None
    low: float | None
    high: float | None
    before: float


def number(value: float) -> float | None:
    """A finite number, None for any other.

    Examples
    --------
    >>> number(1.5), number(float("nan")), number(float("inf"))
    (1.5, None, None)
    """
    return float(value) if math.isfinite(value) else None


def interval_of(sums: Sums, dispersion: float = 1.0) -> tuple[float | None, float | None]:
    """Interval of a rate (Wilson) or of a mean (large sample); None where nothing is known.

    ``dispersion`` events that depend on each other count as one.

    Examples
    --------
    >>> [round(end, 3) for end in interval_of(Sums(400, 40.0))]
    [0.074, 0.133]
    >>> [round(end, 3) for end in interval_of(Sums(400, 40.0), dispersion=10.0)]
    [0.04, 0.231]
    """
    if sums.n <= 0:
        return None, None
    n, s = sums.n / dispersion, sums.s / dispersion
    if sums.q is None:
        low, high = wilson_of_one(s, n, LEVEL)
    else:
        low, high = mean_interval_of_one(n, s, sums.q / dispersion, LEVEL)
    return number(low), number(high)


def judge(
    low: float | None, high: float | None, level: float | None, worse: Side = "above"
) -> Verdict | None:
    """Degraded if the whole interval is beyond the level, healthy if it is within.

    Examples
    --------
    >>> judge(0.06, 0.09, 0.05).value, judge(0.01, 0.05, 0.05).value, judge(0.04, 0.09, 0.05).value
    ('degraded', 'healthy', 'cannot_tell')
    >>> judge(0.06, 0.09, 0.05, "below").value
    'healthy'
    >>> judge(0.1, 0.2, None) is None
    True
    """
    if level is None:
        return None
    if worse == "below":
        low, high, level = _mirrored(high), _mirrored(low), -level
    if low is not None and low > level:
        return Verdict.DEGRADED
    if high is not None and high <= level:
        return Verdict.HEALTHY
    return Verdict.CANNOT_TELL


def _mirrored(end: float | None) -> float | None:
    return None if end is None else -end


def metric_of(
    name: str,
    sums: Sums,
    *,
    feature: str = "",
    budget: float | None = None,
    floor: float | None = None,
    dispersion: float = 1.0,
) -> Metric:
    """A rate or a mean with interval and verdict.

    Parameters
    ----------
    budget, floor
        Highest and lowest acceptable level; None where there is none.
    dispersion
        So many events that depend on each other count as one.
    """
    low, high = interval_of(sums, dispersion)
    verdict, undecided = judged(low, high, budget, floor)
    open_ = [needed(sums, level, dispersion) for level in undecided]
    return Metric(
        name=name,
        feature=feature,
        n=sums.n,
        value=sums.mean,
        low=low,
        high=high,
        budget=budget,
        floor=floor,
        verdict=verdict,
        needed=max((n for n in open_ if n is not None), default=None)
        if verdict is Verdict.CANNOT_TELL
        else None,
    )


def judged(
    low: float | None, high: float | None, budget: float | None, floor: float | None
) -> tuple[Verdict | None, list[float]]:
    """The verdict between a budget and a floor, and the levels about which nothing can be told."""
    if budget is None and floor is None:
        return None, []
    sides: tuple[tuple[float | None, Side], ...] = ((budget, "above"), (floor, "below"))
    found = [
        (verdict, level)
        for level, worse in sides
        if level is not None and (verdict := judge(low, high, level, worse)) is not None
    ]
    verdict = worst([one for one, _ in found])
    return verdict, [level for one, level in found if one is Verdict.CANNOT_TELL]


def estimated(
    name: str,
    n: int,
    estimate: Iterable[FloatArray | float],
    *,
    feature: str = "",
    budget: float | None = None,
    floor: float | None = None,
) -> Metric:
    """A number that is no mean of rows, with verdict.

    Parameters
    ----------
    n
        Events behind it.
    estimate
        Value, lower and upper end, each a number or of shape ().
    budget, floor
        Highest and lowest acceptable level; None where there is none.
    """
    value, low, high = (number(float(end)) for end in estimate)
    verdict, undecided = judged(low, high, budget, floor)
    open_ = [_needed_to_narrow(n, value, low, high, level) for level in undecided]
    return Metric(
        name=name,
        feature=feature,
        n=n,
        value=value,
        low=low,
        high=high,
        budget=budget,
        floor=floor,
        verdict=verdict,
        needed=max((more for more in open_ if more is not None), default=None)
        if verdict is Verdict.CANNOT_TELL
        else None,
    )


def _needed_to_narrow(
    n: int, value: float | None, low: float | None, high: float | None, level: float
) -> int | None:
    """How many more events until the interval ends before the level, if the value stays.

    Widths fall with the root of the number of events.

    Examples
    --------
    >>> _needed_to_narrow(100, 0.8, 0.7, 0.9, 0.75), _needed_to_narrow(100, 0.8, 0.7, 0.9, 0.8)
    (300, None)
    """
    if value is None or low is None or high is None or value == level:
        return None
    half = value - low if value > level else high - value
    return max(math.ceil(n * ((half / (value - level)) ** 2 - 1.0) - 1e-9), 1)


def needed(sums: Sums, level: float | None, dispersion: float = 1.0) -> int | None:
    """How many more events of this kind a verdict is expected to take.

    A plan, from the events that a sequential test would need. None where no number would do:
    the mean is the level itself, or unknown.

    Examples
    --------
    >>> needed(Sums(100, 10.0), 0.08) > needed(Sums(100, 10.0), 0.05) > 100
    True
    >>> needed(Sums(100, 5.0), 0.05) is None
    True
    """
    mean = sums.mean
    if mean is None or level is None:
        return None
    span = sums.hi - sums.lo
    share, limit = (mean - sums.lo) / span, (level - sums.lo) / span
    if not 0.0 <= share <= 1.0:
        return None
    events = dispersion * needed_binary(share, limit, LEVEL)
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
