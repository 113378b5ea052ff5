"""Chat: an answer in words, judged by the person who read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes.contract import Answer, Tails, Truth
from detectors.summary import CellBuilder, Field, Floats, Ints


class Chat:
    """Share of rated answers with thumbs down.

    The truth is the signal ``thumbs`` (above 0 is up), or a boolean label. What the service says
    of its own answer (refusal, tokens, toxicity, cost) comes as signals of the output and is
    watched like features.
    """

    tail = np.dtype([("known", "u1")])
    fields: tuple[Field, ...] = (Field("err"),)

    def pack(self, answers: Sequence[Answer]) -> Tails:
        """Every answer can be rated."""
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
        """1 for thumbs up, 0 for thumbs down."""
        thumbs = (feedback.signals or {}).get("thumbs", feedback.label)
        if isinstance(thumbs, str) or thumbs is None:
            return None
        return float(thumbs > 0)

    def add(self, build: CellBuilder, tails: Tails, truth: Floats) -> None:
        """Thumbs down."""
        rows: Ints = np.flatnonzero(tails["known"] == 1)
        build.ones("err", rows[truth[rows] < 0.5])
