"""Reversed labels that people are asked to review."""

from __future__ import annotations

import pytest
from desk import T0, Desk, prediction

from schemas.review import Review, ReviewReason


@pytest.mark.parametrize("kind", ["correction", "truth"])
def test_a_reversed_label_is_disputed_once(kind: str) -> None:
    """The first word is none, nor is the same again; a third one adds nothing to a dispute."""
    desk = Desk(Review(disputed=1.0), segments=["region"])
    desk.serve(prediction(1, 0.75, segments={"region": "eu", "other": "x"}))
    assert desk.told(1, True) == desk.told(2, True, kind=kind) == []
    [asked] = desk.told(3, False, kind=kind, source="bank")
    assert (asked.prediction_id, asked.stratum, asked.weight) == ("p1", "disputed", 1.0)
    assert (asked.version, asked.score, asked.label) == ("v1", 0.75, False)
    assert (asked.time_ms, asked.segment) == (T0 + 1, {"region": "eu"})
    assert desk.told(4, True, kind=kind) == []


def test_a_label_that_was_taken_away_can_be_disputed_anew() -> None:
    """That is another request, with an id of its own."""
    desk = Desk(Review(disputed=1.0))
    desk.serve(prediction(1))
    for hour, label, kind in ((1, True, "truth"), (2, False, "truth"), (3, None, "retraction")):
        desk.told(hour, label, kind=kind)
    desk.told(4, True)
    [again] = desk.told(5, False, kind="correction")
    assert [one.reason for one in desk.asked] == [ReviewReason.DISPUTED] * 2
    assert desk.asked[0].id != again.id


def test_a_reviewer_who_disagrees_asks_nobody_to_review() -> None:
    """Else answers would ask for answers; who contradicts the reviewer afterwards does."""
    desk = Desk(Review(disputed=1.0))
    desk.serve(prediction(1))
    assert desk.told(1, True) == desk.told(2, False, kind="review") == []
    assert len(desk.told(3, True, kind="correction")) == 1
    assert desk.told(4, False, kind="review") == []


def test_labels_of_a_canary_and_refused_ones_raise_no_dispute() -> None:
    """Feedback past its horizon changes no label."""
    desk = Desk(Review(disputed=1.0))
    desk.serve(prediction(1, arm="canary"), prediction(2))
    for i in (1, 2):
        desk.told(1, True, i=i)
    desk.told(2, False, i=1)
    desk.told(200, False, i=2)
    assert desk.asked == []
    assert len(desk.dead) == 1
