"""Measures of labels that take the predictions beside them: label rate, weighted error."""

from __future__ import annotations

import math
from collections.abc import Iterable

from detectors.estimation.propensity import CAP, WeightSums, hajek_mean
from detectors.outcomes.feedback import WEIGHTED_METRICS
from detectors.quantities import Sums
from detectors.summary import Ints, Layout
from schemas.windows import Metric, Verdict
from streams.decide.measure.awaited import awaited
from streams.decide.measure.interval import judge, needed, number

LABEL_RATE = "label_rate"

BESIDE = frozenset({LABEL_RATE, *WEIGHTED_METRICS})
"""Metrics of which a label pane alone does not know how many events there were."""

UNCOVERED = frozenset({LABEL_RATE, "no_labels"})
"""Metrics that are judged however few labels there are: that is when they matter."""


def sums_beside(
    inputs: Layout, served: Ints, labels: Layout, told: Ints, metric: str
) -> Sums | None:
    """A metric of `BESIDE`, of the predictions and the labels of one window.

    Weighted errors count with each prediction, by 0 where it has no label: their mean is that of
    all predictions, if every propensity is right.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.summary import Field
    >>> layout = Layout((Field("n"),))
    >>> sums_beside(layout, np.array([10]), layout, np.array([7]), "label_rate")
    Sums(n=10, s=7.0, q=None, lo=0.0, hi=1.0)
    """
    n = awaited(inputs, served)
    if metric == LABEL_RATE:
        return Sums(n, float(labels.count(told, "n")))
    field = WEIGHTED_METRICS[metric]
    if f"ipw_{field}_wx" not in labels:
        return None
    first, second = (labels.total(told, f"ipw_{field}_{power}") for power in ("wx", "w2x2"))
    return Sums(n, first, second, hi=CAP)


def weighted(
    inputs: Layout,
    served: Ints,
    labels: Layout,
    told: Ints,
    levels: Iterable[tuple[str, float | None, float]],
) -> list[Metric]:
    """Weighted errors of a window, with effective sizes behind their intervals.

    Parameters
    ----------
    levels
        Each metric with its budget, None where it has none, and how many events that depend on
        each other count as one.
    """
    return [
        _weighted(inputs, served, labels, told, metric, budget, dispersion)
        for metric, budget, dispersion in levels
        if f"ipw_{WEIGHTED_METRICS[metric]}_wx" in labels
    ]


def _weighted(
    inputs: Layout,
    served: Ints,
    labels: Layout,
    told: Ints,
    metric: str,
    budget: float | None,
    dispersion: float,
) -> Metric:
    field, n = WEIGHTED_METRICS[metric], labels.count(told, "ipw_n")
    if n <= 0:
        verdict = None if budget is None else Verdict.CANNOT_TELL
        return Metric(name=metric, n=0, value=None, budget=budget, verdict=verdict)
    sums = WeightSums(
        n=awaited(inputs, served) / dispersion,
        w=labels.total(told, "ipw_w") / dispersion,
        wx=labels.total(told, f"ipw_{field}_wx") / dispersion,
        w2=labels.total(told, "ipw_w2") / dispersion,
        w2x=labels.total(told, f"ipw_{field}_w2x") / dispersion,
        w2x2=labels.total(told, f"ipw_{field}_w2x2") / dispersion,
        lost=labels.total(told, "ipw_lost") / dispersion,
    )
    mean, low, high = (number(float(x)) for x in hajek_mean(sums))
    verdict = judge(low, high, budget)
    return Metric(
        name=metric,
        n=n,
        value=mean,
        low=low,
        high=high,
        budget=budget,
        verdict=verdict,
        needed=_needed(n, float(sums.effective_size), mean, budget)
        if verdict is Verdict.CANNOT_TELL
        else None,
    )


def _needed(n: int, effective: float, mean: float | None, budget: float | None) -> int | None:
    """How many more labels a verdict takes, at the weights that there were so far."""
    if mean is None or not effective > 0.0:
        return None
    alike = Sums(max(round(effective), 1), mean * max(round(effective), 1))
    more = needed(alike, budget)
    return None if more is None else math.ceil(more * n / effective)
