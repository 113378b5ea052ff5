"""What an Arrow message gets wrong costs its row, or the message, and says so."""

from __future__ import annotations

import base64
import json
from typing import Any

import pyarrow as pa
import pytest
from arrow_streams import Event, batch_of, stream_of
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_rows import EVENT, record

from detectors.outcomes.binary import Binary
from schemas.arrow import MAGIC
from streams.ingest.decode.arrow_rows import rows_of

GOOD = stream_of(batch_of([EVENT]))
PLAIN = batch_of([EVENT])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"prediction_id": ""}, "prediction_id"),
        ({"prediction_id": "é" * 257}, "prediction_id"),
        ({"prediction_id": None}, "prediction_id"),
        ({"pair_id": ""}, "pair_id"),
        ({"unit_id": "u" * 257}, "unit_id"),
        ({"version": None}, "version"),
        ({"version": "v" * 201}, "version"),
        ({"time": None}, "time"),
        ({"time": -5}, "time"),
        ({"time": 10**15}, "time"),
        ({"arm": "Canary"}, "arm"),
        ({"latency_ms": -1.0}, "latency_ms"),
        ({"latency_ms": float("nan")}, "latency_ms"),
        ({"output": {"score": float("inf")}}, "output.score"),
        ({"output": {"interval": [1.0, None]}}, "output.interval"),
        ({"output": {"scores": {"a": float("nan")}}}, "output.scores.a"),
        ({"output": {"quantiles": {f"0.{i}": 0.5 for i in range(10, 111)}}}, "output.quantiles"),
        ({"output": {"items": ["a", None]}}, "output.items[1]"),
        ({"output": {"items": ["a"] * 1_001}}, "output.items"),
        ({"features": {"x": float("nan")}}, "features.x"),
        ({"embeddings": {"text": [1.0, None]}}, "embeddings.text[1]"),
        ({"embeddings": {"text": [float("inf")]}}, "embeddings.text[0]"),
    ],
)
def test_a_bad_row_costs_that_row(change: Event, field: str) -> None:
    """The others count; its dead letter says the field and holds the row as JSON."""
    rows = [EVENT, {**EVENT, **change}, {**EVENT, "prediction_id": "p2"}]
    found, dead = rows_of([record(stream_of(batch_of(rows)))])
    assert list(found.keys()) == [b"p1", b"p2"]
    assert found.index(1) == 2
    (letter,) = dead
    assert (letter.row, letter.reason, letter.field) == (1, "bad_shape", field)
    kept = json.loads(base64.b64decode(letter.value_base64))
    assert kept["model"] == "m"
    assert kept.get("prediction_id") == {**EVENT, **change}["prediction_id"]


def replaced(name: str, column: Any) -> bytes:
    """A stream in which one column is another; None leaves it out."""
    columns = dict(zip(PLAIN.schema.names, PLAIN.columns, strict=True))
    columns.pop(name, None)
    return stream_of(pa.record_batch(columns | ({} if column is None else {name: column})))


