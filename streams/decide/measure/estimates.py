"""Estimates of what labels will show, from the scores of a window and a labelled reference."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detectors.arrays import FloatArray, as_floats
from detectors.bets.grid import Side
from detectors.estimation import cbpe
from detectors.estimation.rescore import Rescore
from detectors.metrics.auc import auc
from detectors.metrics.confusion import confusion
from detectors.metrics.estimate import Estimate
from detectors.metrics.f1 import F1
from detectors.quantities import sums_of
from detectors.summary import Ints
from schemas.windows import Metric, Verdict
from streams.decide.measure.awaited import awaited
from streams.decide.measure.interval import LEVEL, judge, number, worst
from streams.decide.subject import Subject

ESTIMATES = {
    "estimated_error_rate": ("error_rate", "error rate"),
    "estimated_recall": ("recall", "recall"),
    "estimated_precision": ("precision", "precision"),
    "estimated_f1": ("f1", "F1"),
    "estimated_auc": ("auc", "AUC"),
}
"""Each with the metric that it estimates, and that one's name for people."""

_MANY = 1e12
"""So many times the rows of a window leave nothing but the error of the map."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows, and rows with a positive decision, by tenth of the score, both of shape (10,)."""

    n: FloatArray
    n1: FloatArray

    @property
    def rows(self) -> float:
        """All rows."""
        return float(self.n.sum())


def scored(subject: Subject, inputs: Ints) -> Scored | None:
    """Predictions of an input pane by score; None where nothing can be estimated of them."""
    layout = subject.inputs
    if subject.decision_map is None or not layout.counts(inputs, "prob_n").any():
        return None
    return Scored(layout.values(inputs, "prob_n"), layout.values(inputs, "prob_n1"))


def scored_labels(subject: Subject, labels: Ints) -> Scored | None:
    """Labelled predictions of a label pane by score, likewise."""
    layout = subject.labels
    if subject.decision_map is None or not layout.counts(labels, "cal_n").any():
        return None
    return Scored(layout.values(labels, "cal_n"), layout.values(labels, "cal_n1"))


def metrics(
    subject: Subject, inputs: Ints, labels: Ints, start_ms: int, *, judged: bool
) -> list[Metric]:
    """Every estimate of a window; none without a labelled reference, and none of a segment.

    Parameters
    ----------
    judged
        Whether the labels are there, so that estimates are compared with them.
    """
    n = int(subject.inputs.counts(inputs, "prob_n").sum()) if subject.decision_map else 0
    shown = estimated(subject, inputs)
    found = [_metric(subject, name, n, shown[name], start_ms) for name in shown]
    if any(metric.verdict is Verdict.CANNOT_TELL for metric in found):
        far = estimated(subject, inputs, times=_MANY)
        found = [_planned(one, shown[one.name], far[one.name]) for one in found]
    if not judged:
        return found
    return [_rescored(one, realised(subject, labels, ESTIMATES[one.name][0])) for one in found]


def estimated(subject: Subject, inputs: Ints, *, times: float = 1.0) -> dict[str, Estimate]:
    """Estimates by name, with intervals for the value that the window's own labels will give.

    Parameters
    ----------
    times
        As if the window had so many times its rows.
    """
    rows, known, ranks = scored(subject, inputs), subject.decision_map, subject.rank_map
    expected = awaited(subject.inputs, inputs)
    if rows is None or known is None or expected <= 0:
        return {}
    times *= expected / subject.inputs.count(inputs, "n")
    weight = times / subject.policy.dependence.rows_per_unit
    found = cbpe.estimate(rows.n * weight, rows.n1 * weight, known, LEVEL)
    estimates = {
        "estimated_error_rate": found.error_rate,
        "estimated_recall": found.recall,
        "estimated_precision": found.precision,
        "estimated_f1": found.f1,
    }
    if ranks is not None:
        scores = subject.inputs.values(inputs, "score") * weight
        estimates["estimated_auc"] = cbpe.estimate_auc(scores, ranks, LEVEL)
    return estimates


def realised(subject: Subject, labels: Ints, metric: str) -> float | None:
    """A metric as the labels of a window show it; None where they do not define it."""
    layout = subject.labels
    if metric == "auc":
        pos = layout.values(labels, "bin_pos")
        return number(float(auc(pos, as_floats(layout.values(labels, "bin_n") - pos))))
    if metric == "f1":
        counts = (layout.total(labels, name) for name in ("tp", "fp", "fn", "tn"))
        return number(float(F1.value(confusion(*counts))))
    sums = sums_of(layout, labels, metric)
    return None if sums is None else sums.mean


def _metric(subject: Subject, name: str, n: int, shown: Estimate, start_ms: int) -> Metric:
    value, low, high = (number(float(end)) for end in shown)
    levels = _levels(subject, ESTIMATES[name][0], start_ms)
    judged = [
        verdict
        for worse, level in levels.items()
        if (verdict := judge(low, high, level, worse)) is not None
    ]
    return Metric(
        name=name,
        n=n,
        value=value,
        low=low,
        high=high,
        budget=levels.get("above"),
        floor=levels.get("below"),
        verdict=worst(judged) if judged else None,
        assumes=cbpe.ASSUMPTION.removeprefix("assumes "),
    )


def _planned(metric: Metric, shown: Estimate, far: Estimate) -> Metric:
    """An undecided metric with the rows that a verdict takes."""
    if metric.verdict is not Verdict.CANNOT_TELL:
        return metric
    sides: tuple[tuple[float | None, Side], ...] = (
        (metric.budget, "above"),
        (metric.floor, "below"),
    )
    more = [
        _needed(metric.n, shown, far, level)
        for level, worse in sides
        if level is not None and judge(metric.low, metric.high, level, worse) is Verdict.CANNOT_TELL
    ]
    needed = max((rows for rows in more if rows is not None), default=None)
    return metric.model_copy(update={"needed": needed})


def _levels(subject: Subject, metric: str, start_ms: int) -> dict[Side, float]:
    """The levels of the metric that is estimated."""
    policy = subject.policy
    found: dict[Side, float] = {
        level.worse: level.at(start_ms, policy.window_ms)
        for level in subject.levels
        if level.metric == metric and not level.feature
    }
    floor = {"f1": policy.floors.f1, "auc": policy.floors.auc}.get(metric)
    return found if floor is None else {**found, "below": floor}


def _needed(n: int, shown: Estimate, far: Estimate, level: float) -> int | None:
    """Rows that bring the end of the interval to the level; None where no number would, for the
    error of the map stays whatever the number of rows."""
    gap = abs(float(shown.value) - level)
    half, least = (float(max(e.high - e.value, e.value - e.low)) for e in (shown, far))
    if not (math.isfinite(half) and gap > least):
        return None
    return max(math.ceil(n * (half**2 - least**2) / (gap**2 - least**2)) - n, 1)


def _rescored(metric: Metric, truth: float | None) -> Metric:
    """The estimate beside what the labels show."""
    if truth is None or metric.value is None or metric.low is None or metric.high is None:
        return metric
    words = ESTIMATES[metric.name][1]
    found = Rescore(words, metric.value, metric.low, metric.high, truth)
    return metric.model_copy(update={"realised": truth, "note": found.sentence})
