"""The answers of Arrow messages in columns, as the tasks pack them."""

from __future__ import annotations

import numpy as np

from detectors.outcomes.answer_columns import Lists, Named, Words
from detectors.outcomes.contract import text
from detectors.summary import Floats
from streams.ingest.decode.arrow_batch import ArrowBatch
from streams.ingest.decode.arrow_values import codes, lengths


class ArrowAnswers:
    """The rows of messages as `detectors.outcomes.answer_columns.AnswerColumns`."""

    def __init__(self, batch: ArrowBatch) -> None:
        self._batch = batch

    def __len__(self) -> int:
        return len(self._batch)

    def score(self) -> Floats:
        """Scores."""
        return self._batch.floats("score")

    def label(self) -> Words:
        """Labels as text."""
        words, places = self._batch.codes("label")
        return Words([text(word) for word in words], places)

    def value(self) -> Floats:
        """Values."""
        return self._batch.floats("value")

    def interval(self) -> tuple[Floats, Floats]:
        """Lower and upper ends."""
        return self._batch.floats("lower"), self._batch.floats("upper")

    def scores(self) -> Named:
        """Scores by class."""
        return self._named("scores.")

    def quantiles(self) -> Named:
        """Quantiles by the name of their probability."""
        return self._named("quantiles.")

    def items(self) -> Lists:
        """Items, best first."""
        column = self._batch.columns.get("items")
        if column is None:
            nothing = np.zeros(0, np.int64)
            return Lists([], nothing, np.full(len(self), -1, np.int64))
        words, places = codes(column.flatten())
        return Lists(words, places, lengths(column))

    def _named(self, family: str) -> Named:
        names = [name for name in self._batch.columns if name.startswith(family)]
        numbers = np.empty((len(self), len(names)))
        for place, name in enumerate(names):
            numbers[:, place] = self._batch.floats(name)
        return Named([name.removeprefix(family) for name in names], numbers)
