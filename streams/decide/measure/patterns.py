"""Patterns of a window's answers and inputs: stuck on one answer, rows that come again."""

from __future__ import annotations

from detectors.arrays import FloatArray
from detectors.patterns.constant import limit
from detectors.patterns.repeats import repeats
from detectors.quantities import Sums
from detectors.summary import Ints
from schemas.windows import Metric
from streams.decide.measure.histograms import CLASS, SCORE, histogram_of, reference_counts
from streams.decide.measure.interval import metric_of, number
from streams.decide.subject import Subject

CONSTANT = "constant_output"
REPEATS = "repeat_share"


def answers(subject: Subject) -> str:
    """What may be stuck: the predicted classes, else the score; "" where neither can be told."""
    way = subject.policy.patterns.constant
    if way is None or not subject.whole:
        return ""
    return next((name for name in (CLASS, SCORE) if highest(subject, name) is not None), "")


def highest(subject: Subject, feature: str) -> float | None:
    """Highest acceptable share of one bin of the answers; None of answers that do not vary."""
    reference, way = reference_counts(subject, feature), subject.policy.patterns.constant
    if reference is None or way is None or not float(reference.max()) < float(reference.sum()):
        return None
    return limit(reference, way=way)


def top(counts: FloatArray) -> Sums:
    """Answers of a window, and those of its most common bin."""
    return Sums(round(float(counts.sum())), round(float(counts.max())))


def metrics(subject: Subject, vector: Ints) -> list[Metric]:
    """The share of the most common answer, and that of repeated inputs where they are counted."""
    return [*_constant(subject, vector), *_repeats(subject, vector)]


def _constant(subject: Subject, vector: Ints) -> list[Metric]:
    feature = answers(subject)
    counts = histogram_of(subject, vector, feature) if feature else None
    if counts is None or float(counts.sum()) <= 0.0:
        return []
    rows = subject.policy.dependence.rows_per_unit
    budget = highest(subject, feature)
    return [metric_of(CONSTANT, top(counts), feature=feature, budget=budget, dispersion=rows)]


def _repeats(subject: Subject, vector: Ints) -> list[Metric]:
    """Other rows with the same input, for each row: no less than the share of rows with a twin."""
    if "repeats" not in subject.inputs:
        return []
    counts = subject.inputs.counts(vector, "repeats")
    found, n = repeats(counts), int(counts.sum())
    value = number(float(found.twins))
    if value is None:
        return []
    note = f"without a repeated input 0, with a standard deviation of {float(found.sd):.3f}"
    return [Metric(name=REPEATS, n=n, value=max(value, 0.0), note=note)]
