"""AUC and F1 of a window: metrics of its counts that are no mean of rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detectors.metrics import auc
from detectors.metrics.confusion import confusion
from detectors.metrics.estimate import Estimate
from detectors.metrics.f1 import F1
from detectors.summary import Ints, Layout
from schemas.windows import Metric
from streams.decide.measure.interval import LEVEL, estimated
from streams.decide.subject import Subject

SMOOTH = ("auc", "f1")

FIELDS = {"auc": ("bin_n", "bin_pos"), "f1": ("tp", "fp", "fn", "tn")}
"""The counts that each is made of, shape (B,) or (1,)."""


class Shown(NamedTuple):
    """A metric with its interval, and the labels behind it; of one window of shape ()."""

    n: Ints
    estimate: Estimate


def smooth_of(layout: Layout, vector: Ints, metric: str, *, rows_per_unit: int = 1) -> Shown | None:
    """AUC or F1 of a label pane; None where it does not have the counts.

    NaN where the metric is undefined: AUC without both classes, F1 without a positive.

    Parameters
    ----------
    rows_per_unit
        Most rows that depend on each other: so many count as one in the interval.
    """
    counts = _counts(layout, vector, metric)
    return None if counts is None else _of_counts(counts, metric, rows_per_unit)


def metrics_each(windows: Sequence[tuple[Subject, Ints]]) -> list[list[Metric]]:
    """For each window AUC, where the reference has scores, and F1; none where the task has
    neither. Those of windows alike are worked out at once."""
    found: list[list[Metric]] = [[] for _ in windows]
    for metric in SMOOTH:
        alike: defaultdict[tuple[int, int], list[tuple[int, Ints]]] = defaultdict(list)
        for place, (subject, vector) in enumerate(windows):
            counts = _counts(subject.labels, vector, metric)
            if counts is not None:
                rows = subject.policy.dependence.rows_per_unit
                alike[counts.shape[1], rows].append((place, counts))
        for (_, rows), some in alike.items():
            shown = _of_counts(np.stack([counts for _, counts in some], axis=1), metric, rows)
            columns = (column.tolist() for column in (shown.n, *shown.estimate))
            for (place, _), n, *ends in zip(some, *columns, strict=True):
                floor = getattr(windows[place][0].policy.floors, metric)
                found[place].append(estimated(metric, n, ends, floor=floor))
    return found


def _counts(layout: Layout, vector: Ints, metric: str) -> Ints | None:
    """The counts of a metric, shape (F, B); None where a pane does not have them."""
    if any(name not in layout for name in FIELDS[metric]):
        return None
    return np.stack([layout.counts(vector, name) for name in FIELDS[metric]])


def _of_counts(counts: Ints, metric: str, rows_per_unit: int) -> Shown:
    """A metric of counts of shape (F, ..., B)."""
    if metric == "auc":
        every, positive = counts
        found = auc.interval(positive / rows_per_unit, (every - positive) / rows_per_unit, LEVEL)
        return Shown(every.sum(axis=-1), found)
    cells = counts[..., 0]
    return Shown(cells.sum(axis=0), F1.interval(confusion(*(cells / rows_per_unit)), LEVEL))
