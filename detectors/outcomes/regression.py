"""Regression: a value, and perhaps an interval around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes.contract import Answer, Tails, Truth
from detectors.summary import CellBuilder, Field, Floats, Ints, quantise

CAP = 3.0


class Regression:
    """Absolute and squared error in units of ``scale``, bias, and interval coverage.

    Errors are clipped at three scales: valid for "the error is too high", not for "low enough".

    Parameters
    ----------
    scale
        The size of a large error.
    """

    tail = np.dtype(
        [("known", "u1"), ("banded", "u1"), ("value", "f8"), ("low", "f8"), ("high", "f8")]
    )
    fields: tuple[Field, ...] = (
        Field("abs", fixed=True),
        Field("abs_sq", fixed=True),
        Field("under"),
        Field("banded"),
        Field("missed"),
    )

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale

    def pack(self, answers: Sequence[Answer]) -> Tails:
        """No value makes the answer unusable."""
        tails = np.zeros(len(answers), self.tail)
        for row, answer in zip(tails, answers, strict=True):
            if answer.value is not None:
                row["known"], row["value"] = 1, answer.value
            if answer.interval is not None:
                row["banded"], row["low"], row["high"] = 1, *answer.interval
        return tails

    def score(self, tails: Tails) -> Floats:
        """The value."""
        return np.where(tails["known"] == 1, tails["value"], np.nan)

    def positive(self, tails: Tails) -> NDArray[np.bool_]:
        """Whether there was a value."""
        return np.asarray(tails["known"] == 1)

    def truth(self, feedback: Truth) -> float | None:
        """The value, or a label that is a number."""
        if feedback.value is not None:
            return feedback.value
        label = feedback.label
        if not isinstance(label, int) or isinstance(label, bool):
            return None
        try:
            return float(label)
        except OverflowError:
            return None

    def add(self, build: CellBuilder, tails: Tails, truth: Floats) -> None:
        """Errors, sign and coverage."""
        rows: Ints = np.flatnonzero(tails["known"] == 1)
        kept, y = tails[rows], truth[rows]
        with np.errstate(over="ignore"):
            size = np.minimum(np.abs(y - kept["value"]) / self._scale, CAP)
        build.add("abs", rows, quantise(size))
        build.add("abs_sq", rows, quantise(size**2))
        build.ones("under", rows[kept["value"] < y])
        banded = kept["banded"] == 1
        build.ones("banded", rows[banded])
        build.ones("missed", rows[banded & ((y < kept["low"]) | (y > kept["high"]))])
