"""WindowResult: all that is known of a window, from its sums alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, TypedDict

import numpy as np

from detectors.fairness.gaps import LEAST
from detectors.outcomes import classes_of
from detectors.outcomes.contract import DELAYS_MS
from detectors.outcomes.feedback import WEIGHTED_METRICS, sources_of
from detectors.quantities import (
    CLASS_METRICS,
    FEATURE_METRICS,
    INPUT_METRICS,
    LABEL_METRICS,
    TOLD_METRICS,
    sums_of,
)
from detectors.summary import Ints
from schemas.ids import content_id
from schemas.predictions import Arm
from schemas.summaries import Part
from schemas.windows import Bin, Coverage, Metric, Verdict, WindowResult
from streams.decide.completeness import UNKNOWN, Expected
from streams.decide.keys import WindowKey
from streams.decide.levels import Level, feature_levels
from streams.decide.measure import (
    calibration,
    drift,
    drift_list,
    embeddings,
    estimates,
    fairness,
    items,
    latency,
    patterns,
    smooth,
)
from streams.decide.measure.awaited import awaited
from streams.decide.measure.interval import metric_of, worst
from streams.decide.measure.labels import LABEL_RATE, sums_beside, weighted
from streams.decide.measure.shed import lacks, marked, shed
from streams.decide.subject import Subject


def window_id(key: WindowKey) -> str:
    """Id of a window, the same in every revision."""
    return content_id("window", *key)


class Shared(NamedTuple):
    """Metrics of a window that are worked out for many windows at once."""

    drift: list[Metric]
    calibration: list[Metric]
    smooth: list[Metric]


def shared_each(windows: Sequence[tuple[Subject, Ints, Ints]]) -> list[Shared]:
    """The same of windows, each with its inputs and labels."""
    of_labels = [(subject, labels) for subject, _, labels in windows]
    columns = (
        drift.metrics_each([(subject, inputs) for subject, inputs, _ in windows]),
        calibration.metrics_each([(subject.labels, labels) for subject, labels in of_labels]),
        smooth.metrics_each(of_labels),
    )
    return [Shared(*own) for own in zip(*columns, strict=True)]


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
    expected: Expected = UNKNOWN,
    beside: Mapping[Part, fairness.Beside] = MappingProxyType({}),
    drifted: Sequence[str] = (),
    shared: Shared | None = None,
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
    expected
        What windows before it let expect of its labels.
    beside
        Inputs and labels of the group that a group's window is compared with, if there is one.
    drifted
        Features that had drifted by the time the window was judged.
    shared
        What `shared_each` gives for it, where that was worked out for many windows.
    """
    if shared is None:
        (shared,) = shared_each([(subject, inputs, labels)])
    known = coverage(subject, inputs, labels, matured=matured, expected=expected)
    lost = shed(subject, inputs)
    seen = _input_metrics(subject, inputs, key.start_ms, beside.get(Part.INPUT))
    seen += shared.drift
    of_labels = _label_metrics(
        subject, inputs, labels, known, key.start_ms, beside.get(Part.LABEL), shared
    )
    metrics = [
        *of_labels,
        *(marked(metric, subject, lost) for metric in seen),
    ]
    if subject.group:
        metrics = [fairness.hidden(metric) for metric in metrics]
    # An estimate may rest on what is no longer so: it never makes a window degraded by itself.
    verdict = worst([metric.verdict for metric in metrics if metric.verdict is not None])
    judged = known.matured and known.share >= subject.policy.labels.coverage
    foreseen = estimates.metrics(subject, inputs, labels, key.start_ms, judged=judged)
    metrics += [marked(metric, subject, lost) for metric in foreseen]
    return WindowResult(
        id=window_id(key),
        model=key.model,
        version=key.version,
        arm=Arm(key.arm),
        segment=key.segment,
        against=beside[Part.INPUT].segment if beside else "",
        start_ms=key.start_ms,
        end_ms=key.start_ms + subject.window_ms,
        policy=key.policy,
        reference=key.reference,
        predictions=subject.inputs.count(inputs, "n"),
        late=late,
        duplicates=subject.inputs.count(inputs, "n_duplicate"),
        strays=subject.inputs.count(inputs, "n_stray"),
        shed={kind.value: n for kind, n in lost.items()},
        coverage=known,
        verdict=verdict,
        metrics=metrics,
        drifted=[] if lacks(lost, subject, "drift_list") else drift_list.drifted(subject, inputs),
        drifted_so_far=list(drifted),
        reliability=_reliability(subject, labels),
        revision=revision,
        cut=cut,
    )


def _reliability(subject: Subject, labels: Ints) -> list[Bin]:
    """Points of the reliability diagram, of a group only where its numbers are shown."""
    few = subject.group and subject.labels.count(labels, "n") < LEAST
    return [] if few else calibration.bins(subject.labels, labels)


def coverage(
    subject: Subject,
    inputs: Ints,
    labels: Ints,
    *,
    matured: bool,
    expected: Expected = UNKNOWN,
) -> Coverage:
    """How much of the truth of a window is known, and how long it took to come."""
    predictions = awaited(subject.inputs, inputs)
    labelled = subject.labels.count(labels, "n")
    return Coverage(
        predictions=predictions,
        labelled=labelled,
        share=labelled / predictions if predictions > 0 else 0.0,
        matured=matured,
        median_delay_ms=_median_delay_ms(subject.labels.counts(labels, "delay")),
        expected_share=expected.share,
        complete_ms=expected.complete_ms,
    )


