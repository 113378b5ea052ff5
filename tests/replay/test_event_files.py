"""Events from files: JSON lines, CSV and Parquet give the same events in order of time."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from schemas import topics
from schemas.errors import ConfigurationError
from schemas.hot import feedback_decoder, prediction_decoder
from streams import files
from streams.lines import Line

T0 = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


def events(path: Path, *more: Path) -> list[tuple[str, int, dict[str, Any]]]:
    """Topic, time of publication and body of each event; every body decodes."""
    found = []
    for line in files.read([path, *more], model="fraud"):
        decoder = prediction_decoder if line.topic == topics.PREDICTIONS else feedback_decoder
        decoder.decode(line.value)
        body = json.loads(line.value)
        assert line.key == body["prediction_id"].encode()
        found.append((line.topic, line.time_ms, body))
    return found


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def table(path: Path, **columns: Any) -> Path:
    parquet.write_table(pa.table(columns), path)
    return path


def truths(path: Path) -> list[tuple[int, str, Any]]:
    return [
        (time_ms - T0, body["prediction_id"], body.get("label", body.get("value")))
        for topic, time_ms, body in events(path)
        if topic == topics.FEEDBACK
    ]


def test_a_row_of_a_csv_is_a_prediction_and_its_truth(tmp_path: Path) -> None:
    """Columns with a meaning go to their fields, all others are features."""
    path = written(
        tmp_path / "rows.csv",
        "prediction_id,time,version,arm,score,latency_ms,unit_id,amount,country,truth,truth_time\n"
        "7,2026-01-01T00:00:00Z,3,canary,0.25,12.5,99,10,DE,1,2026-01-01T00:01:00Z\n"
        "8,2026-01-01T00:00:30Z,3,baseline,1,,98,,FR,,\n",
    )
    first, second, told = events(path)
    assert first == (
        topics.PREDICTIONS,
        T0,
        {
            "prediction_id": "7",
            "model": "fraud",
            "version": "3",
            "unit_id": "99",
            "arm": "canary",
            "latency_ms": 12.5,
            "time": T0,
            "output": {"score": 0.25},
            "features": {"amount": 10, "country": "DE"},
        },
    )
    assert second[1:] == (T0 + 30_000, second[2])
    assert second[2]["features"] == {"amount": None, "country": "FR"}
    assert "latency_ms" not in second[2]
    known = {"prediction_id": "7", "model": "fraud", "time": T0 + 60_000, "label": 1}
    assert told == (topics.FEEDBACK, T0 + 60_000, known)


def test_truths_come_when_they_were_known(tmp_path: Path) -> None:
    """Between the predictions, and after the last one; without a time, with the prediction."""
    path = written(
        tmp_path / "rows.csv",
        f"prediction_id,time,score,truth,truth_time\na,{T0},0.1,0,{T0 + 2_500}\n"
        f"b,{T0 + 1_000},0.2,1,\nc,{T0 + 2_000},0.3,0,{T0 + 9_000}\nd,{T0 + 3_000},0.4,,\n",
    )
    order = " ".join(topic[0] + body["prediction_id"] for topic, _, body in events(path))
    assert order == "pa pb fb pc fa pd fc"
    assert truths(path) == [(1_000, "b", 1), (2_500, "a", 0), (9_000, "c", 0)]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([T0, T0 + 1], pa.timestamp("ms", tz="UTC")),
        pa.array([T0 * 1_000_000 + 999, (T0 + 1) * 1_000_000 + 999], pa.timestamp("ns")),
        pa.array([T0, T0 + 1], pa.int64()),
        pa.array([float(T0), float(T0 + 1)]),
        pa.array(["2026-01-01T00:00:00", "2026-01-01T01:00:00.001+01:00"]),
        pa.array(["2026-01-01", "2026-01-01 00:00:00.001Z"]),
    ],
    ids=["timestamp", "nanoseconds", "milliseconds", "floats", "texts", "days"],
)
def test_times_are_utc_to_the_millisecond(
    times: pa.Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they are written, and wherever this runs."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    path = table(tmp_path / "rows.parquet", time=times, score=[0.1, 0.2])
    assert [time_ms for _, time_ms, _ in events(path)] == [T0, T0 + 1]


def test_days_and_moments_of_a_csv_are_utc(tmp_path: Path) -> None:
    """As its reader types them."""
    days = written(tmp_path / "days.csv", "time,score\n2026-01-01,0.1\n2026-01-02,0.1\n")
    assert [time_ms - T0 for _, time_ms, _ in events(days)] == [0, 86_400_000]
    moments = written(tmp_path / "moments.csv", "time,score\n2026-01-01 00:00:05,0.1\n")
    assert [time_ms - T0 for _, time_ms, _ in events(moments)] == [5_000]


def test_what_parquet_holds_becomes_what_json_knows(tmp_path: Path) -> None:
    """NaN is missing, decimals are numbers, days and the like are texts."""
    path = table(
        tmp_path / "rows.parquet",
        time=pa.array([T0], pa.int64()),
        score=[float("nan")],
        amount=[float("nan")],
        price=[Decimal("12.50")],
        born=[date(1980, 2, 29)],
        seen=[datetime(2026, 1, 1, tzinfo=UTC)],
        member=[True],
        tags=[["a", "b"]],
    )
    ((_, _, body),) = events(path)
    assert body["output"] == {}
    features = body["features"]
    assert (features["amount"], features["price"], features["member"]) == (None, 12.5, True)
    assert (features["born"], features["tags"]) == ("1980-02-29", "['a', 'b']")
    assert features["seen"].startswith("2026-01-01T00:00:00")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"score": [0.2, 0.3], "truth": [1.0, None]}, {"label": 1}),
        ({"score": [0.2, 0.3], "truth": [0.7, None]}, {"value": 0.7}),
        ({"value": [5.0, 6.0], "truth": [4.0, None]}, {"value": 4.0}),
        ({"label": ["a", "b"], "truth": ["b", None]}, {"label": "b"}),
        ({"score": [0.2, 0.3], "truth": [True, None]}, {"label": True}),
    ],
)
def test_a_truth_is_a_label_or_a_value(
    columns: dict[str, list[Any]], expected: dict[str, Any], tmp_path: Path
) -> None:
    """A fraction is never cut to a label."""
    path = table(tmp_path / "rows.parquet", time=pa.array([T0, T0], pa.int64()), **columns)
    (told,) = [body for topic, _, body in events(path) if topic == topics.FEEDBACK]
    assert {name: told[name] for name in told if name in ("label", "value")} == expected


def test_rows_without_an_id_do_not_collide_over_files(tmp_path: Path) -> None:
    """Else the second file would count as duplicates of the first."""
    paths = [
        written(tmp_path / name, f"time,score\n{T0},0.1\n{T0},0.2\n") for name in ("a.csv", "b.csv")
    ]
    ids = [body["prediction_id"] for _, _, body in events(*paths)]
    assert sorted(ids) == ["a.csv:1", "a.csv:2", "b.csv:1", "b.csv:2"]


def jsonl(rows: Sequence[dict[str, Any] | str]) -> str:
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows)


JSON = [
    {"prediction_id": "a", "model": "m", "version": "1", "time": T0, "output": {"score": 0.1}},
    {"prediction_id": "a", "model": "m", "time": T0 + 5, "label": 1},
    {"model": "m", "version": "2", "time": "2026-01-01T00:00:00.007Z", "action": "deployed"},
]


@pytest.mark.parametrize("name", ["e.jsonl", "e.json", "e.ndjson", "e.jsonl.gz", "E.JSONL"])
def test_json_lines_are_told_apart_by_what_they_have(name: str, tmp_path: Path) -> None:
    """Plain or packed; empty lines are skipped, bytes are left as they are."""
    raw = ("\n" + jsonl(JSON) + "\n  \n").encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    found = list(files.read([path], model="other"))
    assert [(line.topic, line.time_ms - T0, line.key) for line in found] == [
        (topics.PREDICTIONS, 0, b"a"),
        (topics.FEEDBACK, 5, b"a"),
        (topics.DEPLOYMENTS, 7, b"m"),
    ]
    assert [json.loads(line.value) for line in found] == JSON


@pytest.mark.parametrize(
    ("topic", "line"),
    [
        (topics.PREDICTIONS, "{"),
        (topics.PREDICTIONS, "7"),
        (topics.PREDICTIONS, "[1, 2]"),
        (topics.PREDICTIONS, "null"),
        (topics.PREDICTIONS, "[" * 100_000),
        (topics.PREDICTIONS, json.dumps({"prediction_id": "a", "time": -1, "output": {}})),
        (topics.FEEDBACK, json.dumps({"model": "m", "time": T0})),
        (topics.FEEDBACK, json.dumps({"prediction_id": "a", "time": "yesterday"})),
        (topics.FEEDBACK, json.dumps({"prediction_id": "a", "time": T0 * 1_000_000})),
        (topics.FEEDBACK, json.dumps({"prediction_id": "a", "time": -1})),
        (topics.FEEDBACK, '{"prediction_id": "\\ud800", "time": 5}'),
        (topics.DEPLOYMENTS, json.dumps({"action": "start", "model": "m", "time": -1})),
    ],
)
def test_a_bad_line_goes_where_it_says_to_die_there(topic: str, line: str, tmp_path: Path) -> None:
    """With the time of the line before it, and never with one that cannot be; to predictions
    where it says nothing."""
    path = written(tmp_path / "e.jsonl", jsonl([JSON[0], line, JSON[1]]))
    first, bad, last = files.read([path], model="m")
    assert bad == Line(T0, topic, b"", line.encode())
    assert (first.time_ms, last.time_ms) == (T0, T0 + 5)


def test_files_are_merged_by_time_and_each_keeps_its_order(tmp_path: Path) -> None:
    """A line that is older than the one before it was published after it."""
    one = written(tmp_path / "one.jsonl", jsonl([{**JSON[0], "time": T0 + t} for t in (0, 9, 4)]))
    two = written(tmp_path / "two.jsonl", jsonl([{**JSON[1], "time": T0 + t} for t in (3, 8, 20)]))
    found = [
        (line.topic[0], line.time_ms - T0, json.loads(line.value)["time"] - T0)
        for line in files.read([one, two], model="m")
    ]
    assert found == [
        ("p", 0, 0),
        ("f", 3, 3),
        ("f", 8, 8),
        ("p", 9, 9),
        ("p", 9, 4),
        ("f", 20, 20),
    ]


BAD_FILES = {
    "missing.csv": (None, "no such file"),
    "notes.txt": ("x", "kind '.txt' is not known"),
    "noending": ("x", "kind '' is not known"),
    "empty.csv": ("", "not CSV"),
    "ragged.csv": ("time,score\n1,2,3\n", "not CSV"),
    "broken.parquet": ("PAR1", "not Parquet"),
    "broken.jsonl.gz": ("hello", "cannot be read"),
    "notime.csv": ("when,score\n1,0.5\n", "no column 'time' among when, score"),
    "badtime.csv": ("time,score\n1,0.5\nnoon,0.5\n", "row 2: time 'noon' is no time"),
    "farfuture.csv": (f"time,score\n{T0 * 1_000},0.5\n", f"row 1: time {T0 * 1_000} is no time"),
    "nulltime.csv": ("time,score\n,0.5\n1,0.1\n", "row 1: time None is no time"),
    "badtruth.csv": ("time,truth,truth_time\n1,1,x\n", "row 1: truth_time 'x' is no time"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_used_is_named_with_place_and_value(
    name: str, tmp_path: Path
) -> None:
    """Never a traceback of a library."""
    text, expected = BAD_FILES[name]
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        list(files.read([path], model="m"))
    assert str(caught.value).startswith(str(path))
    assert expected in str(caught.value)


def test_the_first_look_is_at_all_files(tmp_path: Path) -> None:
    """A wrong name in the end does not come out after an hour."""
    good = written(tmp_path / "good.csv", f"time,score\n{T0},0.5\n")
    with pytest.raises(ConfigurationError, match="no such file"):
        files.read([good, tmp_path / "missing.csv"], model="m")
    assert files.count([good]) == good.stat().st_size


def test_a_shadow_is_keyed_by_its_pair_and_has_no_truth_of_its_own(tmp_path: Path) -> None:
    """In a table and in JSON lines: so it meets the answer that was served, and its label."""
    rows = written(
        tmp_path / "pairs.csv",
        "prediction_id,pair_id,arm,time,score,truth\n"
        f"p1,,baseline,{T0},0.1,0\ns1,p1,shadow,{T0},0.9,0\n",
    )
    event = {"prediction_id": "s2", "pair_id": "p2", "arm": "shadow", "time": T0, "output": {}}
    line = written(tmp_path / "pairs.jsonl", json.dumps(event) + "\n")
    found = [(read.topic, read.key) for read in files.read([rows, line], model="m")]
    assert sorted(found) == [
        ("feedback", b"p1"),
        ("predictions", b"p1"),
        ("predictions", b"p1"),
        ("predictions", b"p2"),
    ]


KEYS = st.one_of(st.text(max_size=4), st.integers(), st.none())
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "prediction_id": KEYS,
    "model": KEYS,
    "time": st.one_of(
        st.integers(-5, 2**70), st.floats(), st.booleans(), st.just("2026-03-01T00:00:00Z"), KEYS
    ),
    "arm": st.sampled_from(["shadow", "baseline", 3, None]),
    "pair_id": KEYS,
    "output": st.one_of(st.none(), st.just({"score": 0.5})),
    "action": KEYS,
    "label": st.text(max_size=3),
}


@given(
    event=st.fixed_dictionaries({}, optional=FIELDS),
    noise=st.binary(max_size=3),
    at=st.floats(0, 1),
)
def test_a_line_read_in_haste_is_the_line_read_whole(
    event: dict[str, Any], noise: bytes, at: float
) -> None:
    """Topic, key and time, of lines that are no event among them."""
    text = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
    place = int(at * len(text))
    for line in (text, text[:place] + noise + text[place:], text[:place] + noise):
        assert files._classified(line) == files._read_whole(line)
