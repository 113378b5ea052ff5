"""Events that are read by a type of their model answer as those that are read without one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.outcomes.binary import Binary
from schemas.cloudevents import HEARTBEAT
from schemas.policy import FeatureContract, FeatureType, Policy, Task
from streams.ingest.decode.json_predictions import LESSONS, JsonPredictions, Run
from streams.ingest.decode.json_rows import JsonRows
from streams.ingest.decode.rows import PredictionRows
from streams.ingest.decode.typed_rows import TypedRows
from streams.ingest.plan import Plan
from streams.records import Headers, Record, Records, columns_of

STAMP_MS = 4 * 10**12
NUMERIC, WORDS, SEGMENTS = ("amount", "the age"), ("country",), ("region", "channel")
POLICY = Policy(
    model="m",
    task=Task.BINARY,
    features={
        **{name: FeatureContract() for name in NUMERIC},
        **{name: FeatureContract(type=FeatureType.CATEGORICAL) for name in WORDS},
    },
    segments=list(SEGMENTS),
)
PLAN = Plan(POLICY, POLICY.hash, None, "")

numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, -0.0, 1e308, 5e-324, 2**53 + 1, 10**309, -(10**400)]),
)
scalars = st.one_of(numbers, st.none(), st.booleans(), st.text(max_size=3))
usual = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.one_of(numbers, numbers, numbers, scalars) for name in NUMERIC},
        "country": scalars,
        "new": scalars,
    },
)
texts = st.dictionaries(st.sampled_from([*SEGMENTS, "other"]), st.text(max_size=3), max_size=3)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly good events, of the model that is known and of another."""
    event: dict[str, Any] = {
        "prediction_id": draw(st.text(min_size=1, max_size=4)),
        "model": draw(st.sampled_from(["m", "m", "m", "n"])),
        "version": draw(st.sampled_from(["1", "2", 3])),
        "time": draw(
            st.one_of(
                st.integers(0, 10**12),
                st.sampled_from([-1, 10**30, "2026-03-01T00:00:00Z", "2026-02-30T00:00:00Z"]),
            )
        ),
        "output": draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "score": st.one_of(st.none(), st.floats(0, 1)),
                    "label": st.one_of(st.booleans(), st.integers(0, 1)),
                    "signals": st.dictionaries(st.sampled_from(["amount", "tone"]), numbers),
                },
            )
        ),
    }
    extra = st.fixed_dictionaries(
        {},
        optional={
            "features": usual,
            "segments": texts,
            "groups": texts,
            "arm": st.sampled_from(["baseline", "canary", "shadow", "none"]),
            "pair_id": st.one_of(st.none(), st.just("p")),
            "latency_ms": st.one_of(st.none(), st.floats(-1, 10)),
            "error": st.one_of(st.none(), st.just("down")),
            "unknown": st.integers(),
        },
    )
    return event | draw(extra)


bodies = st.one_of(
    events().map(json.dumps),
    events().map(json.dumps),
    st.lists(events(), max_size=3).map(json.dumps),
    st.sampled_from(['{"time": 5}', '{"time": "x"}', "", "{", "[1", '{"model":"m","model":"n"}']),
)


def records_of(values: list[str]) -> Records:
    """Records of the predictions topic; a short object is said to be a heartbeat."""
    heartbeat: Headers = (("ce_type", HEARTBEAT.encode()),)
    every = [
        Record(
            "predictions",
            0,
            7 + 2 * i,
            STAMP_MS,
            None,
            value.encode(),
            heartbeat if value.startswith('{"time') else (),
        )
        for i, value in enumerate(values)
    ]
    return columns_of(every)[0]


def learned(run: Run) -> JsonPredictions:
    """A reader that knows the model, and every name that its events had."""
    reader = JsonPredictions(chunk=2)
    rows = run.rows
    models, codes = rows.models()
    own = [i for i, code in enumerate(codes.tolist()) if models[code] == "m"]
    reader.learn([PLAN], np.zeros(len(own), np.int64), rows.take(np.array(own, np.int64)))
    return reader


