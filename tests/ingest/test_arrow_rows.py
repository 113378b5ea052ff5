"""Rows of Arrow messages answer as the same events in JSON do."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pyarrow as pa
from arrow_streams import Event, batch_of, stream_of
from event_strategies import events
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_rows import EVENT, as_arrow, as_json, assert_alike, record

from schemas.arrow import COLUMNS, FAMILIES, MAGIC
from schemas.dead_letters import Reason
from schemas.predictions import Output, PredictionEvent
from streams.ingest.decode.arrow import batches_of
from streams.ingest.decode.arrow_rows import rows_of
from streams.ingest.decode.one_by_one import decode_predictions

PLAIN = batch_of([EVENT])


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
    columns = [{**row, "time": row["time"] * 1_000} for row in rows]
    assert_alike(as_json([rows]), as_arrow([stream_of(batch_of(columns, types=TYPES))]))


def test_a_row_that_looks_bad_and_is_not_counts() -> None:
    """256 letters of two bytes are no longer than 256 letters."""
    rows = [{**EVENT, "prediction_id": "é" * 256, "version": "é" * 200}]
    assert_alike(as_json([rows]), as_arrow([stream_of(batch_of(rows))]))


def test_the_model_may_stand_in_the_metadata() -> None:
    """So that no column has to repeat it."""
    batch = pa.record_batch(
        {n: c for n, c in zip(PLAIN.schema.names, PLAIN.columns, strict=True) if n != "model"}
    )
    found = as_arrow([stream_of(batch, metadata={"model": "m"})])
    assert_alike(as_json([[EVENT]]), found)


def test_messages_that_are_alike_are_taken_together() -> None:
    """Up to one of another model or schema; which message held a row is known as before."""
    plain = PLAIN.drop_columns(["model"])
    models = ["m", "m", "n", "n", "m"]
    values = [stream_of(plain, metadata={"model": model}) for model in models]
    wider = plain.append_column("error", pa.array(["down"]))
    values += [stream_of(plain, plain, metadata={"model": "m"})] * 2
    values.append(stream_of(wider, metadata={"model": "m"}))
    found, dead = batches_of([record(value, i) for i, value in enumerate(values)])
    assert [batch.model for batch, _ in found] == ["m", "n", "m", "m"]
    assert [len(batch) for batch, _ in found] == [2, 2, 5, 1]
    assert not dead
    rows = as_arrow(values)
    assert [rows.record(row).offset for row in range(len(rows))] == [0, 1, 2, 3, 4, 5, 5, 6, 6, 7]
    assert [rows.index(row) for row in range(len(rows))] == [0, 0, 0, 0, 0, 0, 1, 0, 1, 0]


def test_alike_messages_that_cannot_be_one_are_read_each() -> None:
    """Their dictionaries together may be too large for the type of their places."""
    messages = [
        [{**EVENT, "prediction_id": f"{i}-{j}", "version": f"v{i}-{j}"} for j in range(100)]
        for i in range(2)
    ]
    types = {"version": pa.dictionary(pa.int8(), pa.string())}
    values = [stream_of(batch_of(events, types=types)) for events in messages]
    found, _ = batches_of([record(value, i) for i, value in enumerate(values)])
    assert [len(batch) for batch, _ in found] == [100, 100]
    assert_alike(as_json(messages), as_arrow(values))


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
