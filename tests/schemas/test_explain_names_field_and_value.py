"""A refused event comes with its field, its value and what to do."""

from __future__ import annotations

import json

import pytest

from schemas.explain import SHOWN, explain
from schemas.predictions import PredictionEvent

GOOD: dict[str, object] = {
    "prediction_id": "p1",
    "model": "m",
    "version": "v",
    "time": 0,
    "output": {},
}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"model": 7}, "model", ["found 7", "send a JSON string"]),
        ({"model": ""}, "model", ["at least 1 character", "found ''", "change its length"]),
        ({"model": None}, "model", ["found None"]),
        ({"time": 1.5}, "time", ["valid integer", "valid string", "found 1.5"]),
        ({"time": "noon"}, "time", ["found 'noon'"]),
        ({"time": -1}, "time", ["greater than or equal to 0", "found -1"]),
        ({"output": {"score": "high"}}, "output.score", ["valid number", "found 'high'"]),
        ({"output": {"interval": [1]}}, "output.interval", ["at least 2 items"]),
        ({"output": {"scores": {"a b": True}}}, "output.scores['a b']", ["found True"]),
        ({"features": {"x": [1]}}, "features.x", ["found [1]"]),
        ({"embeddings": {"t": [0, "x"]}}, "embeddings.t[1]", ["found 'x'", "send a number"]),
        ({"arm": "blue"}, "arm", ["'baseline', 'canary' or 'shadow'", "choose one of these"]),
        ({"latency_ms": -1}, "latency_ms", ["send a value in range"]),
        ({"model": 7, "version": 8}, "model", ["(1 more bad)"]),
    ],
)
def test_field_value_and_advice(change: dict[str, object], field: str, words: list[str]) -> None:
    """The first bad field is named by its path, without the branches of unions."""
    found = explain(PredictionEvent, json.dumps(GOOD | change).encode())
    assert found[0] == field
    assert found[1].startswith(f"{field}: ")
    assert [word for word in words if word not in found[1]] == []


def test_a_missing_field() -> None:
    """What is absent is named."""
    assert explain(PredictionEvent, b'{"model": "m"}') == (
        "prediction_id",
        "prediction_id: missing; add it (3 more bad)",
    )


def test_not_a_number() -> None:
    """NaN is no value; null is."""
    value = json.dumps(GOOD | {"output": {"score": float("nan")}}).encode()
    found = explain(PredictionEvent, value)
    assert found[0] == "output.score"
    assert found[1].endswith("send null for no value")


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b"{'a':1}", b"{} x"])
def test_bytes_that_are_not_json(value: bytes) -> None:
    """The whole record is at fault, and the message says where the reader stopped."""
    found = explain(PredictionEvent, value)
    assert found[0] == ""
    assert found[1].startswith("record: not JSON: ")
    assert "line 1 column" in found[1]


def test_json_of_another_kind() -> None:
    """A value that is no object."""
    found = explain(PredictionEvent, b"[1]")
    assert found == ("", "record: Input should be an object; found [1]; send a JSON object")


def test_long_values_are_cut() -> None:
    """A message stays one line however large the value is."""
    found = explain(PredictionEvent, json.dumps(GOOD | {"model": "x" * 10_000}).encode())
    assert len(found[1]) < 2 * SHOWN + 40
    assert "…" in found[1]


def test_a_good_event_has_nothing_to_explain() -> None:
    """Both parts are empty."""
    assert explain(PredictionEvent, json.dumps(GOOD).encode()) == ("", "")
