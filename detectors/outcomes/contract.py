"""What a task adds to Kittiwake: how an answer is kept, how a truth is read, what is summed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes import feedback
from detectors.outcomes.answer_columns import AnswerColumns
from detectors.summary import Builder, Field, Floats, Layout
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

    def pack_columns(self, answers: AnswerColumns) -> Tails:
        """`pack` of answers in columns: the same tails, bit for bit."""

    def score(self, tails: Tails) -> Floats:
        """The number whose distribution is watched, shape (n,); NaN where there is none."""

    def positive(self, tails: Tails) -> NDArray[np.bool_]:
        """Whether the answer was the positive one, shape (n,)."""

    def truth(self, feedback: Truth) -> float | None:
        """The truth as one number, None where the feedback does not say it."""

    def truths(self, feedback: Sequence[Truth]) -> Floats:
        """`truth` of each, shape (n,); NaN for None."""

    def add(self, build: Builder, tails: Tails, truth: Floats) -> None:
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


def each(truth: Callable[[Truth], float | None], feedback: Sequence[Truth]) -> Floats:
    """A task's truth of each feedback, shape (n,); NaN for None."""
    return np.array([truth(one) for one in feedback], np.float64)


def each_label(truth: Callable[[Truth], float | None], feedback: Sequence[Truth]) -> Floats:
    """`each` for tasks that look at nothing but the label: asked once for each label there is."""
    labels = [one.label for one in feedback]
    keys: Sequence[object] = labels
    if len(set(map(type, labels))) > 1:
        # True equals 1, and is another label.
        keys = list(zip(map(type, labels), labels, strict=True))
    truths = {key: truth(one) for key, one in dict(zip(keys, feedback, strict=True)).items()}
    return np.array([truths[key] for key in keys], np.float64)


def number(text: str) -> int:
    """A stable number below 2**52 for a text, so that a float holds it exactly.

    Examples
    --------
    >>> number("cat")
    899940918737369
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 12


def portable(label: Label) -> Label:
    """A label as it can be kept: a whole number of more than 64 bits is text.

    Examples
    --------
    >>> portable(1), portable(1 << 63)
    (1, '9223372036854775808')
    """
    return str(label) if isinstance(label, int) and abs(label) >= 1 << 63 else label


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
