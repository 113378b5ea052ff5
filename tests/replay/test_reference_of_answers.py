"""A reference learned from predictions knows their answers, with or without features."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import ProfileError
from schemas.hot import HotPrediction, prediction_list_decoder
from schemas.ids import content_id
from schemas.reference import ReferenceProfile
from streams.learn import profile_of


def predicted(outputs: list[dict[str, Any]], features: dict[str, float]) -> list[HotPrediction]:
    """Predictions as they are read."""
    rows = [
        {
            "prediction_id": content_id(place),
            "model": "m",
            "version": "v",
            "time": place,
            "output": output,
            "features": features,
        }
        for place, output in enumerate(outputs)
    ]
    return prediction_list_decoder.decode(json.dumps(rows).encode())


def test_lists_without_features_are_a_reference() -> None:
    """Nothing else is needed to watch what is recommended."""
    outputs = [{"items": ["a", "b"]}, {"items": []}, {"items": ["a"]}]
    found = profile_of(predicted(outputs, {}), model="m", source="test")
    assert found.items is not None
    assert (found.n, found.items.n, found.numeric) == (3, 2, {})
    assert found.outcomes["zero_results"].sum == 1.0
    assert found == ReferenceProfile.model_validate_json(found.model_dump_json())


def test_classes_score_and_features_stand_side_by_side() -> None:
    """Of several scores the best is the score, its class the predicted one."""
    outputs = [{"scores": {"a": 0.9, "b": 0.1}}] * 60 + [{"scores": {"a": 0.3, "b": 0.7}}] * 40
    found = profile_of(predicted(outputs, {"x": 1.0}), model="m", source="test")
    assert found.classes is not None
    assert (found.classes.categories, found.classes.counts) == (["a", "b"], [60, 40, 0])
    assert found.score is not None
    assert (found.score.min, found.score.max) == (0.7, 0.9)
    assert set(found.numeric) == {"x"}


def test_a_binary_decision_is_no_class() -> None:
    """True and false are told by the score."""
    outputs = [{"score": 0.5, "label": True}, {"score": 0.4, "label": False}]
    assert profile_of(predicted(outputs, {}), model="m", source="test").classes is None


def test_predictions_without_anything_to_compare_are_refused() -> None:
    """A reference that knows nothing would watch nothing."""
    with pytest.raises(ProfileError, match="no feature, score, class, item or embedding"):
        profile_of(predicted([{}], {}), model="m", source="test")