def _median_delay_ms(counts: Ints) -> int | None:
    """Upper end of the bucket of the median delay; None without labels, or beyond all buckets."""
    total = int(counts.sum())
    if total <= 0:
        return None
    bucket = int(np.searchsorted(np.cumsum(counts), (total + 1) // 2))
    return DELAYS_MS[bucket] if bucket < len(DELAYS_MS) else None


def _label_metrics(
    subject: Subject,
    inputs: Ints,
    labels: Ints,
    known: Coverage,
    start_ms: int,
    beside: fairness.Beside | None,
    shared: Shared,
) -> list[Metric]:
    found = [
        metric_of(name, sums, **_levels(subject, name, start_ms))
        for name in LABEL_METRICS
        if (sums := sums_of(subject.labels, labels, name)) is not None
    ]
    found += [
        metric_of(name, sums, feature=of, **_levels(subject, name, start_ms, of))
        for of in classes_of(subject.policy, subject.reference)
        for name in CLASS_METRICS
        if (sums := sums_of(subject.labels, labels, name, of)) is not None
    ]
    found += shared.calibration
    found += drift.pit(subject, labels)
    found += shared.smooth
    found += fairness.metrics(subject, labels, beside, Part.LABEL)
    found += _told(subject, inputs, labels, start_ms)
    came = _label_rate(subject, inputs, labels, known, start_ms)
    floor = subject.policy.labels.coverage
    if known.matured and known.share >= floor:
        return found + came
    missing = max(math.ceil(floor * known.predictions) - known.labelled, 0)
    return [_undecided(metric, missing) for metric in found] + came


def _told(subject: Subject, inputs: Ints, labels: Ints, start_ms: int) -> list[Metric]:
    """What is known of the labels themselves, and errors weighted by their propensity."""
    sources = sources_of(subject.policy)
    found = [
        metric_of(name, sums, feature=of, **_levels(subject, name, start_ms, of))
        for of in ("", *sources)
        for name in TOLD_METRICS
        if (sums := sums_of(subject.labels, labels, name, of)) is not None and sums.n > 0
    ]
    levels = [
        (name, level["budget"], level["dispersion"])
        for name in WEIGHTED_METRICS
        for level in (_levels(subject, name, start_ms),)
    ]
    return found + weighted(subject.inputs, inputs, subject.labels, labels, levels)


def _label_rate(
    subject: Subject, inputs: Ints, labels: Ints, known: Coverage, start_ms: int
) -> list[Metric]:
    """Share of predictions with a label: judged at maturity, above all where there are few."""
    sums = sums_beside(subject.inputs, inputs, subject.labels, labels, LABEL_RATE)
    if sums is None or not 0 <= sums.s <= sums.n or sums.n == 0:
        return []
    level = _levels(subject, LABEL_RATE, start_ms)
    metric = metric_of(LABEL_RATE, sums, **level)
    return [metric if known.matured else _undecided(metric, 0)]


def _undecided(metric: Metric, missing: int) -> Metric:
    """Too early or too few labels: cannot tell, whatever the interval says."""
    if metric.verdict is None:
        return metric
    return metric.model_copy(update={"verdict": Verdict.CANNOT_TELL, "needed": missing or None})


def _input_metrics(
    subject: Subject, inputs: Ints, start_ms: int, beside: fairness.Beside | None
) -> list[Metric]:
    found = [
        metric_of(name, sums, **_levels(subject, name, start_ms))
        for name in INPUT_METRICS
        if (sums := sums_of(subject.inputs, inputs, name)) is not None and sums.n > 0
    ]
    found += fairness.metrics(subject, inputs, beside, Part.INPUT)
    found += latency.metrics(subject.inputs, inputs)
    found += items.metrics(subject, inputs)
    found += patterns.metrics(subject, inputs)
    found += embeddings.metrics(subject, inputs)
    for feature in subject.features:
        found += [
            metric_of(
                name,
                sums,
                feature=feature.name,
                **_levels(subject, name, start_ms, feature.name),
            )
            for name in FEATURE_METRICS
            if (sums := sums_of(subject.inputs, inputs, name, feature.name)) is not None
            and sums.n > 0
        ]
    return found


class _Levels(TypedDict):
    budget: float | None
    floor: float | None
    dispersion: float


def _levels(subject: Subject, metric: str, start_ms: int, feature: str = "") -> _Levels:
    """Budget and floor of a metric in a window, and how many events count as one."""
    policy = subject.policy
    own = _levels_of(subject).get((metric, feature), ())
    found = {level.worse: level.at(start_ms, policy.window_ms) for level in own}
    rows = float(policy.dependence.rows_per_unit)
    return _Levels(
        budget=found.get("above"),
        floor=found.get("below"),
        dispersion=max([rows, *(level.dispersion for level in own)]),
    )


@lru_cache(maxsize=drift.SUBJECTS)
def _levels_of(subject: Subject) -> Mapping[tuple[str, str], Sequence[Level]]:
    """Levels of a stream and of its features by metric, and by feature where they are of one."""
    found: dict[tuple[str, str], list[Level]] = {}
    own = (level for feature in subject.features for level in feature_levels(feature))
    for level in (*subject.levels, *own):
        found.setdefault((level.metric, level.feature), []).append(level)
    return found
