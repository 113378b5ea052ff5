"""Labelled rows give a reference its outcomes, by the code that gives windows theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from detectors.reference import with_outcomes
from schemas.policy import Policy, Task
from schemas.profiling import build
from schemas.reference import LabelledScores, ReferenceProfile

HOUR = 3_600_000
MONDAY = 4 * 24 * HOUR
"""1970-01-05 00:00 UTC."""


@dataclass(frozen=True)
class Said:
    """An output with a score or a value."""

    score: float | None = None
    value: float | None = None
    label: bool | int | str | None = None
    scores: dict[str, float] | None = None
    interval: list[float] | None = None
    items: list[str] | None = None
    signals: dict[str, float] | None = None
    quantiles: dict[str, float] | None = None


def profile(scores: list[float]) -> ReferenceProfile:
    """A reference of scores."""
    return build("m", {}, score=scores)


def test_counts_errors_brier_and_labels_by_score() -> None:
    """Two errors of four, squares of the residuals, and positives in the bin of their score."""
    scores = [0.1, 0.4, 0.8, 0.9]
    policy = Policy(model="m", task=Task.BINARY)
    known = with_outcomes(
        profile(scores), policy, [Said(score=s) for s in scores], np.array([0.0, 1.0, 1.0, 0.0])
    )
    error, brier = known.outcomes["error_rate"], known.outcomes["brier"]
    assert (error.n, error.sum, error.squares, error.hours) == (4, 2.0, None, None)
    residuals = np.array([0.1, 0.6, 0.2, 0.9])
    assert brier.sum == pytest.approx((residuals**2).sum(), abs=1e-5)
    assert brier.squares == pytest.approx((residuals**4).sum(), abs=1e-5)
    assert known.labelled is not None
    assert sum(known.labelled.n) == 4
    assert sum(known.labelled.positives) == 2
    assert known.hash != profile(scores).hash


def test_labels_are_counted_by_tenth_and_decision() -> None:
    """A stated label is the decision; rows without a usable score count nowhere."""
    answers = [
        Said(score=0.05),
        Said(score=0.45, label=True),
        Said(score=0.95),
        Said(score=1.0),
        Said(label=True),
    ]
    truths = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    policy = Policy(model="m", task=Task.BINARY)
    known = with_outcomes(profile([0.05, 0.45, 0.95, 1.0]), policy, answers, truths).labelled
    assert known is not None
    assert known.prob_n == [1, 0, 0, 0, 1, 0, 0, 0, 0, 2]
    assert known.prob_pos == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert known.decided == [0, 0, 0, 0, 1, 0, 0, 0, 0, 2]
    assert known.hits == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"positives": [3]}, "positives must count some"),
        ({"prob_n": [1] * 10}, "give all or none"),
        ({"hits": [2] * 10}, "contradict each other"),
        ({"prob_pos": [2] * 10, "hits": [0] * 10}, "contradict each other"),
    ],
)
def test_labelled_counts_that_contradict_each_other_are_refused(
    counts: dict[str, list[int]], message: str
) -> None:
    """A reference is refused where it is made, not where a window meets it."""
    good = {"n": [2], "positives": [1]}
    tenths = {"prob_n": [2] * 10, "prob_pos": [1] * 10, "decided": [1] * 10, "hits": [1] * 10}
    assert LabelledScores(**good, **tenths).hits == [1] * 10
    given = {**good, **({} if "prob_n" in counts else tenths), **counts}
    with pytest.raises(ValueError, match=message):
        LabelledScores(**given)


def test_hours_and_dispersion_come_from_the_times() -> None:
    """Errors of Monday's first hour are counted there; windows that swing are over-dispersed."""
    rng = np.random.default_rng(3)
    hours = np.repeat(np.arange(168 * 4), 50)
    times = MONDAY + hours * HOUR + np.tile(np.arange(50), 168 * 4)
    wrong = rng.random(hours.size) < np.where(hours % 2, 0.3, 0.02)
    answers = [Said(score=0.9 if bad else 0.1) for bad in wrong]
    policy = Policy(model="m", task=Task.BINARY)
    known = with_outcomes(
        profile([0.1, 0.9] * 200), policy, answers, np.zeros(hours.size), times.astype(np.int64)
    ).outcomes["error_rate"]
    assert known.dispersion > 3
    assert known.hours is not None
    assert known.hours[0].n == 200
    assert known.hours[0].sum == wrong[hours % 168 == 0].sum()
    seasonal = with_outcomes(
        profile([0.1, 0.9] * 200),
        policy.model_copy(update={"seasonal": ["error_rate"]}),
        answers,
        np.zeros(hours.size),
        times.astype(np.int64),
    ).outcomes["error_rate"]
    assert seasonal.dispersion < 1.3


def test_rows_that_do_not_belong_together_are_refused() -> None:
    """One truth for each answer."""
    with pytest.raises(ValueError, match="1 answers and 2 truths"):
        with_outcomes(
            profile([0.5] * 3),
            Policy(model="m", task=Task.BINARY),
            [Said(score=0.5)],
            np.array([1.0, 0.0]),
        )
