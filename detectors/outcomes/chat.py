"""Chat: an answer in words, judged by the person who read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes.answer_columns import AnswerColumns
from detectors.outcomes.contract import Answer, Tails, Truth, each, portable
from detectors.summary import Builder, Field, Floats, Ints

DOWN, UP, UNRATED = 0, 1, 2
REGENERATED = 4
"""A truth is one of the first three, and this more where the answer was asked for again."""


class Chat:
    """Share of rated answers with thumbs down, and of answers that were asked for again.

    The truth is the signal ``thumbs`` (above 0 is up), or a boolean label; and the signal
    ``regenerated`` (above 0 is yes). They come in one feedback event: a later one replaces both.
    What the service says of its own answer (refusal, tokens, toxicity, cost) comes as signals of
    the output and is watched like features.

    Examples
    --------
    >>> from schemas.feedback import FeedbackEvent
    >>> told = FeedbackEvent(prediction_id="p", model="m", time=0, signals={"regenerated": 1.0})
    >>> Chat().truth(told) == UNRATED + REGENERATED
    True
    """

    tail = np.dtype([("known", "u1")])
    fields: tuple[Field, ...] = (Field("rated"), Field("down"), Field("regenerated"))

    def pack(self, answers: Sequence[Answer]) -> Tails:
        """Every answer can be rated."""
        tails = np.zeros(len(answers), self.tail)
        tails["known"] = 1
        return tails

    def pack_columns(self, answers: AnswerColumns) -> Tails:
        """`pack` of answers in columns."""
        tails = np.zeros(len(answers), self.tail)
        tails["known"] = 1
        return tails

    def score(self, tails: Tails) -> Floats:
        """Words have no score."""
        return np.full(len(tails), np.nan)

    def positive(self, tails: Tails) -> NDArray[np.bool_]:
        """Every answer is one."""
        return np.ones(len(tails), np.bool_)

    def truth(self, feedback: Truth) -> float | None:
        """The rating, and whether the answer was asked for again."""
        signals = feedback.signals or {}
        thumbs, again = signals.get("thumbs", portable(feedback.label)), signals.get("regenerated")
        rated = thumbs is not None and not isinstance(thumbs, str)
        if not rated and (again is None or isinstance(again, str)):
            return None
        rating = (UP if float(thumbs or 0) > 0 else DOWN) if rated else UNRATED
        asked = again is not None and not isinstance(again, str) and again > 0
        return float(rating + REGENERATED * asked)

    def truths(self, feedback: Sequence[Truth]) -> Floats:
        """`truth` of each; NaN for None."""
        return each(self.truth, feedback)

    def add(self, build: Builder, tails: Tails, truth: Floats) -> None:
        """Ratings, thumbs down, and answers asked for again."""
        rows: Ints = np.flatnonzero(tails["known"] == 1)
        said = truth[rows].astype(np.int64)
        rating = said % REGENERATED
        build.ones("rated", rows[rating != UNRATED])
        build.ones("down", rows[rating == DOWN])
        build.ones("regenerated", rows[said >= REGENERATED])
