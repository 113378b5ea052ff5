"""Histograms of features, scores and answers: in windows and in the reference, as they compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import compress
from typing import NamedTuple

import numpy as np

from detectors.answers import WHOLE, item_lists
from detectors.arrays import FloatArray, as_floats
from detectors.calibration.pit import level_reference
from detectors.summary import Ints
from schemas.reference import CategoricalReference, NumericReference
from streams.decide.subject import Subject

SCORE = "<score>"
"""Stands for the score where a feature is named; no feature of a reference is called that."""

CLASS = "<class>"
"""Likewise for the predicted classes."""

ITEMS = "<items>"
"""Likewise for the items of ranked lists."""

PIT = ""
"""Where the truth fell between the quantiles of a regression; of no feature, in label panes."""

ANSWERS = {SCORE: "score", CLASS: "class", ITEMS: "items"}
"""Fields of histograms that are of no feature, in input panes."""

SUBJECTS = 1 << 16
"""So many streams' features are remembered with what they are compared with."""


@lru_cache(maxsize=SUBJECTS)
def drifting(subject: Subject) -> tuple[str, ...]:
    """Features with a reference and drift tests asked for; score, classes, items if it has them."""
    names = [
        feature.name
        for feature in subject.features
        if feature.contract.drift and feature.bins >= 2 and _has_rows(subject, feature.name)
    ]
    return (*names, *(name for name in (SCORE, CLASS, ITEMS) if _has_rows(subject, name)))


@lru_cache(maxsize=SUBJECTS)
def reference_counts(subject: Subject, feature: str) -> FloatArray | None:
    """Histogram of a feature in the reference, shape (B,), not to be written to; None where there
    is none."""
    profile = subject.reference
    if profile is None or (feature in ANSWERS and histogram_name(feature) not in subject.inputs):
        return None
    if feature == PIT:
        return level_reference(profile.quantiles) if "pit" in subject.labels else None
    if feature == ITEMS:
        return None if profile.items is None else as_floats(profile.items.shares) * profile.items.n
    known = (
        {SCORE: profile.score, CLASS: profile.classes}[feature]
        if feature in (SCORE, CLASS)
        else profile.numeric.get(feature) or profile.categorical.get(feature)
    )
    return None if known is None else as_floats(known.counts)


def histogram_of(subject: Subject, vector: Ints, feature: str) -> FloatArray | None:
    """Histogram of a feature in a window, shape (B,); None where the pane keeps none.

    A list counts once, over the buckets of all its items: they are not independent.
    """
    layout = subject.labels if feature == PIT else subject.inputs
    name = histogram_name(feature)
    if name not in layout:
        return None
    return (
        item_lists(layout, vector) if feature == ITEMS else as_floats(layout.counts(vector, name))
    )


def histogram_name(feature: str) -> str:
    """The field of a pane that holds a histogram."""
    return "pit" if feature == PIT else ANSWERS.get(feature) or f"{feature}:hist"


def eps_of(subject: Subject, feature: str) -> float:
    """Smallest distance that matters for a feature, for the score, for a forecast's quantiles."""
    drift = subject.policy.drift
    if feature == PIT:
        return subject.policy.calibration.tolerance
    return drift.score if feature == SCORE else drift.features


def dispersion_of(subject: Subject, feature: str) -> float:
    """So many rows of a feature are worth one independent row, in windows and in the reference."""
    dependence, profile = subject.policy.dependence, subject.reference
    known: NumericReference | CategoricalReference | None = None
    if profile is not None and dependence.estimated:
        known = profile.score if feature == SCORE else None
        known = known or profile.numeric.get(feature) or profile.categorical.get(feature)
    return max(float(dependence.rows_per_unit), 1.0 if known is None else known.dispersion)


class Compared(NamedTuple):
    """A histogram and its reference, both as so many independent rows, shape (B,)."""

    window: FloatArray
    reference: FloatArray


def compared(subject: Subject, vector: Ints, feature: str) -> Compared | None:
    """What measures of drift compare; None where one of the two is missing or empty."""
    counts, reference = histogram_of(subject, vector, feature), reference_counts(subject, feature)
    if counts is None or reference is None or size_of(counts) == 0:
        return None
    return Compared(as_floats(counts / dispersion_of(subject, feature)), _rows_of(subject, feature))


