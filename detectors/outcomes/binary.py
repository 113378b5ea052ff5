"""Binary classification: a score in [0, 1] and a decision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes import calibration
from detectors.outcomes.answer_columns import AnswerColumns
from detectors.outcomes.contract import Answer, Label, Tails, Truth, each_label, text
from detectors.summary import Builder, Field, Floats, Ints

POSITIVE = frozenset({"1", "true", "yes"})
NEGATIVE = frozenset({"0", "false", "no"})


class Binary:
    """Error rate, Brier score, log loss, calibration and the confusion matrix.

    Parameters
    ----------
    positive
        The label that counts as 1; every other label counts as 0. None accepts 1, true, yes and
        0, false, no, and nothing else.
    edges
        Inner edges of the reference's score bins, shape (B - 1,): labels are also counted by
        score, and positive decisions by tenth of it, which AUC and estimates without labels
        need. Empty without a reference.

    Examples
    --------
    >>> Binary("fraud")._sign("ok"), Binary()._sign(True), Binary()._sign("ok")
    (0, 1, None)
    """

    tail = np.dtype([("known", "u1"), ("decision", "u1"), ("score", "f8")])

    def __init__(
        self,
        positive: bool | int | float | str | None = None,
        edges: Sequence[float] = (),
    ) -> None:
        self._positive = text(positive)
        self._edges = np.asarray(edges, np.float64)
        bins = len(edges) + 1 if len(edges) else 0
        by_score = (
            (Field("bin_n", bins), Field("bin_pos", bins), Field("cal_n1", calibration.BINS))
            if bins
            else ()
        )
        self.fields: tuple[Field, ...] = (
            Field("err"),
            Field("tp"),
            Field("fp"),
            Field("fn"),
            Field("tn"),
            *calibration.FIELDS,
            *by_score,
        )

    def pack(self, answers: Sequence[Answer]) -> Tails:
        """A score outside [0, 1] or no score makes the answer unusable."""
        score = np.array([np.nan if a.score is None else a.score for a in answers], np.float64)
        labels = [a.label for a in answers]
        if all(label is None for label in labels):
            return self._packed(score, None)
        signs = [-1 if sign is None else sign for sign in map(self._sign, labels)]
        return self._packed(score, np.array(signs, np.int64))

    def pack_columns(self, answers: AnswerColumns) -> Tails:
        """`pack` of answers in columns."""
        words, places = answers.label()
        signs = [-1 if sign is None else sign for sign in map(self._sign, words)]
        return self._packed(answers.score(), np.array(signs, np.int64)[places])

    def _packed(self, score: Floats, signs: Ints | None) -> Tails:
        """Tails of scores, NaN for none, and of decisions, below 0 where the score decides."""
        tails = np.zeros(len(score), self.tail)
        known = (score >= 0) & (score <= 1)
        tails["known"] = known
        tails["score"] = np.where(known, score, 0.0)
        tails["decision"] = known & (score >= 0.5)
        if signs is not None:
            tails["decision"] = np.where(signs < 0, tails["decision"], signs)
        return tails

    def score(self, tails: Tails) -> Floats:
        """The score."""
        return np.where(tails["known"] == 1, tails["score"], np.nan)

    def positive(self, tails: Tails) -> NDArray[np.bool_]:
        """The decision."""
        return np.asarray(tails["decision"] == 1)

    def truth(self, feedback: Truth) -> float | None:
        """1 or 0."""
        sign = self._sign(feedback.label)
        return None if sign is None else float(sign)

    def truths(self, feedback: Sequence[Truth]) -> Floats:
        """`truth` of each; NaN for None."""
        return each_label(self.truth, feedback)

    def add(self, build: Builder, tails: Tails, truth: Floats) -> None:
        """Confusion counts and calibration sums."""
        rows: Ints = np.flatnonzero(tails["known"] == 1)
        y = truth[rows] > 0.5
        decision = tails["decision"][rows] == 1
        for name, chosen in (
            ("err", decision != y),
            ("tp", decision & y),
            ("fp", decision & ~y),
            ("fn", ~decision & y),
            ("tn", ~decision & ~y),
        ):
            build.ones(name, rows[chosen])
        score = tails["score"][rows]
        calibration.add(build, rows, score, y.astype(np.float64))
        if len(self._edges):
            bins = np.searchsorted(self._edges, score, "right")
            build.ones("bin_n", rows, bins)
            build.ones("bin_pos", rows[y], bins[y])
            build.ones("cal_n1", rows[decision], calibration.bin_of(score[decision]))

    def _sign(self, label: Label) -> int | None:
        word = text(label)
        if word is None:
            return None
        if self._positive is not None:
            return int(word == self._positive)
        word = word.lower()
        return 1 if word in POSITIVE else 0 if word in NEGATIVE else None
