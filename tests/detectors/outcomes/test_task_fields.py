"""What tasks sum up beyond their errors: classes one by one, PIT, bias, clicks, regenerations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from detectors.calibration.class_wise import class_sums
from detectors.outcomes import Chat, Multiclass, Outcome, Ranking, Regression, classes_of, layout
from detectors.outcomes.calibration import BINS
from detectors.outcomes.classes import Places
from detectors.outcomes.contract import number
from detectors.quantities import Sums, sums_of
from detectors.summary import CellBuilder, Ints, Layout, scatter
from schemas.feedback import FeedbackEvent
from schemas.policy import Policy, Task
from schemas.predictions import Output
from schemas.reference import CategoricalReference, ReferenceProfile

STEP = 2.0**-20
LEVELS = (0.1, 0.5, 0.9)


def told(**truth: Any) -> FeedbackEvent:
    return FeedbackEvent(prediction_id="p", model="m", time=0, **truth)


def pane_of(
    outcome: Outcome, answers: Sequence[Output], truths: Sequence[FeedbackEvent]
) -> tuple[Layout, Ints]:
    """The label pane of some rows and its layout."""
    fields = layout(outcome)
    build = CellBuilder(fields)
    rows = np.arange(len(answers))
    build.ones("n", rows)
    tails = outcome.pack(answers)
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    outcome.add(build, tails, np.array([outcome.truth(truth) for truth in truths], np.float64))
    (pane,) = scatter(build.build(), rows * 0, rows * 0 + 1, 1, fields.size)
    return fields, pane


def test_recall_counts_the_labels_of_each_class() -> None:
    """Of a's three labels two are found; a class that the reference lacks counts for none."""
    answers = [Output(label=label, score=0.9) for label in "aabba"]
    truths = [told(label=label) for label in "aaabz"]
    fields, pane = pane_of(Multiclass(["a", "b"]), answers, truths)
    assert sums_of(fields, pane, "recall", "a") == Sums(3, 2.0)
    assert sums_of(fields, pane, "recall", "b") == Sums(1, 1.0)
    assert sums_of(fields, pane, "recall", "z") is None
    assert sums_of(fields, pane, "recall") is None


def test_class_calibration_equals_the_detectors_own_sums() -> None:
    """Bin by bin and class by class, up to rounding of 2**-20 a row."""
    rng = np.random.default_rng(7)
    p, y = rng.dirichlet([1, 1, 1], 200), rng.integers(0, 3, 200)
    answers = [Output(scores=dict(zip("abc", row.tolist(), strict=True))) for row in p]
    fields, pane = pane_of(Multiclass("abc"), answers, [told(label="abc"[i]) for i in y])
    for place, expected in enumerate(class_sums(p, y)):
        part = slice(place * BINS, (place + 1) * BINS)
        n, sum_p, sum_y, square = (
            fields.values(pane, f"class_{mark}")[part] for mark in ("n", "p", "y", "sq")
        )
        assert n.tolist() == expected.n.tolist()
        assert sum_y - sum_p == pytest.approx(expected.d, abs=200 * STEP)
        assert square == pytest.approx(expected.v, abs=200 * STEP)
        for mark, value in (("d", expected.d_slope), ("v", expected.v_slope)):
            found = fields.values(pane, f"class_slope_{mark}")[place]
            assert found == pytest.approx(value, abs=200 * STEP)


def test_class_calibration_needs_the_probabilities_of_all_classes() -> None:
    """A best class with its score alone says nothing of the others; zeros may be left out."""
    answers = [Output(label="a", score=0.6), Output(scores={"a": 1.0}), Output(scores={"a": 0.5})]
    fields, pane = pane_of(Multiclass(["a", "b"]), answers, [told(label="a")] * 3)
    assert fields.counts(pane, "class_n").sum() == 2
    assert fields.counts(pane, "class_y").sum() == 1


@pytest.mark.parametrize(
    ("task", "names", "found"),
    [
        (Task.MULTICLASS, 10, 10),
        (Task.MULTICLASS, 11, 0),
        (Task.MULTICLASS, 1, 0),
        (Task.BINARY, 2, 0),
    ],
)
def test_classes_are_watched_one_by_one_where_there_are_few(
    task: Task, names: int, found: int
) -> None:
    """Two to ten, of a multiclass task, from the reference."""
    categories = [f"c{i}" for i in range(names)]
    known = CategoricalReference(
        n=names, missing=0, categories=categories, counts=[1] * names + [0]
    )
    profile = ReferenceProfile(model="m", n=names, classes=known)
    assert len(classes_of(Policy(model="m", task=task), profile)) == found
    assert classes_of(Policy(model="m", task=task), None) == ()


