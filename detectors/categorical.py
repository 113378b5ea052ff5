"""Categorical features: contract and histogram of one of a model's, or of many models' at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.numeric import Marked, Shape, Value
from detectors.outcomes.contract import text
from detectors.summary import Builder, Field, Ints
from schemas.policy import FeatureContract
from schemas.reference import CategoricalReference


@dataclass(frozen=True)
class CategoricalFeature:
    """A categorical feature as it is checked and counted; the last bin is "any other"."""

    name: str
    contract: FeatureContract
    reference: CategoricalReference | None

    @property
    def bins(self) -> int:
        """Number of histogram bins."""
        return len(self.reference.counts) if self.reference else 0

    def fields(self) -> tuple[Field, ...]:
        """Fields of the feature in a pane."""
        marks = tuple(Field(f"{self.name}:{m}") for m in ("n", "missing", "invalid", "out"))
        return (*marks, Field(f"{self.name}:hist", self.bins)) if self.reference else marks

    @property
    def shape(self) -> Shape:
        """Features of one shape can be summed together."""
        return "categorical", self.reference is not None, self.bins


class CategoricalFeatures:
    """One categorical feature of models, a column; those of the models have one `shape`."""

    def __init__(self, models: Sequence[CategoricalFeature]) -> None:
        self.name = models[0].name
        self._binned = models[0].reference is not None
        known = [one.contract.categories for one in models]
        self._allowed = [None if each is None else frozenset(each) for each in known]
        references = [one.reference for one in models]
        self._places = [
            {name: i for i, name in enumerate(each.categories)} if each else {}
            for each in references
        ]
        # Where the reference counts rare categories together, any other may be one of them.
        self._complete = [
            one.contract.drift and one.reference is not None and one.reference.counts[-1] == 0
            for one in models
        ]

    def add(self, build: Builder, values: Sequence[Value], which: Ints | None = None) -> Marked:
        """Add a column (n,); ``which`` is the model of each row, None if there is only one."""
        words, codes = _coded([text(value) for value in values])
        if which is None:
            pairs = [(0, word) for word in words]
        else:
            crossed, codes = np.unique(which * len(words) + codes, return_inverse=True)
            models, places = np.divmod(crossed, max(len(words), 1))
            pairs = [
                (model, words[i]) for model, i in zip(models.tolist(), places.tolist(), strict=True)
            ]
        # A word is looked up once for each model that has it.
        kinds = np.array([self._kind(*pair) for pair in pairs], np.int64).reshape(-1, 4)[codes]
        missing, out, bins, outside = kinds.T
        rows = np.flatnonzero(missing == 0)
        build.ones(f"{self.name}:n", np.arange(len(values)))
        build.ones(f"{self.name}:missing", np.flatnonzero(missing))
        build.ones(f"{self.name}:out", np.flatnonzero(out))
        if self._binned:
            build.ones(f"{self.name}:hist", rows, bins[rows])
        return Marked(np.flatnonzero(out), np.flatnonzero(outside))

    def _kind(self, model: int, word: str | None) -> tuple[bool, bool, int, bool]:
        """Whether a word is missing, or not allowed; its bin; whether the reference lacks it."""
        if word is None:
            return True, False, 0, False
        allowed, places = self._allowed[model], self._places[model]
        place = places.get(word, len(places))
        outside = self._complete[model] and place == len(places)
        return False, allowed is not None and word not in allowed, place, outside


def _coded(words: Sequence[str | None]) -> tuple[list[str | None], Ints]:
    """Distinct words, and the place of each one's."""
    places = {word: place for place, word in enumerate(dict.fromkeys(words))}
    return list(places), np.fromiter(map(places.__getitem__, words), np.int64, len(words))
