"""Answers in columns: what a task asks of them to pack many at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from detectors.summary import Floats, Ints


class Words(NamedTuple):
    """Texts, and the place among them of each row's, shape (n,); None stands for no text."""

    words: list[str | None]
    places: Ints


class Named(NamedTuple):
    """Numbers by name, shape (n, names); NaN where a row has none."""

    names: list[str]
    numbers: Floats


class Lists(NamedTuple):
    """Texts, the places of all rows' one after the other, and how many are each row's, shape (n,);
    -1 for no list."""

    words: list[str | None]
    places: Ints
    lengths: Ints


class AnswerColumns(Protocol):
    """The same as n of `contract.Answer`."""

    def __len__(self) -> int: ...

    def score(self) -> Floats:
        """Scores, shape (n,); NaN for none."""

    def label(self) -> Words:
        """Labels as `contract.text` writes them."""

    def value(self) -> Floats:
        """Values, shape (n,); NaN for none."""

    def interval(self) -> tuple[Floats, Floats]:
        """Lower and upper ends, each of shape (n,); NaN for none."""

    def scores(self) -> Named:
        """Scores by class."""

    def quantiles(self) -> Named:
        """Quantiles by the name of their probability."""

    def items(self) -> Lists:
        """Items, best first."""


@dataclass(frozen=True, slots=True)
class ScoresOnly:
    """Answers that are nothing but their scores, shape (n,); NaN for none."""

    numbers: Floats

    def __len__(self) -> int:
        return len(self.numbers)

    def score(self) -> Floats:
        """Scores."""
        return self.numbers

    def label(self) -> Words:
        """None."""
        return Words([None], np.zeros(len(self), np.int64))

    def value(self) -> Floats:
        """None."""
        return np.full(len(self), np.nan)

    def interval(self) -> tuple[Floats, Floats]:
        """None."""
        return self.value(), self.value()

    def scores(self) -> Named:
        """None."""
        return Named([], np.empty((len(self), 0)))

    def quantiles(self) -> Named:
        """None."""
        return self.scores()

    def items(self) -> Lists:
        """None."""
        return Lists([], np.zeros(0, np.int64), np.full(len(self), -1))
