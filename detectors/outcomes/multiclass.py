"""Multiclass classification: scores by class, or the best class with its score."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes import calibration
from detectors.outcomes.classes import ByClass
from detectors.outcomes.contract import Answer, Tails, Truth, number, text
from detectors.summary import CellBuilder, Field, Floats, Ints, quantise

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

    def add(self, build: CellBuilder, tails: Tails, truth: Floats) -> None:
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