def test_places_of_classes_are_those_of_their_names() -> None:
    """Whatever order their hashes have; unknown ones come last."""
    names = [f"class {i}" for i in range(50)]
    numbers = np.array([number(name) for name in [*names, "another"]], np.float64)
    assert Places(names).of(numbers).tolist() == list(range(51))


def test_pit_counts_truths_between_quantiles() -> None:
    """A truth on a quantile lies at or below it."""
    answer = Output(value=5.0, quantiles={"0.1": 1.0, ".50": 5.0, "0.9": 9.0, "mean": 5.0})
    truths = [told(value=value) for value in (0.0, 1.0, 3.0, 5.0, 8.0, 99.0)]
    fields, pane = pane_of(Regression(1.0, LEVELS), [answer] * 6, truths)
    assert fields.counts(pane, "pit").tolist() == [2, 2, 1, 1]


@pytest.mark.parametrize(
    "quantiles",
    [
        None,
        {},
        {"0.1": 1.0, "0.9": 9.0},
        {"0.1": 1.0, "0.5": 9.0, "0.9": 5.0},
        {"0.1": 1.0, "0.10": 2.0, "0.5": 5.0, "0.9": 9.0},
        {"10": 1.0, "50": 5.0, "90": 9.0},
    ],
)
def test_quantiles_that_say_nothing_leave_only_the_pit(quantiles: dict[str, float] | None) -> None:
    """Missing, descending, stated twice, or named by no probability: the error still counts."""
    answer = Output(value=5.0, quantiles=quantiles)
    fields, pane = pane_of(Regression(1.0, LEVELS), [answer], [told(value=6.0)])
    assert fields.counts(pane, "pit").sum() == 0
    assert fields.total(pane, "abs") == 1.0


def test_bias_is_a_sign_test_without_ties() -> None:
    """An exact forecast is neither below nor above the truth."""
    truths = [told(value=value) for value in (1.0, 2.0, 2.0, 3.0, 4.0)]
    fields, pane = pane_of(Regression(), [Output(value=2.0)] * 5, truths)
    assert sums_of(fields, pane, "under_rate") == Sums(3, 2.0)


def test_a_click_below_the_first_ten_is_a_click_and_a_miss() -> None:
    """CTR counts every position, the hit rate the first ten."""
    items = [f"i{k}" for k in range(12)]
    said: list[dict[str, float | str]] = [
        {"clicked": "i0"},
        {"clicked": "i11"},
        {"clicked": 0.0},
        {"clicked": 0.0},
    ]
    truths = [told(signals=signals) for signals in said]
    fields, pane = pane_of(Ranking(), [Output(items=items)] * 4, truths)
    assert sums_of(fields, pane, "ctr") == Sums(4, 2.0)
    assert sums_of(fields, pane, "error_rate") == Sums(4, 3.0)


@pytest.mark.parametrize(
    ("signals", "error", "again"),
    [
        ({"thumbs": 1.0}, Sums(1, 0.0), Sums(1, 0.0)),
        ({"thumbs": -1.0, "regenerated": 1.0}, Sums(1, 1.0), Sums(1, 1.0)),
        ({"thumbs": 1.0, "regenerated": 1.0}, Sums(1, 0.0), Sums(1, 1.0)),
        ({"regenerated": 1.0}, Sums(0, 0.0), Sums(1, 1.0)),
        ({"regenerated": 0.0}, Sums(0, 0.0), Sums(1, 0.0)),
    ],
)
def test_chat_rates_are_of_those_who_said_so(
    signals: dict[str, float | str], error: Sums, again: Sums
) -> None:
    """Thumbs count among rated answers, regenerations among answers with any feedback."""
    fields, pane = pane_of(Chat(), [Output()], [told(signals=signals)])
    assert sums_of(fields, pane, "error_rate") == error
    assert sums_of(fields, pane, "regeneration_rate") == again


@pytest.mark.parametrize("signals", [None, {}, {"regenerated": "yes"}, {"thumbs": "up"}])
def test_chat_feedback_without_a_rating_is_none(signals: dict[str, float | str] | None) -> None:
    """Words are not guessed at."""
    assert Chat().truth(told(signals=signals)) is None