@lru_cache(maxsize=SUBJECTS)
def _rows_of(subject: Subject, feature: str) -> FloatArray:
    """Histogram of a feature in the reference, in independent rows."""
    reference = reference_counts(subject, feature)
    if reference is None:
        raise KeyError(feature)
    return as_floats(reference / dispersion_of(subject, feature))


class _Frame(NamedTuple):
    """F features of a stream with B bins, and where their histograms stand in an input pane.

    So many entries are a row (``unit``), so many rows worth an independent one, and ``eps`` is the
    smallest distance that matters, each of shape (F,). ``reference`` is in independent rows; it and
    the ``places`` have shape (F, B).
    """

    features: tuple[str, ...]
    places: Ints
    unit: FloatArray
    dispersion: FloatArray
    eps: FloatArray
    reference: FloatArray


@lru_cache(maxsize=SUBJECTS)
def _frames(subject: Subject) -> tuple[_Frame, ...]:
    groups: defaultdict[int, list[tuple[str, FloatArray]]] = defaultdict(list)
    for feature in drifting(subject):
        if histogram_name(feature) in subject.inputs:
            reference = _rows_of(subject, feature)
            groups[reference.size].append((feature, reference))
    found = []
    for group in groups.values():
        features = tuple(feature for feature, _ in group)
        columns = (
            [float(WHOLE) if name == ITEMS else 1.0 for name in features],
            [dispersion_of(subject, name) for name in features],
            [eps_of(subject, name) for name in features],
        )
        starts = np.array([subject.inputs.start(histogram_name(name)) for name in features])
        unit, dispersion, eps = (as_floats(column) for column in columns)
        reference = np.stack([reference for _, reference in group])
        places = starts[:, None] + np.arange(reference.shape[1])
        found.append(_Frame(features, places, unit, dispersion, eps, reference))
    return tuple(found)


class Alike(NamedTuple):
    """R features of windows with as many bins, and their histograms, each of shape (R, B).

    So many rows are worth an independent one (``dispersion``), and ``eps`` is the smallest distance
    that matters; these and the numbers of the ``windows`` have shape (R,).
    """

    features: Sequence[str]
    windows: Ints
    dispersion: FloatArray
    eps: FloatArray
    both: Compared


def alike(windows: Sequence[tuple[Subject, Ints]]) -> list[Alike]:
    """Features of windows that can be compared, by the number of their bins: measures take many
    at once."""
    groups: defaultdict[int, list[tuple[int, Ints, _Frame]]] = defaultdict(list)
    for place, (subject, vector) in enumerate(windows):
        for frame in _frames(subject):
            groups[frame.reference.shape[1]].append((place, vector, frame))
    found = (_together(own) for own in groups.values())
    return [group for group in found if group.features]


def _together(framed: Sequence[tuple[int, Ints, _Frame]]) -> Alike:
    """Those of one number of bins whose histograms are not empty."""
    places, vectors, frames = zip(*framed, strict=True)
    unit, dispersion, eps, reference = (
        np.concatenate([getattr(frame, name) for frame in frames])
        for name in ("unit", "dispersion", "eps", "reference")
    )
    features = [name for frame in frames for name in frame.features]
    windows = np.repeat(places, [len(frame.features) for frame in frames])
    parts = zip(vectors, frames, strict=True)
    counts = np.concatenate([vector[frame.places] for vector, frame in parts]) / unit[:, None]
    both = Compared(as_floats(counts / dispersion[:, None]), reference)
    filled = np.rint(counts.sum(axis=-1)) > 0.0
    if filled.all():
        return Alike(features, windows, dispersion, eps, both)
    return Alike(
        list(compress(features, filled)),
        windows[filled],
        dispersion[filled],
        eps[filled],
        Compared(both.window[filled], both.reference[filled]),
    )


def size_of(counts: FloatArray) -> int:
    """Rows in a histogram, whose entries may be parts of rows."""
    return max(round(float(counts.sum())), 0)


def _has_rows(subject: Subject, feature: str) -> bool:
    counts = reference_counts(subject, feature)
    return counts is not None and counts.size >= 2 and float(counts.sum()) > 0
