"""WindowResult: all that is known of a window, from its sums alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from detectors.fairness.gaps import LEAST
from detectors.outcomes.contract import DELAYS_MS
from detectors.outcomes.feedback import WEIGHTED_METRICS
from detectors.summary import Ints
from schemas.ids import content_id
from schemas.predictions import Arm
from schemas.summaries import Part
from schemas.windows import Bin, Coverage, Metric, Verdict, WindowResult
from streams.decide.completeness import UNKNOWN, Expected
from streams.decide.keys import WindowKey
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
from streams.decide.measure.rates import Rates, levels_of, rates_each
from streams.decide.measure.shed import lacks, marked, shed
from streams.decide.subject import Subject


def window_id(key: WindowKey) -> str:
    """Id of a window, the same in every revision."""
    return content_id("window", *key)


class Shared(NamedTuple):
    """What of a window is worked out for many windows at once."""

    rates: Rates
    drift: list[Metric]
    drifted: list[str]
    calibration: list[Metric]
    smooth: list[Metric]


def shared_each(windows: Sequence[tuple[Subject, Ints, Ints, int]]) -> list[Shared]:
    """The same of windows, each with its inputs, its labels and its start."""
    of_inputs = [(subject, inputs) for subject, inputs, _, _ in windows]
    of_labels = [(subject, labels) for subject, _, labels, _ in windows]
    columns = (
        rates_each(windows),
        drift.metrics_each(of_inputs),
        _drifted_each(of_inputs),
        calibration.metrics_each([(subject.labels, labels) for subject, labels in of_labels]),
        smooth.metrics_each(of_labels),
    )
    return [Shared(*own) for own in zip(*columns, strict=True)]


def _drifted_each(windows: Sequence[tuple[Subject, Ints]]) -> list[list[str]]:
    """Names of what drifted in each window, none of a segment."""
    whole = [place for place, (subject, _) in enumerate(windows) if subject.whole]
    listed = drift_list.listed_each([windows[place] for place in whole])
    found = {place: own.names for place, own in zip(whole, listed, strict=True)}
    return [found.get(place, []) for place in range(len(windows))]


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
        (shared,) = shared_each([(subject, inputs, labels, key.start_ms)])
    known = coverage(subject, inputs, labels, matured=matured, expected=expected)
    lost = shed(subject, inputs)
    seen = _input_metrics(subject, inputs, beside.get(Part.INPUT), shared)
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
        drifted=[] if lacks(lost, subject, "drift_list") else shared.drifted,
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
    found = [*shared.rates.labels, *shared.calibration]
    found += drift.pit(subject, labels)
    found += shared.smooth
    found += fairness.metrics(subject, labels, beside, Part.LABEL)
    found += shared.rates.told
    found += _weighted(subject, inputs, labels, start_ms)
    came = _label_rate(subject, inputs, labels, known, start_ms)
    floor = subject.policy.labels.coverage
    if known.matured and known.share >= floor:
        return found + came
    missing = max(math.ceil(floor * known.predictions) - known.labelled, 0)
    return [_undecided(metric, missing) for metric in found] + came


def _weighted(subject: Subject, inputs: Ints, labels: Ints, start_ms: int) -> list[Metric]:
    """Errors weighted by their propensity."""
    levels = [
        (name, own.at(subject, start_ms)[0], own.dispersion)
        for name in WEIGHTED_METRICS
        for own in (levels_of(subject, name),)
    ]
    return weighted(subject.inputs, inputs, subject.labels, labels, levels)


def _label_rate(
    subject: Subject, inputs: Ints, labels: Ints, known: Coverage, start_ms: int
) -> list[Metric]:
    """Share of predictions with a label: judged at maturity, above all where there are few."""
    sums = sums_beside(subject.inputs, inputs, subject.labels, labels, LABEL_RATE)
    if sums is None or not 0 <= sums.s <= sums.n or sums.n == 0:
        return []
    level = levels_of(subject, LABEL_RATE)
    budget, floor = level.at(subject, start_ms)
    metric = metric_of(LABEL_RATE, sums, budget=budget, floor=floor, dispersion=level.dispersion)
    return [metric if known.matured else _undecided(metric, 0)]


def _undecided(metric: Metric, missing: int) -> Metric:
    """Too early or too few labels: cannot tell, whatever the interval says."""
    if metric.verdict is None:
        return metric
    return metric.model_copy(update={"verdict": Verdict.CANNOT_TELL, "needed": missing or None})


def _input_metrics(
    subject: Subject, inputs: Ints, beside: fairness.Beside | None, shared: Shared
) -> list[Metric]:
    return [
        *shared.rates.inputs,
        *fairness.metrics(subject, inputs, beside, Part.INPUT),
        *latency.metrics(subject.inputs, inputs),
        *items.metrics(subject, inputs),
        *patterns.metrics(subject, inputs),
        *embeddings.metrics(subject, inputs),
        *shared.rates.features,
        *shared.drift,
    ]
