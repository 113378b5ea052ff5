"""Rows of Arrow messages answer as the same events in JSON do."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from arrow_streams import batch_of, stream_of
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.outcomes import Outcome
from detectors.outcomes.binary import Binary
from detectors.outcomes.chat import Chat
from detectors.outcomes.multiclass import Multiclass
from detectors.outcomes.ranking import Ranking
from detectors.outcomes.regression import Regression
from schemas.arrow import COLUMNS, FAMILIES, MAGIC
from schemas.dead_letters import Reason
from schemas.predictions import Output, PredictionEvent
from streams.ingest.arrow_rows import ArrowRows, distinct, rows_of
from streams.ingest.decode import decode_predictions
from streams.ingest.json_predictions import JsonPredictions
from streams.ingest.rows import PredictionRows
from streams.records import Record, columns_of

Event = dict[str, Any]
STAMP_MS = 4 * 10**12
TASKS: tuple[Outcome, ...] = (
    Binary(),
    Binary("ok"),
    Multiclass(("a", "b")),
    Regression(2.0, (0.1, 0.5, 0.9)),
    Ranking(),
    Chat(),
)

finite = st.floats(allow_nan=False, allow_infinity=False)
shares = st.floats(0, 1) | st.sampled_from([-0.0, 0.5, 1.5, -1.0])
words = st.sampled_from(["a", "b", "ok", "é😀", "", "true", "0"])
ids = st.text(min_size=1, max_size=6)
LABELS = (st.booleans(), st.integers(-3, 3), words)
VALUES = (st.booleans(), st.integers(-(2**62), 2**62), finite, words)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def outputs(draw: st.DrawFn, label: st.SearchStrategy[Any]) -> Event:
    """An output with some of everything, whatever the task."""
    quantiles = sorted(draw(st.lists(finite, min_size=3, max_size=3)))
    if draw(st.booleans()):
        quantiles.reverse()
    said: Event = {
        "score": draw(maybe(shares)),
        "label": draw(maybe(label)),
        "value": draw(maybe(finite)),
        "interval": draw(maybe(st.tuples(finite, finite).map(list))),
        "scores": draw(maybe(st.dictionaries(words, shares, min_size=1))),
        "quantiles": draw(maybe(st.just(dict(zip(("0.1", ".5", "0.9"), quantiles, strict=True))))),
        "items": draw(maybe(st.lists(words, max_size=12))),
        "signals": draw(
            maybe(st.dictionaries(st.sampled_from(["x", "tokens"]), finite, min_size=1))
        ),
    }
    if said["quantiles"] is not None and draw(st.booleans()):
        said["quantiles"]["0.50" if draw(st.booleans()) else "0.25"] = draw(finite)
    return {name: value for name, value in said.items() if value is not None}


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Events of one model; what a name stands for has one type in all of them."""
    label = draw(st.sampled_from(LABELS))
    kinds = {name: draw(st.sampled_from(VALUES)) for name in ("x", "y", "z.é")}
    found = []
    for _ in range(draw(st.integers(1, 6))):
        event: Event = {
            "prediction_id": draw(ids),
            "model": "m",
            "version": draw(st.sampled_from(["v1", "v2"])),
            "time": draw(st.integers(0, 10**12)),
            "output": draw(outputs(label)),
            "arm": draw(maybe(st.sampled_from(["baseline", "canary", "shadow"]))),
            "pair_id": draw(maybe(ids)),
            "unit_id": draw(maybe(ids)),
            "latency_ms": draw(maybe(st.floats(0, 1e9))),
            "error": draw(maybe(words)),
            "features": {n: draw(kind) for n, kind in kinds.items() if draw(st.booleans())},
            "segments": draw(st.dictionaries(st.sampled_from(["k", "l"]), words)),
            "groups": draw(st.dictionaries(st.sampled_from(["k", "g"]), words)),
            "trace": draw(st.dictionaries(st.sampled_from(["data"]), words)),
            "embeddings": draw(
                st.dictionaries(st.just("text"), st.lists(finite, min_size=0, max_size=3))
            ),
        }
        found.append({name: value for name, value in event.items() if value not in (None, {})})
    for event in found:
        event.setdefault("output", {})
    return found


def record(value: bytes, offset: int = 0) -> Record:
    return Record("predictions", 0, offset, STAMP_MS, None, value, ())


def as_json(messages: list[list[Event]]) -> PredictionRows:
    """Rows of JSON arrays."""
    values = [json.dumps(events).encode() for events in messages]
    (records,) = columns_of([record(value, i) for i, value in enumerate(values)])
    run = JsonPredictions().read(records)
    assert not run.dead
    return run.rows


def as_arrow(values: list[bytes]) -> ArrowRows:
    """Rows of Arrow streams."""
    found, dead = rows_of([record(value, i) for i, value in enumerate(values)])
    assert not dead
    return found


def same_floats(left: Any, right: Any) -> bool:
    """Equal to the bit, but for the sign of NaN."""
    return np.array_equal(np.isnan(left), np.isnan(right)) and np.array_equal(
        np.nan_to_num(left).view(np.int64), np.nan_to_num(right).view(np.int64)
    )


