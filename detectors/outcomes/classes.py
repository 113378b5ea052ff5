"""Classes by their numbers: recall of each class, and calibration of each class's probability."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.calibration.class_wise import MOST_CLASSES
from detectors.outcomes.calibration import BINS
from detectors.outcomes.contract import number
from detectors.summary import Builder, Field, Floats, Ints, quantise
from schemas.policy import Policy, Task
from schemas.reference import ReferenceProfile

WHOLE = 0.01
"""How far probabilities may be from a sum of 1 and still tell those of all classes."""


def classes_of(policy: Policy, reference: ReferenceProfile | None) -> tuple[str, ...]:
    """Classes that are watched one by one: those of the reference, if there are 2 to 10.

    Examples
    --------
    >>> from schemas.reference import CategoricalReference
    >>> known = CategoricalReference(n=9, missing=0, categories=["a", "b"], counts=[5, 4, 0])
    >>> profile = ReferenceProfile(model="m", n=9, classes=known)
    >>> classes_of(Policy(model="m", task=Task.MULTICLASS), profile)
    ('a', 'b')
    """
    if policy.task is not Task.MULTICLASS or reference is None or reference.classes is None:
        return ()
    names = reference.classes.categories
    return tuple(names) if 2 <= len(names) <= MOST_CLASSES else ()


class Places:
    """Where a class stands in a list of names, by its number.

    Examples
    --------
    >>> Places(["cat", "dog"]).of(np.array([number("dog"), number("cow")], np.float64)).tolist()
    [1, 2]
    """

    def __init__(self, names: Sequence[str]) -> None:
        numbers = np.array([number(name) for name in names], np.float64)
        self._order = np.argsort(numbers)
        self._sorted = numbers[self._order]

    def of(self, numbers: Floats) -> Ints:
        """Place of each number, shape kept; the length of the list for one that is not in it."""
        near = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        found = self._sorted[near] == numbers
        return np.where(found, self._order[near], len(self._sorted)).astype(np.int64)


class ByClass:
    """Sums of each class of a label pane.

    ``NAME:true`` counts the labels of a class and ``NAME:hit`` those that were predicted.
    ``class_n`` to ``class_slope_v`` are calibration sums of the probability of a class against the
    rest, class by class and bin by bin; rows count whose probabilities add up to 1.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._places = Places(names)
        self.fields: tuple[Field, ...] = (
            *(Field(f"{name}:{mark}") for name in names for mark in ("true", "hit")),
            *(
                Field(f"class_{mark}", len(names) * BINS, fixed=mark in ("p", "sq"))
                for mark in ("n", "p", "y", "sq")
            ),
            Field("class_slope_d", len(names), fixed=True),
            Field("class_slope_v", len(names), fixed=True),
        )

    def add(
        self, build: Builder, rows: Ints, classes: Floats, scores: Floats, truth: Floats
    ) -> None:
        """Add rows (m,) with their best classes and scores, best first, both (m, K); and truths.

        Scores of places that hold no class are 0.
        """
        place = self._places.of(truth)
        hit = classes[:, 0] == truth
        for i, name in enumerate(self._names):
            build.ones(f"{name}:true", rows[place == i])
            build.ones(f"{name}:hit", rows[(place == i) & hit])
        whole = np.abs(scores.sum(axis=1) - 1.0) <= WHOLE
        p = self._probabilities(classes[whole], scores[whole])
        y = place[whole][:, None] == np.arange(len(self._names))
        self._calibration(build, rows[whole], p, y.astype(np.float64))

    def _probabilities(self, classes: Floats, scores: Floats) -> Floats:
        """Probability of each class, shape (m, C); a class without a score has 0."""
        found = np.zeros((len(classes), len(self._names) + 1))
        places = np.where(scores > 0.0, self._places.of(classes), len(self._names))
        np.add.at(found, (np.arange(len(classes))[:, None], places), scores)
        return np.clip(found[:, :-1], 0.0, 1.0)

    def _calibration(self, build: Builder, rows: Ints, p: Floats, y: Floats) -> None:
        each = np.broadcast_to(np.arange(len(self._names)), p.shape).ravel()
        repeated = np.repeat(rows, len(self._names))
        residual = y - p
        tilted = residual * (2.0 * p - 1.0)
        bins = each * BINS + np.minimum((p * BINS).astype(np.int64), BINS - 1).ravel()
        build.ones("class_n", repeated, bins)
        build.add("class_y", repeated, y.astype(np.int64).ravel(), bins)
        for mark, values in (("p", p), ("sq", residual**2)):
            build.add(f"class_{mark}", repeated, quantise(values).ravel(), bins)
        for mark, values in (("d", tilted), ("v", tilted**2)):
            build.add(f"class_slope_{mark}", repeated, quantise(values).ravel(), each)
