"""PSI, Jensen-Shannon divergence and total variation of each feature and of the score."""

from __future__ import annotations

from detectors.arrays import FloatArray, as_floats
from detectors.drift import js, psi, tv
from detectors.summary import Ints
from schemas.windows import Metric
from streams.decide.measure.interval import LEVEL, judge, number
from streams.decide.subject import Subject

SCORE = "<score>"
"""Stands for the score where a feature is named; no feature of a reference is called that."""

NULL_LEVEL = 0.01
"""Chance that a window without drift exceeds the threshold shown beside PSI and JS."""


def drifting(subject: Subject) -> list[str]:
    """Features with a reference and drift tests asked for, and the score if it has one."""
    names = [
        feature.name
        for feature in subject.features
        if feature.contract.drift and feature.bins >= 2 and _has_rows(subject, feature.name)
    ]
    return names + ([SCORE] if _has_rows(subject, SCORE) else [])


def reference_counts(subject: Subject, feature: str) -> FloatArray | None:
    """Histogram of a feature in the reference, shape (B,); None where there is none."""
    profile = subject.reference
    if profile is None:
        return None
    if feature == SCORE:
        return None if profile.score is None else as_floats(profile.score.counts)
    known = profile.numeric.get(feature) or profile.categorical.get(feature)
    return None if known is None else as_floats(known.counts)


def histogram_of(subject: Subject, vector: Ints, feature: str) -> Ints | None:
    """Histogram of a feature in a window, shape (B,); None where the pane keeps none."""
    name = "score" if feature == SCORE else f"{feature}:hist"
    return subject.inputs.counts(vector, name) if name in subject.inputs else None


def tv_metric(subject: Subject, vector: Ints, feature: str, *, eps: float) -> Metric | None:
    """Total variation, corrected for chance, against the smallest distance that matters."""
    counts, reference = histogram_of(subject, vector, feature), reference_counts(subject, feature)
    if counts is None or reference is None or int(counts.sum()) <= 0:
        return None
    low, high = (number(float(end)) for end in tv.interval(counts, reference, LEVEL))
    return Metric(
        name="tv",
        feature=feature,
        n=int(counts.sum()),
        value=number(float(tv.corrected(counts, reference))),
        low=low,
        high=high,
        budget=eps,
        verdict=judge(low, high, eps),
    )


def metrics(subject: Subject, vector: Ints) -> list[Metric]:
    """PSI, JS and TV of every feature and of the score.

    PSI and JS are corrected for chance; their budget is what a window of this size without drift
    exceeds once in a hundred. It is shown, not judged: a verdict needs a distance that matters,
    which total variation has.
    """
    return [metric for feature in drifting(subject) for metric in _three(subject, vector, feature)]


def _three(subject: Subject, vector: Ints, feature: str) -> list[Metric]:
    counts, reference = histogram_of(subject, vector, feature), reference_counts(subject, feature)
    if counts is None or reference is None or int(counts.sum()) <= 0:
        return []
    n, m, bins = int(counts.sum()), int(reference.sum()), int(counts.size)
    found = [
        Metric(
            name=name,
            feature=feature,
            n=n,
            value=number(float(measure.corrected(counts, reference))),
            low=number(float(low)),
            high=number(float(high)),
            budget=number(measure.threshold(n, m, bins, NULL_LEVEL)),
        )
        for name, measure in (("psi", psi), ("js", js))
        for low, high in (measure.interval(counts, reference, LEVEL),)
    ]
    shown = tv_metric(subject, vector, feature, eps=eps_of(subject, feature))
    return found if shown is None else [*found, shown]


def eps_of(subject: Subject, feature: str) -> float:
    """Smallest distance that matters for a feature, or for the score."""
    drift = subject.policy.drift
    return drift.score if feature == SCORE else drift.features


def _has_rows(subject: Subject, feature: str) -> bool:
    counts = reference_counts(subject, feature)
    return counts is not None and counts.size >= 2 and float(counts.sum()) > 0
