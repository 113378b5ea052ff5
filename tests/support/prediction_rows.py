"""Rows of JSON and of Arrow messages, and whether they answer alike."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from arrow_streams import Event

from detectors.outcomes import Outcome
from detectors.outcomes.binary import Binary
from detectors.outcomes.chat import Chat
from detectors.outcomes.multiclass import Multiclass
from detectors.outcomes.ranking import Ranking
from detectors.outcomes.regression import Regression
from streams.ingest.decode.arrow_rows import ArrowRows, rows_of
from streams.ingest.decode.json_predictions import JsonPredictions
from streams.ingest.decode.rows import PredictionRows
from streams.records import Record, columns_of

STAMP_MS = 4 * 10**12
TASKS: tuple[Outcome, ...] = (
    Binary(),
    Binary("ok"),
    Multiclass(("a", "b")),
    Regression(2.0, (0.1, 0.5, 0.9)),
    Ranking(),
    Chat(),
)

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


def record(value: bytes, offset: int = 0) -> Record:
    """A record of the predictions topic."""
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
        for one, same in zip(left.embedding(name), right.embedding(name), strict=True):
            assert (one is None) == (same is None)
            assert one is None or (same is not None and list(one) == list(same))
    assert list(left.inputs()) == list(right.inputs())
    for row in range(len(left)):
        assert left.index(row) == right.index(row)
        assert left.record(row).offset == right.record(row).offset
        assert left.event(row) == right.event(row)
    assert list(left.events()) == list(right.events())
