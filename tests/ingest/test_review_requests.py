"""Which predictions people are asked to review: always the same ones, with the right weight."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from desk import T0, Desk, feedback, prediction
from hypothesis import given, settings
from pydantic import ValidationError
from shards import DAY, HOUR, Event, at_once, in_any_batches

from schemas.policy import Policy, Task
from schemas.review import Review, ReviewRequest
from streams.ingest.review import LABEL_LENGTH, draws


def reasons(asked: list[ReviewRequest]) -> dict[str, str]:
    return {one.prediction_id: one.stratum for one in asked}


def test_the_first_reason_that_applies_is_the_stratum() -> None:
    """Flagged, else uncertain, else a tenth of the score; of each its share, here all."""
    desk = Desk(Review(flagged=1.0, uncertain=1.0, high=0.95, audit=1.0))
    scores = (0.0, 0.05, 0.399, 0.4, 0.89, 0.9, 0.93, 1.0)
    asked = desk.serve(*(prediction(i, score) for i, score in enumerate(scores)))
    assert list(reasons(asked).values()) == [
        *("0.0-0.1", "0.0-0.1", "0.3-0.4"),
        *("uncertain", "uncertain"),
        *("flagged", "flagged", "flagged"),
    ]
    assert {one.weight for one in asked} == {1.0}
    assert [one.score for one in asked] == list(scores)
    assert [one.time_ms for one in asked] == [T0 + i for i in range(len(scores))]


def test_a_reason_without_a_share_leaves_the_prediction_to_the_next() -> None:
    """So an audit alone samples every score, flagged ones too."""
    desk = Desk(Review(audit=1.0))
    asked = desk.serve(prediction(1, 0.5), prediction(2, 1.0))
    assert reasons(asked) == {"p1": "0.5-0.6", "p2": "0.9-1.0"}


def test_only_answers_of_the_baseline_are_asked_for() -> None:
    """Canaries and shadows are judged beside it; without an answer there is nothing to review."""
    desk = Desk(Review(audit=1.0))
    rows = [prediction(1, arm="canary"), prediction(2, arm="shadow"), prediction(3, None)]
    shadow = prediction(5, arm="shadow", pair_id="p4")
    assert reasons(desk.serve(*rows, prediction(4), shadow)) == {"p4": "0.5-0.6"}


def test_weights_make_the_sample_stand_for_all() -> None:
    """Horvitz-Thompson totals of errors and of rows lie within 4 standard deviations."""
    shares = {"flagged": 0.1, "uncertain": 0.5, "audit": 0.05}
    desk = Desk(Review(**shares))
    random, n = np.random.default_rng(3), 20_000
    score = random.beta(0.6, 1.2, n)
    wrong = random.random(n) < 0.02 + 0.4 * np.minimum(score, 1 - score)
    asked = desk.serve(*(prediction(i, x) for i, x in enumerate(score.tolist())))
    band = (score >= 0.4) & (score <= 0.6)
    chance = np.where(score >= 0.9, 0.1, np.where(band, 0.5, 0.05))
    weight = np.array([one.weight for one in asked])
    rows = np.array([int(one.prediction_id[1:]) for one in asked])
    np.testing.assert_allclose(weight, 1 / chance[rows])
    for value in (np.ones(n), wrong, wrong * (score < 0.1)):
        sd = np.sqrt((value**2 * (1 - chance) / chance).sum())
        assert abs((weight * value[rows]).sum() - value.sum()) < 4 * sd
    naive, truth = wrong[rows].mean(), wrong.mean()
    assert naive > 1.3 * truth


def test_draws_are_uniform_and_independent_between_reasons() -> None:
    """Also for ids that count up, and for names that differ in one letter."""
    names = [b"\x00\x05fraudtx-%d" % i for i in range(40_000)]
    first, second = (draws(names, np.full(len(names), seed, np.uint64)) for seed in (1, 2))
    for drawn in (first, second, first[::2], first[:4_000]):
        counts = np.histogram(drawn, 20, (0.0, 1.0))[0]
        expected = len(drawn) / 20
        assert ((counts - expected) ** 2 / expected).sum() < 19 + 6 * np.sqrt(38)
    for lag in (np.corrcoef(first, second)[0, 1], np.corrcoef(first[1:], first[:-1])[0, 1]):
        assert abs(lag) < 5 / np.sqrt(len(names))


def test_a_smaller_share_asks_for_some_of_the_same() -> None:
    """Whoever lowers a share asks for nobody new."""
    events = [prediction(i, 0.2) for i in range(2_000)]
    chosen = [
        {one.prediction_id for one in Desk(Review(audit=share)).serve(*events)}
        for share in (0.02, 0.1, 1.0)
    ]
    assert chosen[0] < chosen[1] < chosen[2]
    assert 20 < len(chosen[0]) < 60


def test_a_repeated_prediction_is_asked_for_once() -> None:
    """In one batch and over checkpoints; an id that is used again after its horizon is new."""
    desk = Desk(Review(audit=1.0))
    first = desk.serve(prediction(1), prediction(1, 0.9, time=T0 + 5))
    assert [one.score for one in first] == [0.5]
    assert desk.serve(prediction(1)) == []
    later = desk.serve(prediction(9, time=T0 + 9 * DAY), prediction(1, time=T0 + 9 * DAY))
    assert [one.prediction_id for one in later] == ["p9", "p1"]
    assert len({one.id for one in desk.asked}) == 3


def test_multiclass_goes_by_the_best_class() -> None:
    """Uncertain is up to ``high``, however low; the best class is the answer."""
    desk = Desk(Review(uncertain=1.0, flagged=1.0), Task.MULTICLASS)
    answers = [{"a": 0.2, "b": 0.3}, {"a": 0.7, "b": 0.3}, {"a": 0.95}]
    rows = [prediction(i, output={"scores": scores}) for i, scores in enumerate(answers)]
    asked = desk.serve(*rows, prediction(3, output={"label": "c", "score": 0.5}))
    found = [(one.prediction_id, one.stratum, one.score, one.label) for one in asked]
    assert found == [
        ("p0", "uncertain", 0.3, "b"),
        ("p2", "flagged", 0.95, "a"),
        ("p3", "uncertain", 0.5, "c"),
    ]


@pytest.mark.parametrize(
    ("task", "output", "score"),
    [
        (Task.REGRESSION, {"value": 70.0}, 70.0),
        (Task.RANKING, {"items": ["a", "b"]}, None),
        (Task.CHAT, {"signals": {"tokens": 10.0}}, None),
    ],
)
def test_tasks_without_a_score_have_one_stratum(
    task: Task, output: dict[str, Any], score: float | None
) -> None:
    """An audit samples all answers alike; score and band ask for what they do not have."""
    [asked] = Desk(Review(audit=1.0), task).serve(prediction(1, output=output))
    assert (asked.stratum, asked.score, asked.label) == ("all", score, None)
    for name in ("uncertain", "flagged"):
        with pytest.raises(ValidationError, match=rf"review\.{name} goes by the score"):
            Policy(model="m", task=task, review=Review(**{name: 0.1}))


def test_a_share_that_is_never_met_is_refused() -> None:
    """Its weight would be no number that a person could use."""
    with pytest.raises(ValidationError, match=r"audit 1e-09 is never met"):
        Review(audit=1e-9)
    with pytest.raises(ValidationError, match=r"low 0\.7 is not below high 0\.6"):
        Review(low=0.7)


def test_a_label_as_long_as_a_record_is_cut() -> None:
    """A request fits into a record, whatever a prediction holds."""
    long = {"label": "x" * 500_000, "score": 0.5}
    [asked] = Desk(Review(audit=1.0), Task.MULTICLASS).serve(prediction(1, output=long))
    assert asked.label == "x" * LABEL_LENGTH


@st.composite
def traffic(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """Predictions, some twice and of two arms, and feedback that turns labels round."""
    predictions = [
        prediction(
            draw(st.integers(0, 7)),
            draw(st.sampled_from([0.05, 0.5, 0.95])),
            time=T0 + draw(st.integers(0, 3)) * HOUR,
            arm=draw(st.sampled_from(["baseline", "baseline", "canary"])),
            segments={"region": draw(st.sampled_from(["eu", "us"]))},
        )
        for _ in range(draw(st.integers(1, 10)))
    ]
    told = [
        feedback(
            draw(st.integers(0, 7)),
            draw(st.integers(4, 60)),
            draw(st.booleans()),
            kind=draw(st.sampled_from(["truth", "correction", "review", "retraction"])),
        )
        for _ in range(draw(st.integers(0, 12)))
    ]
    return predictions, told


REVIEW = Review(uncertain=0.5, flagged=0.7, audit=0.6, disputed=0.8)


@settings(deadline=None, max_examples=150)
@given(traffic(), st.data())
def test_any_division_into_batches_asks_for_the_same(
    events: tuple[list[Event], list[Event]], data: st.DataObject
) -> None:
    """Feedback first or last, with checkpoints and restarts; the very bytes are the same."""
    together, divided = (Desk(REVIEW, segments=["region"]) for _ in range(2))
    at_once(together, *events)
    in_any_batches(divided, *events, data)
    found = [sorted(one.model_dump_json() for one in desk.asked) for desk in (together, divided)]
    assert found[0] == found[1]
    assert len({one.id for one in together.asked}) == len(together.asked)
