"""Multiclass classification: scores by class, or the best class with its score."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes import calibration
from detectors.outcomes.answer_columns import AnswerColumns
from detectors.outcomes.classes import ByClass
from detectors.outcomes.contract import Answer, Tails, Truth, each_label, number, text
from detectors.summary import Builder, Field, Floats, Ints, quantise

TOP = 10


class Multiclass:
    """Top-1 and top-k error, and top-label calibration: p is the best score, y whether it hit.

    At most ten scores are kept. ``loss`` is the log loss of the true class; a class among the
    scores not kept counts with the smallest likelihood, 1e-6.

    Parameters
    ----------
    classes
        Names of at most ten classes that are summed up one by one too; empty for none.
    """

    tail = np.dtype(
        [("known", "u1"), ("size", "u1"), ("classes", "f8", (TOP,)), ("scores", "f8", (TOP,))]
    )

    def __init__(self, classes: Sequence[str] = ()) -> None:
        self._by_class = ByClass(classes) if classes else None
        self.fields: tuple[Field, ...] = (
            Field("err"),
            Field("err_top"),
            Field("loss", fixed=True),
            Field("loss_sq", fixed=True),
            *calibration.FIELDS,
            *(self._by_class.fields if self._by_class else ()),
        )

    def pack(self, answers: Sequence[Answer]) -> Tails:
        """Scores outside [0, 1] or no best class make the answer unusable."""
        tails = np.zeros(len(answers), self.tail)
        for row, answer in zip(tails, answers, strict=True):
            best = ranked(answer)
            if best and all(0 <= score <= 1 for _, score in best):
                row["known"] = 1
                row["size"] = len(best)
                row["classes"][: len(best)] = [number(name) for name, _ in best]
                row["scores"][: len(best)] = [score for _, score in best]
        return tails

    def pack_columns(self, answers: AnswerColumns) -> Tails:
        """`pack` of answers in columns."""
        tails = np.zeros(len(answers), self.tail)
        names, numbers = answers.scores()
        by_name = sorted(range(len(names)), key=names.__getitem__)
        numbers = numbers[:, np.array(by_name, np.int64)]
        size = np.minimum((~np.isnan(numbers)).sum(axis=1), TOP)
        # Of equal scores the first name is the better; those that a row lacks sort last.
        best = np.argsort(-numbers, axis=1, kind="stable")[:, :TOP]
        scores = np.take_along_axis(numbers, best, axis=1)
        classes = np.array([number(names[i]) for i in by_name], np.float64)[best]
        rows = np.flatnonzero(size)
        self._rank(tails, rows, classes[rows], scores[rows], size[rows])
        words, places = answers.label()
        score = answers.score()
        numbered = np.array([np.nan if word is None else number(word) for word in words])[places]
        rows = np.flatnonzero((size == 0) & ~np.isnan(numbered) & ~np.isnan(score))
        ones = np.ones(len(rows), np.int64)
        self._rank(tails, rows, numbered[rows, None], score[rows, None], ones)
        return tails

    def _rank(self, tails: Tails, rows: Ints, classes: Floats, scores: Floats, size: Ints) -> None:
        """Put the best classes of rows (m,) into tails; ``size`` of the (m, K) are a row's own."""
        within = np.arange(scores.shape[1]) < size[:, None]
        usable = (((scores >= 0) & (scores <= 1)) | ~within).all(axis=1)
        rows, within, width = rows[usable], within[usable], scores.shape[1]
        tails["known"][rows] = 1
        tails["size"][rows] = size[usable]
        tails["classes"][rows, :width] = np.where(within, classes[usable], 0.0)
        tails["scores"][rows, :width] = np.where(within, scores[usable], 0.0)

    def score(self, tails: Tails) -> Floats:
        """The best score."""
        return np.where(tails["known"] == 1, tails["scores"][:, 0], np.nan)

    def positive(self, tails: Tails) -> NDArray[np.bool_]:
        """Whether there was an answer."""
        return np.asarray(tails["known"] == 1)

    def truth(self, feedback: Truth) -> float | None:
        """The number of the true class."""
        word = text(feedback.label)
        return None if word is None else float(number(word))

    def truths(self, feedback: Sequence[Truth]) -> Floats:
        """`truth` of each; NaN for None."""
        return each_label(self.truth, feedback)

    def add(self, build: Builder, tails: Tails, truth: Floats) -> None:
        """Errors, log loss, top-label calibration, and the sums of each class."""
        rows: Ints = np.flatnonzero(tails["known"] == 1)
        kept = tails[rows]
        within = np.arange(TOP)[None, :] < kept["size"][:, None]
        match = (kept["classes"] == truth[rows][:, None]) & within
        hit = match[:, 0]
        build.ones("err", rows[~hit])
        build.ones("err_top", rows[~match.any(axis=1)])
        likelihood = np.where(match, kept["scores"], 0.0).sum(axis=1)
        loss = -np.log(np.clip(likelihood, calibration.CLIP, 1.0))
        build.add("loss", rows, quantise(loss))
        build.add("loss_sq", rows, quantise(loss**2))
        calibration.add(build, rows, kept["scores"][:, 0], hit.astype(np.float64))
        if self._by_class is not None:
            self._by_class.add(build, rows, kept["classes"], kept["scores"], truth[rows])


def ranked(answer: Answer) -> list[tuple[str, float]]:
    """Classes with their scores, best first, at most ten; empty where there is no best one."""
    if answer.scores:
        return nlargest(TOP, sorted(answer.scores.items()), key=lambda item: item[1])
    name = text(answer.label)
    return [] if name is None or answer.score is None else [(name, answer.score)]
