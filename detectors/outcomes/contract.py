"""What a task adds to Kittiwake: how an answer is kept, how a truth is read, what is summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes import feedback
from detectors.summary import CellBuilder, Field, Floats, Layout
from schemas.policy import Policy

Label: TypeAlias = bool | int | str | None
Tails: TypeAlias = NDArray[np.void]


class Answer(Protocol):
    """The output of a prediction, as the hot decoder gives it."""

    @property
    def score(self) -> float | None: ...
    @property
    def label(self) -> Label: ...
    @property
    def scores(self) -> dict[str, float] | None: ...
    @property
    def value(self) -> float | None: ...
    @property
    def interval(self) -> list[float] | None: ...
    @property
    def quantiles(self) -> dict[str, float] | None: ...
    @property
    def items(self) -> list[str] | None: ...
    @property
    def signals(self) -> dict[str, float] | None: ...


class Truth(Protocol):
    """A feedback event, as the hot decoder gives it."""

    @property
    def label(self) -> Label: ...
    @property
    def value(self) -> float | None: ...
    @property
    def signals(self) -> Mapping[str, float | str] | None: ...


class Outcome(Protocol):
    """One task.

    ``tail`` is the packed answer kept for each pending prediction. A tail whose ``known`` is 0
    stands for an answer that could not be used; it adds nothing but its count.
    """

    tail: np.dtype[Any]
    fields: tuple[Field, ...]

    def pack(self, answers: Sequence[Answer]) -> Tails:
        """Tails of shape (n,)."""

    def score(self, tails: Tails) -> Floats:
        """The number whose distribution is watched, shape (n,); NaN where there is none."""

    def positive(self, tails: Tails) -> NDArray[np.bool_]:
        """Whether the answer was the positive one, shape (n,)."""

    def truth(self, feedback: Truth) -> float | None:
        """The truth as one number, None where the feedback does not say it."""

    def add(self, build: CellBuilder, tails: Tails, truth: Floats) -> None:
        """Add what rows with known truth sum up to; tails and truth have shape (n,)."""


DELAYS_MS = tuple(
    minutes * 60_000 for minutes in (1, 5, 15, 60, 180, 360, 720, 1_440, 4_320, 10_080, 20_160)
)
"""Upper ends of the buckets of label delay: 1 minute to 14 days; the last bucket is open."""

COMMON = (Field("n"), Field("n_unusable"), Field("delay", len(DELAYS_MS) + 1))
"""Fields of every task: labelled rows, those without a usable answer, and labels by delay."""


def layout(outcome: Outcome, policy: Policy | None = None) -> Layout:
    """Layout of a label pane under a policy; without one, of the task's own sums."""
    more = () if policy is None else feedback.fields_of(outcome, policy)
    return Layout((*COMMON, *outcome.fields, *more))


def number(text: str) -> int:
    """A stable number below 2**52 for a text, so that a float holds it exactly.

    Examples
    --------
    >>> number("cat")
    899940918737369
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 12


def text(label: Label | float) -> str | None:
    """A label as text: ``1`` and ``1.0`` agree, True is ``true``.

    Examples
    --------
    >>> text(True), text(3), text(3.0), text("a"), text(None)
    ('true', '3', '3', 'a', None)
    """
    if label is None:
        return None
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)
