"""Ranking and recommendation: items, best first, and the one that was chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes.answer_columns import AnswerColumns
from detectors.outcomes.contract import Answer, Tails, Truth, each, number, text
from detectors.summary import Builder, Field, Floats, Ints, quantise

DEPTH = 10
"""How many items of a list count."""

NOTHING = -2.0
"""The truth where no item was chosen; it matches no item and no empty place."""


class Ranking:
    """Hit rate, reciprocal rank and NDCG within the first ten items, one relevant item each.

    The truth is the chosen item: the signal ``clicked`` if it names one, else the label. The
    signal 0 says that nothing was chosen. ``clicked`` counts choices at any position, also below
    the first ten.
    """

    tail = np.dtype([("known", "u1"), ("items", "f8", (DEPTH,))])
    fields: tuple[Field, ...] = (
        Field("err"),
        Field("clicked"),
        Field("mrr", fixed=True),
        Field("mrr_sq", fixed=True),
        Field("ndcg", fixed=True),
        Field("ndcg_sq", fixed=True),
    )

    def pack(self, answers: Sequence[Answer]) -> Tails:
        """No list of items makes the answer unusable; an empty list is an answer."""
        tails = np.zeros(len(answers), self.tail)
        tails["items"] = -1
        for row, answer in zip(tails, answers, strict=True):
            if answer.items is not None:
                row["known"] = 1
                first = answer.items[:DEPTH]
                row["items"][: len(first)] = [number(item) for item in first]
        return tails

    def pack_columns(self, answers: AnswerColumns) -> Tails:
        """`pack` of answers in columns."""
        words, places, lengths = answers.items()
        tails = np.zeros(len(answers), self.tail)
        tails["known"] = lengths >= 0
        tails["items"] = -1
        held = np.maximum(lengths, 0)
        ends = np.cumsum(held)
        depth = np.arange(DEPTH)
        rows, ranks = np.nonzero(depth < held[:, None])
        chosen = places[(ends - held)[rows] + ranks]
        used = np.unique(chosen)
        numbers = np.full(len(words), -1.0)
        numbers[used] = [number(words[place] or "") for place in used.tolist()]
        tails["items"][rows, ranks] = numbers[chosen]
        return tails

    def score(self, tails: Tails) -> Floats:
        """A list has no score."""
        return np.full(len(tails), np.nan)

    def positive(self, tails: Tails) -> NDArray[np.bool_]:
        """Whether the list held anything."""
        return np.asarray(tails["items"][:, 0] >= 0)

    def truth(self, feedback: Truth) -> float | None:
        """The number of the chosen item, -2 where nothing was chosen."""
        clicked = (feedback.signals or {}).get("clicked")
        if clicked == 0:
            return NOTHING
        chosen = clicked if isinstance(clicked, str) else text(feedback.label)
        return None if chosen is None else float(number(chosen))

    def truths(self, feedback: Sequence[Truth]) -> Floats:
        """`truth` of each; NaN for None."""
        return each(self.truth, feedback)

    def add(self, build: Builder, tails: Tails, truth: Floats) -> None:
        """Rank of the chosen item."""
        rows: Ints = np.flatnonzero(tails["known"] == 1)
        match = tails["items"][rows] == truth[rows][:, None]
        hit = match.any(axis=1)
        rank = 1 + match.argmax(axis=1)
        build.ones("err", rows[~hit])
        build.ones("clicked", rows[truth[rows] != NOTHING])
        reciprocal = np.where(hit, 1 / rank, 0.0)
        gain = np.where(hit, 1 / np.log2(1 + rank), 0.0)
        for name, values in (("mrr", reciprocal), ("ndcg", gain)):
            build.add(name, rows, quantise(values))
            build.add(f"{name}_sq", rows, quantise(values**2))