def assert_alike(left: PredictionRows, right: PredictionRows) -> None:
    """Every question has one answer."""
    assert len(left) == len(right)
    assert left.times_ms.tolist() == right.times_ms.tolist()
    assert left.stamps_ms.tolist() == right.stamps_ms.tolist()
    assert list(left.keys()) == list(right.keys())
    assert left.shadows().tolist() == right.shadows().tolist()
    for mine, yours in (
        (left.models(), right.models()),
        (left.kinds(["k", "g", "none"]), right.kinds(["k", "g", "none"])),
    ):
        assert list(mine[0]) == list(yours[0])
        assert mine[1].tolist() == yours[1].tolist()
    for task in TASKS:
        assert left.tails(task).tobytes() == right.tails(task).tobytes()
    names = ["none", "tokens", "x", "y", "z.é"]
    (numbers, other), (more, others) = left.numbers(names), right.numbers(names)
    assert same_floats(np.ascontiguousarray(numbers), np.ascontiguousarray(more))
    nowhere = np.zeros(numbers.shape, np.bool_)
    assert np.array_equal(
        nowhere if other is None else other, nowhere if others is None else others
    )
    for name in names:
        assert [(type(v), v) for v in left.words(name)] == [(type(v), v) for v in right.words(name)]
    assert same_floats(left.latencies(), right.latencies())
    assert left.errors().tolist() == right.errors().tolist()
    for name in ("text", "none"):
        for mine, yours in zip(left.embedding(name), right.embedding(name), strict=True):
            assert (mine is None) == (yours is None)
            assert mine is None or list(mine) == list(yours)
    assert list(left.inputs()) == list(right.inputs())
    for row in range(len(left)):
        assert left.index(row) == right.index(row)
        assert left.record(row).offset == right.record(row).offset
        assert left.event(row) == right.event(row)
    assert list(left.events()) == list(right.events())


def dictionaries(batch: Any) -> Any:
    """The same batch with every text column as a dictionary."""
    columns = {
        name: column.dictionary_encode() if column.type == pa.string() else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return pa.record_batch(columns)


@settings(deadline=None, max_examples=60)
@given(st.lists(events(), min_size=1, max_size=3), st.booleans(), st.data())
def test_the_same_events_in_json_and_in_arrow(
    messages: list[list[Event]], encoded: bool, data: st.DataObject
) -> None:
    """All tasks, all fields, any of the rows, with and without dictionaries."""
    batches = [batch_of(events) for events in messages]
    if encoded:
        batches = [dictionaries(batch) for batch in batches]
    values = [stream_of(batch) for batch in batches]
    decoded = decode_predictions([record(value, i) for i, value in enumerate(values)]).rows
    left, right = as_json(messages), as_arrow(values)
    assert [row.event for row in decoded] == [left.event(row) for row in range(len(left))]
    assert_alike(left, right)
    chosen = data.draw(st.sets(st.integers(0, len(left) - 1)))
    places = np.array(sorted(chosen), np.int64)
    assert_alike(left.take(places), right.take(places))
    if len(chosen) > 1:
        assert_alike(
            left.take(places).take(places[:1] * 0), right.take(places).take(places[:1] * 0)
        )


@settings(deadline=None, max_examples=30)
@given(events(), st.data())
def test_a_message_may_hold_several_record_batches(rows: list[Event], data: st.DataObject) -> None:
    """Cut anywhere, the rows are the same, and so are their places."""
    at = data.draw(st.integers(0, len(rows)))
    for batch in (batch_of(rows), dictionaries(batch_of(rows))):
        cut = stream_of(batch.slice(0, at), batch.slice(at))
        assert_alike(as_json([rows]), as_arrow([cut]))


TYPES = {
    "time": pa.timestamp("us", "Europe/Berlin"),
    "score": pa.float32(),
    "features.n": pa.uint8(),
    "features.f": pa.float16(),
    "prediction_id": pa.large_string(),
    "version": pa.dictionary(pa.int8(), pa.large_string()),
    "embeddings.text": pa.list_(pa.float32(), 2),
    "items": pa.large_list(pa.dictionary(pa.int16(), pa.string())),
    "error": pa.string_view(),
}


def test_other_widths_of_a_type_mean_the_same() -> None:
    """Microseconds, small floats, large texts, fixed sizes, dictionaries inside of lists."""
    rows = [
        {
            "prediction_id": f"p{i}",
            "model": "m",
            "version": "v1",
            "time": 1_750_000_000_000 + i,
            "output": {"score": 0.5 + i / 4, "items": ["a", "b"][:i]},
            "features": {"n": i, "f": i / 2},
            "embeddings": {"text": [0.5, float(i)]} if i else {},
            "error": "down" if i else None,
        }
        for i in range(3)
    ]
    columns = [{**row, "time": row["time"] * 1_000} for row in rows]  # type: ignore[operator]
    assert_alike(as_json([rows]), as_arrow([stream_of(batch_of(columns, types=TYPES))]))


EVENT: Event = {
    "prediction_id": "p1",
    "model": "m",
    "version": "v1",
    "time": 7,
    "output": {"score": 0.5},
    "latency_ms": 1.0,
    "pair_id": "p0",
    "features": {"x": 1.5},
    "embeddings": {"text": [1.0, 2.0]},
}


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


def test_a_row_that_looks_bad_and_is_not_counts() -> None:
    """256 letters of two bytes are no longer than 256 letters."""
    rows = [{**EVENT, "prediction_id": "é" * 256, "version": "é" * 200}]
    assert_alike(as_json([rows]), as_arrow([stream_of(batch_of(rows))]))


GOOD = stream_of(batch_of([EVENT]))
PLAIN = batch_of([EVENT])


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


def test_a_column_that_stands_twice_is_refused() -> None:
    """Which of them would hold?"""
    batch = pa.RecordBatch.from_arrays(
        [*PLAIN.columns, PLAIN["score"]], names=[*PLAIN.schema.names, "score"]
    )
    _, (letter,) = rows_of([record(stream_of(batch))])
    assert "column score stands there twice" in letter.message


def test_the_model_may_stand_in_the_metadata() -> None:
    """So that no column has to repeat it."""
    batch = pa.record_batch(
        {n: c for n, c in zip(PLAIN.schema.names, PLAIN.columns, strict=True) if n != "model"}
    )
    found = as_arrow([stream_of(batch, metadata={"model": "m"})])
    assert_alike(as_json([[EVENT]]), found)


def test_columns_without_a_meaning_are_ignored() -> None:
    """As unknown fields of JSON are; so is a column of nulls alone."""
    batch = PLAIN.append_column("index", pa.array([[{"a": 1}]]))
    batch = batch.append_column("score.raw", pa.array([1])).append_column("error", pa.nulls(1))
    assert_alike(as_json([[EVENT]]), as_arrow([stream_of(batch)]))


def test_a_stream_without_rows_holds_none() -> None:
    """With a record batch or without."""
    for value in (stream_of(PLAIN.slice(0, 0)), _schema_only()):
        found, dead = rows_of([record(value)])
        assert (len(found), dead) == (0, [])


def _schema_only() -> bytes:
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, PLAIN.schema).close()
    value: bytes = sink.getvalue().to_pybytes()
    return value


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


