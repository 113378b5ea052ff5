"""What a pane keeps of the answers themselves: predicted classes, or items of ranked lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.outcomes.classes import Places
from detectors.outcomes.contract import Answer, Tails, text
from detectors.outcomes.multiclass import ranked
from detectors.outcomes.ranking import Ranking
from detectors.outcomes.regression import level_of
from detectors.summary import Builder, CellBuilder, Field, Ints, Layout, scatter
from schemas.policy import Policy, Task
from schemas.profiling import categorical_reference
from schemas.reference import (
    ITEM_BUCKETS,
    MOST_QUANTILES,
    CategoricalReference,
    ItemReference,
    OutcomeReference,
    ReferenceProfile,
)

WHOLE = 2_520
"""What a list divides among its first items: the smallest number that 1 to 10 divide."""


class Answers(Protocol):
    """Fields of an input pane that answers fill; `detectors.inputs` has those of features."""

    def fields(self, *, whole: bool) -> tuple[Field, ...]:
        """Fields; ``whole`` is the stream of all segments, its fields begin with a segment's."""

    def add(self, build: Builder, tails: Tails) -> None:
        """Add answers as the task packed them, shape (n,)."""


class NoAnswers:
    """A task whose answers are watched by their score alone."""

    def fields(self, *, whole: bool) -> tuple[Field, ...]:
        """None."""
        return ()

    def add(self, build: Builder, tails: Tails) -> None:
        """Nothing."""


class PredictedClasses:
    """Predicted classes by name, those that the reference does not know last."""

    def __init__(self, known: CategoricalReference) -> None:
        self._bins = len(known.counts)
        self._places = Places(known.categories)

    def fields(self, *, whole: bool) -> tuple[Field, ...]:
        """The histogram ``class``."""
        return (Field("class", self._bins),) if whole else ()

    def add(self, build: Builder, tails: Tails) -> None:
        """Count best classes."""
        rows: Ints = np.flatnonzero(tails["known"] == 1)
        build.ones("class", rows, self._places.of(tails["classes"][rows, 0]))


class Items:
    """Lists without items, and items by bucket of their hash where the reference has them.

    A list is one observation whatever its length: it divides `WHOLE` among its first ten items.
    """

    def __init__(self, *, hashed: bool) -> None:
        self._hashed = hashed

    def fields(self, *, whole: bool) -> tuple[Field, ...]:
        """``n_empty``, and the histogram ``items``."""
        buckets = (Field("items", ITEM_BUCKETS),) if whole and self._hashed else ()
        return (Field("n_empty"), *buckets)

    def add(self, build: Builder, tails: Tails) -> None:
        """Count empty lists and weigh items."""
        held = tails["items"] >= 0
        length = held.sum(axis=1)
        build.ones("n_empty", np.flatnonzero((tails["known"] == 1) & (length == 0)))
        if self._hashed:
            rows, places = np.nonzero(held)
            buckets = tails["items"][rows, places].astype(np.int64) % ITEM_BUCKETS
            build.add("items", rows, WHOLE // length[rows], buckets)


def answers_of(policy: Policy, reference: ReferenceProfile | None) -> Answers:
    """What is kept of the answers of a policy's task.

    Examples
    --------
    >>> answers_of(Policy(model="m", task=Task.RANKING), None).fields(whole=True)
    (Field(name='n_empty', size=1, fixed=False, low=0.0, high=1.0),)
    """
    if policy.task is Task.RANKING:
        return Items(hashed=reference is not None and reference.items is not None)
    known = None if reference is None else reference.classes
    if policy.task is Task.MULTICLASS and known is not None and known.categories:
        return PredictedClasses(known)
    return NoAnswers()


def item_lists(layout: Layout, vector: Ints) -> FloatArray:
    """Lists of a pane by bucket, shape (256,); each list divides 1 among its first ten items."""
    return as_floats(layout.counts(vector, "items") / WHOLE)


def with_answers(profile: ReferenceProfile, answers: Sequence[Answer]) -> ReferenceProfile:
    """The reference with what its answers show: classes, items, quantiles, empty lists.

    Parameters
    ----------
    answers
        Outputs of the model, length n; of which task shows in them.

    Examples
    --------
    >>> from schemas.predictions import Output
    >>> lists = [Output(items=["a", "b"]), Output(items=[])]
    >>> found = with_answers(ReferenceProfile(model="m", n=2), lists)
    >>> found.items.n, max(found.items.shares), found.outcomes["zero_results"].sum
    (1, 0.5, 1.0)
    """
    update: dict[str, object] = {"quantiles": _levels(answers)}
    if any(a.scores or isinstance(a.label, str) for a in answers):
        update["classes"] = categorical_reference([_best(answer) for answer in answers])
    lists = [answer for answer in answers if answer.items is not None]
    if lists:
        empty = sum(not answer.items for answer in lists)
        zero = OutcomeReference(n=len(lists), sum=float(empty))
        update["outcomes"] = {**profile.outcomes, "zero_results": zero}
        update["items"] = _items(lists) if empty < len(lists) else None
    return profile.model_copy(update=update)


def _best(answer: Answer) -> str | None:
    best = ranked(answer)
    return best[0][0] if best else text(answer.label)


def _levels(answers: Sequence[Answer]) -> list[float]:
    """Probabilities at which every answer that has quantiles states one."""
    named = [
        {level for level in map(level_of, answer.quantiles) if level is not None}
        for answer in answers
        if answer.quantiles
    ]
    found = sorted(set.intersection(*named)) if named else []
    return found if len(found) <= MOST_QUANTILES else []


def _items(lists: Sequence[Answer]) -> ItemReference:
    kept = Items(hashed=True)
    layout = Layout(kept.fields(whole=True))
    build = CellBuilder(layout)
    kept.add(build, Ranking().pack(lists))
    every = np.zeros(len(lists), np.int64)
    held = item_lists(layout, scatter(build.build(), every, every + 1, 1, layout.size)[0])
    n = round(float(held.sum()))
    return ItemReference(n=n, shares=(held / n).tolist())
