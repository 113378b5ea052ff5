"""PSI, Jensen-Shannon divergence and total variation of features, scores and answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from detectors.arrays import as_floats
from detectors.drift import js, psi, tv
from detectors.summary import Ints
from schemas.windows import Metric, Verdict
from streams.decide.measure.histograms import (
    PIT,
    Alike,
    alike,
    compared,
    dispersion_of,
    drifting,
    eps_of,
    reference_counts,
)
from streams.decide.measure.interval import LEVEL, judge, number
from streams.decide.subject import Subject

Metrics: TypeAlias = list[Metric]

NULL_LEVEL = 0.01
"""Chance that a window without drift exceeds the threshold shown beside PSI and JS."""


def tv_metric(
    subject: Subject, vector: Ints, feature: str, *, eps: float, name: str = "tv"
) -> Metric | None:
    """Total variation, corrected for chance, against the smallest distance that matters."""
    both = compared(subject, vector, feature)
    if both is None:
        return None
    low, high = tv.interval(*both, LEVEL)
    rows = round(float(both.window.sum()) * dispersion_of(subject, feature))
    ends = (float(tv.corrected(*both)), float(low), float(high))
    return _tv(subject, feature, rows, ends, eps=eps, name=name)


def _tv(
    subject: Subject,
    feature: str,
    rows: int,
    ends: tuple[float, float, float],
    *,
    eps: float,
    name: str = "tv",
) -> Metric:
    """The metric of a distance and its interval."""
    value, low, high = (number(end) for end in ends)
    verdict = judge(low, high, eps)
    more = None
    if verdict is Verdict.CANNOT_TELL:
        more = needed(rows, (value, low, high), _total(subject, feature), eps)
    return Metric(
        name=name,
        feature=feature,
        n=rows,
        value=value,
        low=low,
        high=high,
        budget=eps,
        verdict=verdict,
        needed=more,
    )


def needed(
    n: int, shown: tuple[float | None, float | None, float | None], reference: float, eps: float
) -> int | None:
    """How many more rows a verdict on a distance is expected to take.

    A plan: the interval narrows with the root of the rows. None where no number would do, because
    the distance is ``eps`` itself or the reference of so many rows is too small to tell.

    Parameters
    ----------
    shown
        The distance of ``n`` rows, and the ends of its interval.

    Examples
    --------
    >>> [needed(100, (0.0, 0.0, 0.2), rows, 0.05) for rows in (10_000, 1_000)]
    [1783, None]
    """
    value, low, high = shown
    if value is None or low is None or high is None:
        return None
    gap = abs(eps - value)
    half = high - value if value < eps else value - low
    if gap == 0.0 or half <= 0.0:
        return None
    scale = (1.0 / n + 1.0 / reference) * (gap / half) ** 2 - 1.0 / reference
    return max(math.ceil(1.0 / scale) - n, 1) if scale > 0.0 else None


def metrics_each(windows: Sequence[tuple[Subject, Ints]]) -> list[Metrics]:
    """For each window PSI, JS and TV of every feature, of the score, and of predicted classes or
    items.

    PSI and JS are corrected for chance; their budget is what a window of this size without drift
    exceeds once in a hundred. It is shown, not judged: a verdict needs a distance that matters,
    which total variation has.
    """
    found: dict[tuple[int, str], Metrics] = {}
    for group in alike(windows):
        rows = zip(group.windows.tolist(), group.features, strict=True)
        found |= zip(rows, _three(group, windows), strict=True)
    return [
        [metric for name in drifting(subject) for metric in found.get((place, name), ())]
        for place, (subject, _) in enumerate(windows)
    ]


def _three(group: Alike, windows: Sequence[tuple[Subject, Ints]]) -> list[Metrics]:
    """PSI, JS and TV of features with as many bins, of these windows."""
    both, bins = group.both, group.both.window.shape[1]
    sums = [as_floats(counts.sum(axis=-1)) for counts in both]
    served = [round(rows) for rows in (sums[0] * group.dispersion).tolist()]
    sizes = [tuple(max(round(rows), 1) for rows in own) for own in zip(*sums, strict=True)]
    found: list[Metrics] = [[] for _ in group.features]
    for name, measure in (("psi", psi), ("js", js)):
        columns = (measure.corrected(*both), *measure.interval(*both, LEVEL))
        for place, ends in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            value, low, high = (number(end) for end in ends)
            found[place].append(
                Metric(
                    name=name,
                    feature=group.features[place],
                    n=served[place],
                    value=value,
                    low=low,
                    high=high,
                    budget=number(measure.threshold(*sizes[place], bins, NULL_LEVEL)),
                )
            )
    columns = (tv.corrected(*both), *tv.interval(*both, LEVEL))
    for place, ends in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        subject, _ = windows[int(group.windows[place])]
        eps = float(group.eps[place])
        found[place].append(_tv(subject, group.features[place], served[place], ends, eps=eps))
    return found


def _total(subject: Subject, feature: str) -> float:
    """Rows of the reference."""
    reference = reference_counts(subject, feature)
    return 0.0 if reference is None else float(reference.sum())


def pit(subject: Subject, labels: Ints) -> list[Metric]:
    """Total variation of truths between a forecast's quantiles from the shares they promise."""
    shown = tv_metric(subject, labels, PIT, eps=eps_of(subject, PIT), name="pit")
    return [] if shown is None else [shown]
