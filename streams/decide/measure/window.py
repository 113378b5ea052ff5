"""WindowResult: all that is known of a window, from its sums alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypedDict

import numpy as np

from detectors.outcomes.contract import DELAYS_MS
from detectors.quantities import FEATURE_METRICS, INPUT_METRICS, LABEL_METRICS, sums_of
from detectors.summary import Ints
from schemas.ids import content_id
from schemas.predictions import Arm
from schemas.windows import Coverage, Metric, Verdict, WindowResult
from streams.decide.levels import Level, feature_levels
from streams.decide.measure import calibration, drift, latency
from streams.decide.measure.interval import metric_of, worst
from streams.decide.state import WindowKey
from streams.decide.subject import Subject


def window_id(key: WindowKey) -> str:
    """Id of a window, the same in every revision."""
    return content_id("window", *key)


def window_result(
    key: WindowKey,
    subject: Subject,
    inputs: Ints,
    late: int,
    labels: Ints,
    *,
    matured: bool,
    revision: int,
    cut: dict[str, int],
) -> WindowResult:
    """The result of a window.

    Parameters
    ----------
    inputs, labels
        All rows of the window, late ones included.
    late
        How many predictions of them were late.
    matured
        Whether its labels are old enough to be judged.
    """
    known = coverage(subject, inputs, labels, matured=matured)
    metrics = [
        *_label_metrics(subject, labels, known),
        *_input_metrics(subject, inputs),
    ]
    return WindowResult(
        id=window_id(key),
        model=key.model,
        version=key.version,
        arm=Arm(key.arm),
        segment=key.segment,
        start_ms=key.start_ms,
        end_ms=key.start_ms + subject.policy.window_ms,
        policy=key.policy,
        reference=key.reference,
        predictions=subject.inputs.count(inputs, "n"),
        late=late,
        duplicates=subject.inputs.count(inputs, "n_duplicate"),
        strays=subject.inputs.count(inputs, "n_stray"),
        coverage=known,
        verdict=worst([metric.verdict for metric in metrics if metric.verdict is not None]),
        metrics=metrics,
        reliability=calibration.bins(subject.labels, labels),
        revision=revision,
        cut=cut,
    )


def coverage(subject: Subject, inputs: Ints, labels: Ints, *, matured: bool) -> Coverage:
    """How much of the truth of a window is known, and how long it took to come."""
    predictions = subject.inputs.count(inputs, "n")
    labelled = subject.labels.count(labels, "n")
    return Coverage(
        predictions=predictions,
        labelled=labelled,
        share=labelled / predictions if predictions > 0 else 0.0,
        matured=matured,
        median_delay_ms=_median_delay_ms(subject.labels.counts(labels, "delay")),
    )


def _median_delay_ms(counts: Ints) -> int | None:
    """Upper end of the bucket of the median delay; None without labels, or beyond all buckets."""
    total = int(counts.sum())
    if total <= 0:
        return None
    bucket = int(np.searchsorted(np.cumsum(counts), (total + 1) // 2))
    return DELAYS_MS[bucket] if bucket < len(DELAYS_MS) else None


def _label_metrics(subject: Subject, labels: Ints, known: Coverage) -> list[Metric]:
    found = [
        metric_of(name, sums, **_levels(subject.levels, name))
        for name in LABEL_METRICS
        if (sums := sums_of(subject.labels, labels, name)) is not None
    ]
    found += calibration.metrics(subject.labels, labels)
    floor = subject.policy.labels.coverage
    if known.matured and known.share >= floor:
        return found
    missing = max(math.ceil(floor * known.predictions) - known.labelled, 0)
    return [_undecided(metric, missing) for metric in found]


def _undecided(metric: Metric, missing: int) -> Metric:
    """Too early or too few labels: cannot tell, whatever the interval says."""
    if metric.verdict is None:
        return metric
    return metric.model_copy(update={"verdict": Verdict.CANNOT_TELL, "needed": missing or None})


def _input_metrics(subject: Subject, inputs: Ints) -> list[Metric]:
    found = [
        metric_of(name, sums, **_levels(subject.levels, name))
        for name in INPUT_METRICS
        if (sums := sums_of(subject.inputs, inputs, name)) is not None and sums.n > 0
    ]
    found += latency.metrics(subject.inputs, inputs)
    for feature in subject.features:
        levels = feature_levels(feature)
        found += [
            metric_of(name, sums, feature=feature.name, **_levels(levels, name))
            for name in FEATURE_METRICS
            if (sums := sums_of(subject.inputs, inputs, name, feature.name)) is not None
            and sums.n > 0
        ]
    return found + drift.metrics(subject, inputs)


class _Levels(TypedDict):
    budget: float | None
    floor: float | None


def _levels(levels: Iterable[Level], metric: str) -> _Levels:
    """Budget and floor of a metric."""
    found = {level.worse: level.limit for level in levels if level.metric == metric}
    return _Levels(budget=found.get("above"), floor=found.get("below"))
