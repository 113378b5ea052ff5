"""AUC and F1 of a window: metrics of its counts that are no mean of rows."""

from __future__ import annotations

from typing import NamedTuple

from detectors.metrics import auc
from detectors.metrics.confusion import confusion
from detectors.metrics.estimate import Estimate
from detectors.metrics.f1 import F1
from detectors.summary import Ints, Layout
from schemas.windows import Metric
from streams.decide.measure.interval import LEVEL, estimated
from streams.decide.subject import Subject

SMOOTH = ("auc", "f1")


class Shown(NamedTuple):
    """A metric with its interval, of shape (), and the labels behind it."""

    n: int
    estimate: Estimate


def smooth_of(layout: Layout, vector: Ints, metric: str, *, rows_per_unit: int = 1) -> Shown | None:
    """AUC or F1 of a label pane; None where it does not have the counts.

    NaN where the metric is undefined: AUC without both classes, F1 without a positive.

    Parameters
    ----------
    rows_per_unit
        Most rows that depend on each other: so many count as one in the interval.
    """
    if metric == "auc":
        if "bin_pos" not in layout:
            return None
        every, positive = layout.values(vector, "bin_n"), layout.values(vector, "bin_pos")
        found = auc.interval(positive / rows_per_unit, (every - positive) / rows_per_unit, LEVEL)
        return Shown(int(every.sum()), found)
    if "tp" not in layout:
        return None
    cells = [layout.count(vector, name) for name in ("tp", "fp", "fn", "tn")]
    counts = confusion(*(cell / rows_per_unit for cell in cells))
    return Shown(sum(cells), F1.interval(counts, LEVEL))


def metrics(subject: Subject, vector: Ints) -> list[Metric]:
    """AUC, where the reference has scores, and F1; none where the task has neither."""
    rows, floors = subject.policy.dependence.rows_per_unit, subject.policy.floors
    return [
        estimated(name, shown.n, shown.estimate, floor=getattr(floors, name))
        for name in SMOOTH
        if (shown := smooth_of(subject.labels, vector, name, rows_per_unit=rows)) is not None
    ]