def answers(rows: PredictionRows) -> list[object]:
    """All that INGEST asks of rows."""
    matrix, wrong = rows.numbers(NUMERIC)
    none = np.zeros(matrix.shape, np.bool_)
    kinds, places = rows.kinds(SEGMENTS)
    assert len(set(kinds)) == len(kinds)
    models, codes = rows.models()
    return [
        rows.times_ms.tolist(),
        rows.stamps_ms.tolist(),
        [models[code] for code in codes.tolist()],
        list(rows.keys()),
        rows.shadows().tolist(),
        [kinds[place] for place in places.tolist()],
        rows.tails(Binary()).tobytes(),
        matrix.tobytes(),
        (none if wrong is None else wrong).tolist(),
        [repr(word) for word in rows.words("country")],
        [repr(word) for word in rows.words("new")],
        rows.latencies().tobytes(),
        rows.errors().tolist(),
        rows.inputs(),
        [(rows.record(i).offset, rows.index(i)) for i in range(len(rows))],
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(bodies, min_size=1, max_size=8))
def test_a_type_of_its_own_changes_nothing(values: list[str]) -> None:
    """The same rows with the same values, the same dead letters, the same heartbeats."""
    records = records_of(values)
    plain = JsonPredictions(chunk=2).read(records)
    typed = learned(plain).read(records)
    assert answers(typed.rows) == answers(plain.rows)
    assert typed.dead == plain.dead
    assert typed.beats == plain.beats


@settings(max_examples=50, deadline=None)
@given(st.lists(bodies, min_size=1, max_size=8), st.data())
def test_rows_taken_are_those_of_the_whole(values: list[str], data: st.DataObject) -> None:
    """Whichever are taken."""
    records = records_of(values)
    rows = learned(JsonPredictions(chunk=2).read(records)).read(records).rows
    chosen = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1)))) if len(rows) else []
    one_by_one = [answers(rows.take(np.array([i]))) for i in chosen]
    together = answers(rows.take(np.array(chosen, np.int64)))
    for place, found in enumerate(together):
        if isinstance(found, list):
            assert found == [each for one in one_by_one for each in one[place]]


def test_usual_events_are_read_by_their_type() -> None:
    """Else the other tests would compare a reader with itself."""
    value = {"prediction_id": "p", "model": "m", "version": "1", "time": 5, "output": {"score": 1}}
    features = {"amount": 2, "the age": 3.5, "country": "FR", "new": True}
    records = records_of([json.dumps(value | {"features": features, "segments": {"region": "EU"}})])
    plain = JsonPredictions(chunk=2).read(records)
    reader = learned(plain)
    read = reader.read(records).rows
    assert isinstance(plain.rows, JsonRows)
    assert isinstance(read, TypedRows)
    assert len(list(plain.rows.untyped())) == 1
    assert list(read.untyped()) == []
    matrix, wrong = read.numbers(NUMERIC)
    assert (matrix.tolist(), wrong) == ([[2.0, 3.5]], None)
    assert read.kinds(SEGMENTS)[0] == [("1", "baseline", "EU", None)]


def test_names_without_end_are_not_learned_for_ever() -> None:
    """A type is made a bounded number of times; what it does not know is read without it."""
    reader = JsonPredictions(chunk=2)
    value = {"prediction_id": "p", "model": "m", "version": "1", "time": 5, "output": {}}
    types = set()
    for i in range(3 * LESSONS):
        records = records_of([json.dumps(value | {"features": {f"f{i}": i}})])
        rows = reader.read(records).rows
        assert rows.words(f"f{i}") == [i]
        reader.learn([PLAN], np.zeros(1, np.int64), rows)
        again = reader.read(records).rows
        types.add(getattr(again, "names", None))
    assert 3 < len(types) <= LESSONS + 3
