"""A group beside the largest group: ratio and gaps of rates, with intervals for one window."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from detectors.fairness.gaps import LEAST, calibration_gaps, gaps
from detectors.metrics.estimate import Estimate
from detectors.quantities import Sums, sums_of
from detectors.summary import Ints
from schemas.policy import Fairness
from schemas.summaries import Part
from schemas.windows import Metric, Verdict
from streams.decide.measure.interval import LEVEL, estimated
from streams.decide.subject import Subject

SELECTION = "selection_ratio"


@dataclass(frozen=True, slots=True)
class Beside:
    """The group that others are compared with: its segment, and its sums in the same window."""

    segment: str
    vector: Ints


@dataclass(frozen=True, slots=True)
class Criterion:
    """What two groups are compared by: a metric of `detectors.quantities` of each."""

    metric: str
    quantity: str
    part: Part


CRITERIA = (
    Criterion(SELECTION, "positive_rate", Part.INPUT),
    Criterion("tpr_gap", "recall", Part.LABEL),
    Criterion("fpr_gap", "false_positive_rate", Part.LABEL),
    Criterion("ppv_gap", "precision", Part.LABEL),
)

CALIBRATION = "calibration_gap"
COMPARED = (*(criterion.metric for criterion in CRITERIA), CALIBRATION)
"""Metrics of a group beside another one."""


def limits_of(criterion: Criterion, rules: Fairness) -> tuple[float | None, float | None]:
    """Highest and lowest acceptable level, each None where the policy has none.

    Examples
    --------
    >>> rules = Fairness(tpr_gap=0.05)
    >>> [limits_of(one, rules) for one in CRITERIA[:3]]
    [(None, 0.8), (0.05, -0.05), (None, None)]
    """
    if criterion.metric == SELECTION:
        return None, rules.selection_ratio
    gap: float | None = getattr(rules, criterion.metric, None)
    return (None, None) if gap is None else (gap, -gap)


def comparable(subject: Subject) -> bool:
    """Whether a stream is that of a group whose decisions are yes or no."""
    return bool(subject.group) and "tp" in subject.labels


def pair_of(
    criterion: Criterion, subject: Subject, vector: Ints, beside: Beside
) -> tuple[Sums, Sums]:
    """Sums of a group and of the group it is compared with."""
    layout = subject.layout(criterion.part)
    own, against = (
        sums_of(layout, sums, criterion.quantity) or Sums(0, 0.0)
        for sums in (vector, beside.vector)
    )
    return own, against


def compare(criterion: Criterion, own: Sums, against: Sums, rows_per_unit: int) -> Estimate:
    """Ratio (Katz) or difference (Newcombe) of two rates, of shape ().

    NaN where a group has fewer than 30 events: that is noise, and close to single people.
    """
    counts = np.array([[against.s, own.s], [against.n, own.n]])
    found = gaps(*(counts / rows_per_unit), reference=0, alpha=LEVEL)
    shown = found.ratio if criterion.metric == SELECTION else found.difference
    few = min(own.n, against.n) < LEAST
    return Estimate(*(np.asarray(math.nan if few else end[1]) for end in shown))


def metrics(subject: Subject, vector: Ints, beside: Beside | None, part: Part) -> list[Metric]:
    """Every criterion of a part of a pane; none where there is no other group."""
    if beside is None or not comparable(subject):
        return []
    found = [
        _metric(criterion, subject, vector, beside)
        for criterion in CRITERIA
        if criterion.part is part
    ]
    return [*found, _calibration(subject, vector, beside)] if part is Part.LABEL else found


def hidden(metric: Metric) -> Metric:
    """A metric of a group without its numbers, where they are of fewer than 30 events.

    Examples
    --------
    >>> shown = hidden(Metric(name="recall", n=20, value=0.5, verdict=Verdict.HEALTHY))
    >>> shown.value, shown.verdict.value, shown.needed
    (None, 'cannot_tell', 10)
    """
    if metric.n >= LEAST:
        return metric
    update: dict[str, object] = {"value": None, "low": None, "high": None}
    if metric.verdict is not None:
        update |= {"verdict": Verdict.CANNOT_TELL, "needed": LEAST - metric.n}
    return metric.model_copy(update=update)


def _metric(criterion: Criterion, subject: Subject, vector: Ints, beside: Beside) -> Metric:
    own, against = pair_of(criterion, subject, vector, beside)
    budget, floor = limits_of(criterion, subject.policy.fairness)
    found = estimated(
        criterion.metric,
        own.n,
        compare(criterion, own, against, subject.policy.dependence.rows_per_unit),
        feature=subject.group,
        budget=budget,
        floor=floor,
    )
    few = min(own.n, against.n)
    if found.verdict is None or few >= LEAST:
        return found
    return found.model_copy(update={"needed": LEAST - few})


def _calibration(subject: Subject, vector: Ints, beside: Beside) -> Metric:
    """Gap of outcome less score: does a score mean the same for both groups?"""
    layout, rows = subject.labels, subject.policy.dependence.rows_per_unit
    both = (beside.vector, vector)
    n = np.array([layout.values(sums, "cal_n").sum() for sums in both])
    gap = np.array(
        [layout.values(s, "cal_y").sum() - layout.values(s, "cal_p").sum() for s in both]
    )
    squares = np.array([layout.values(sums, "cal_sq").sum() for sums in both])
    found = calibration_gaps(n / rows, gap / rows, squares / rows, reference=0, alpha=LEVEL)
    few = min(n) < LEAST
    shown = Estimate(*(np.asarray(math.nan if few else end[1]) for end in found))
    return estimated(CALIBRATION, int(n[1]), shown, feature=subject.group)
