"""Regression: a value, and perhaps an interval around it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes.answer_columns import AnswerColumns
from detectors.outcomes.contract import Answer, Tails, Truth, each, portable
from detectors.summary import Builder, Field, Floats, Ints, quantise

CAP = 3.0
"""Largest error, in scales."""

_TAIL = [("known", "u1"), ("banded", "u1"), ("value", "f8"), ("low", "f8"), ("high", "f8")]


class Regression:
    """Absolute and squared error in units of ``scale``, bias, coverage of intervals, and PIT.

    Errors are clipped at three scales: valid for "the error is too high", not for "low enough".
    For the PIT, truths are counted between neighbouring quantiles: if those are right, the shares
    are the differences of their levels, whatever the forecast's shape in between.

    Parameters
    ----------
    scale
        The size of a large error.
    levels
        Probabilities of the quantiles that count, ascending, shape (Q,); empty for none. An answer
        without all of them, or with some that descend, is left out of the PIT alone.

    References
    ----------
    .. [1] Gneiting, Balabdaoui, Raftery, Probabilistic forecasts, calibration and sharpness,
       JRSS-B 69, 2007.
    """

    def __init__(self, scale: float = 1.0, levels: Sequence[float] = ()) -> None:
        self._scale = scale
        self._levels = tuple(levels)
        stated = [("stated", "u1"), ("quantiles", "f8", (len(levels),))] if levels else []
        self.tail: np.dtype[Any] = np.dtype([*_TAIL, *stated])
        pit = (Field("pit", len(levels) + 1),) if levels else ()
        self.fields: tuple[Field, ...] = (
            Field("abs", fixed=True),
            Field("abs_sq", fixed=True),
            Field("under"),
            Field("over"),
            Field("banded"),
            Field("missed"),
            *pit,
        )

    def pack(self, answers: Sequence[Answer]) -> Tails:
        """No value makes the answer unusable."""
        tails = np.zeros(len(answers), self.tail)
        for row, answer in zip(tails, answers, strict=True):
            if answer.value is not None:
                row["known"], row["value"] = 1, answer.value
            if answer.interval is not None:
                row["banded"], row["low"], row["high"] = 1, *answer.interval
            if self._levels and answer.quantiles is not None:
                quantiles = _chosen(answer.quantiles, self._levels)
                if quantiles is not None:
                    row["stated"], row["quantiles"] = 1, quantiles
        return tails

    def pack_columns(self, answers: AnswerColumns) -> Tails:
        """`pack` of answers in columns."""
        tails = np.zeros(len(answers), self.tail)
        value, (low, high) = answers.value(), answers.interval()
        for mark, known, columns in (
            ("known", ~np.isnan(value), {"value": value}),
            ("banded", ~np.isnan(low), {"low": low, "high": high}),
        ):
            tails[mark] = known
            for name, numbers in columns.items():
                tails[name] = np.where(known, numbers, 0.0)
        if self._levels:
            self._state(tails, *answers.quantiles())
        return tails

    def _state(self, tails: Tails, names: list[str], numbers: Floats) -> None:
        """Put quantiles into tails; each set of names that rows have is looked up once."""
        given = ~np.isnan(numbers)
        kinds, places = np.unique(given, axis=0, return_inverse=True)
        for kind, present in enumerate(kinds):
            rows = np.flatnonzero(places.ravel() == kind)
            held = np.flatnonzero(present).tolist()
            chosen = _names(tuple(names[i] for i in held), self._levels)
            if chosen is None:
                continue
            columns = np.array([names.index(name) for name in chosen], np.int64)
            quantiles = numbers[rows[:, None], columns]
            ascending = (quantiles[:, 1:] >= quantiles[:, :-1]).all(axis=1)
            tails["stated"][rows[ascending]] = 1
            tails["quantiles"][rows[ascending]] = quantiles[ascending]

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
        label = portable(feedback.label)
        return float(label) if isinstance(label, int) and not isinstance(label, bool) else None

    def truths(self, feedback: Sequence[Truth]) -> Floats:
        """`truth` of each; NaN for None."""
        values = [one.value for one in feedback]
        return each(self.truth, feedback) if None in values else np.array(values, np.float64)

    def add(self, build: Builder, tails: Tails, truth: Floats) -> None:
        """Errors, sign and coverage."""
        rows: Ints = np.flatnonzero(tails["known"] == 1)
        kept, y = tails[rows], truth[rows]
        with np.errstate(over="ignore"):
            size = np.minimum(np.abs(y - kept["value"]) / self._scale, CAP)
        build.add("abs", rows, quantise(size))
        build.add("abs_sq", rows, quantise(size**2))
        build.ones("under", rows[kept["value"] < y])
        build.ones("over", rows[kept["value"] > y])
        banded = kept["banded"] == 1
        build.ones("banded", rows[banded])
        build.ones("missed", rows[banded & ((y < kept["low"]) | (y > kept["high"]))])
        if self._levels:
            stated = kept["stated"] == 1
            places = (kept["quantiles"][stated] < y[stated, None]).sum(axis=1)
            build.ones("pit", rows[stated], places)


def _chosen(quantiles: dict[str, float], levels: tuple[float, ...]) -> list[float] | None:
    """Quantiles at the levels, in their order; None where one lacks or they descend."""
    names = _names(tuple(quantiles), levels)
    if names is None:
        return None
    values = [quantiles[name] for name in names]
    return values if all(map(float.__le__, values, values[1:])) else None


@lru_cache(maxsize=256)
def _names(names: tuple[str, ...], levels: tuple[float, ...]) -> tuple[str, ...] | None:
    """The name of each level; None where one has no name or two.

    Examples
    --------
    >>> _names((".9", "0.10", "median"), (0.1, 0.9))
    ('0.10', '.9')
    """
    known = [(level_of(name), name) for name in names]
    found = [[name for level, name in known if level == wanted] for wanted in levels]
    return tuple(name for (name,) in found) if all(len(some) == 1 for some in found) else None


def level_of(name: str) -> float | None:
    """The probability that a quantile is named by, None where the name is no probability.

    Examples
    --------
    >>> level_of("0.90"), level_of("90"), level_of("median")
    (0.9, None, None)
    """
    try:
        level = float(name)
    except ValueError:
        return None
    return level if 0.0 < level < 1.0 else None