@pytest.mark.parametrize(
    ("value", "reason", "said"),
    [
        (MAGIC, "not_arrow", "not an Arrow IPC stream"),
        (MAGIC + b"\x00" * 40, "not_arrow", "not an Arrow IPC stream"),
        (MAGIC + b"\xff" * 40, "not_arrow", "not an Arrow IPC stream"),
        (GOOD[: len(GOOD) // 2], "not_arrow", "not an Arrow IPC stream"),
        (GOOD[:-60], "not_arrow", "not an Arrow IPC stream"),
        (replaced("prediction_id", None), "bad_shape", "column prediction_id is missing; add it"),
        (replaced("time", None), "bad_shape", "column time is missing"),
        (replaced("model", None), "bad_shape", "column model is missing; name it in the schema"),
        (replaced("time", pa.array([1.5])), "bad_shape", "column time is double; make it"),
        (
            replaced("time", pa.array([1], pa.timestamp("ms"))),
            "bad_shape",
            "timestamp with a time zone",
        ),
        (replaced("score", pa.array(["a"])), "bad_shape", "column score is string; make it floats"),
        (replaced("label", pa.array([0.5])), "bad_shape", "column label is double; make it"),
        (replaced("prediction_id", pa.array([7])), "bad_shape", "column prediction_id is int64"),
        (replaced("prediction_id", pa.nulls(1)), "bad_shape", "column prediction_id is null"),
        (replaced("features.x", pa.array([[1]])), "bad_shape", "column features.x is list"),
        (
            replaced("features.x", pa.array([1]).cast(pa.decimal128(20))),
            "bad_shape",
            "column features.x is decimal128",
        ),
    ],
)
def test_a_message_that_cannot_be_used_is_one_dead_letter(
    value: bytes, reason: str, said: str
) -> None:
    """With what is wrong and the bytes as they came; the next message is read."""
    found, dead = rows_of([record(value), record(GOOD, 1)])
    assert len(found) == 1
    (letter,) = dead
    assert (letter.reason, letter.offset, letter.row) == (reason, 0, 0)
    assert said in letter.message
    assert base64.b64decode(letter.value_base64) == value


def test_two_models_in_one_message_are_refused() -> None:
    """A message is of one model."""
    value = stream_of(batch_of([EVENT, {**EVENT, "model": "other"}]))
    _, (letter,) = rows_of([record(value)])
    assert letter.field == "model"
    assert "has 2 values; send a message for each model" in letter.message


def test_what_is_wrong_with_one_of_several_alike_costs_that_one() -> None:
    """Messages are taken together only while none of them is refused."""
    events = [[EVENT], [EVENT, {**EVENT, "model": "other"}], [{**EVENT, "version": ""}, EVENT]]
    values = [stream_of(batch_of(rows)) for rows in events]
    found, dead = rows_of([record(value, i) for i, value in enumerate(values)])
    assert [(found.record(row).offset, found.index(row)) for row in range(len(found))] == [
        (0, 0),
        (2, 1),
    ]
    assert [(each.offset, each.row, each.field) for each in dead] == [
        (1, 0, "model"),
        (2, 0, "version"),
    ]


def test_dead_letters_are_in_order_of_their_rows() -> None:
    """Of rows and of whole messages alike."""
    bad = stream_of(batch_of([EVENT, {**EVENT, "version": ""}, {**EVENT, "time": -5}]))
    _, dead = rows_of([record(value, i) for i, value in enumerate([bad, b"torn", bad, bad])])
    assert [(letter.offset, letter.row) for letter in dead] == [
        (0, 1),
        (0, 2),
        (1, 0),
        (2, 1),
        (2, 2),
        (3, 1),
        (3, 2),
    ]


def test_a_column_that_stands_twice_is_refused() -> None:
    """Which of them would hold?"""
    batch = pa.RecordBatch.from_arrays(
        [*PLAIN.columns, PLAIN["score"]], names=[*PLAIN.schema.names, "score"]
    )
    _, (letter,) = rows_of([record(stream_of(batch))])
    assert "column score stands there twice" in letter.message
    batch = pa.RecordBatch.from_arrays(
        [*PLAIN.columns, PLAIN["model"]], names=[*PLAIN.schema.names, "model"]
    )
    _, letters = rows_of([record(stream_of(batch), i) for i in range(2)])
    assert ["column model stands there twice" in each.message for each in letters] == [True, True]


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_torn_bytes_break_nothing(data: st.DataObject) -> None:
    """Whatever a byte is changed into, there are rows or dead letters and no other end."""
    value = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(4, len(value) - 1))] = data.draw(st.integers(0, 255))
    found, dead = rows_of([record(bytes(value))])
    for row in range(len(found)):
        found.event(row)
        found.kinds(["k"])
        found.tails(Binary())
    assert all(letter.message for letter in dead)