def test_distinct_keeps_the_order_of_the_first() -> None:
    """Whatever the codes are."""
    rng = np.random.default_rng(1)
    for n in (0, 1, 50):
        code = rng.integers(0, 20, n)
        first, place = distinct(code)
        assert code[first].tolist() == list(dict.fromkeys(code.tolist()))
        assert code[first][place].tolist() == code.tolist()


def test_every_field_of_the_event_has_a_column() -> None:
    """Columns and families name each field of the models once."""
    paths = {column.path for column in (*COLUMNS.values(), *FAMILIES.values())}
    fields = {(name,) for name in PredictionEvent.model_fields if name != "output"}
    assert paths == fields | {("output", name) for name in Output.model_fields}


def test_a_null_may_hide_in_a_dictionary() -> None:
    """A row has a place in it, and there is no text."""
    hidden = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(["v1", None]))
    rows = [{**EVENT, "segments": {"k": "v1"}}, {**EVENT, "prediction_id": "p2", "segments": {}}]
    batch = batch_of(rows).drop_columns(["segments.k"]).append_column("segments.k", hidden)
    assert_alike(as_json([rows]), as_arrow([stream_of(batch)]))
    versions = batch.drop_columns(["version"]).append_column("version", hidden)
    items = pa.ListArray.from_arrays(pa.array([0, 1, 2]), hidden)
    for spoilt in (versions, batch.append_column("items", items)):
        found, (letter,) = rows_of([record(stream_of(spoilt))])
        assert (len(found), letter.row, letter.reason) == (1, 1, "bad_shape")


def test_readers_of_single_rows_read_columns_too() -> None:
    """Who looks a prediction up, or learns from live ones, has the same rows and dead letters."""
    rows = [EVENT, {**EVENT, "prediction_id": ""}, {**EVENT, "prediction_id": "p2", "time": 9}]
    json_ = decode_predictions([record(json.dumps(rows).encode())])
    arrow = decode_predictions([record(stream_of(batch_of(rows))), record(MAGIC, 1)])
    assert [row.event for row in arrow.rows] == [row.event for row in json_.rows]
    assert [(row.index, row.time_ms) for row in arrow.rows] == [(0, 7), (2, 9)]
    assert [(d.row, d.message) for d in arrow.dead[:1]] == [(d.row, d.message) for d in json_.dead]
    assert [letter.reason.value for letter in arrow.dead] == ["bad_shape", "not_arrow"]
    letter = arrow.rows[1].refused(Reason.STRAY, "elsewhere")
    assert json.loads(base64.b64decode(letter.value_base64))["prediction_id"] == "p2"
