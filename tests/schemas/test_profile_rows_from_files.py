"""Rows of a reference come from CSV, JSON lines or Parquet, or an error names the line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import ProfileError
from schemas.profiling import build, read_rows

EVENT = {"model": "m", "version": "v", "time": 0}


def test_csv_columns_are_typed_as_a_whole(tmp_path: Path) -> None:
    """Numbers, truth values and codes with leading zeros are told apart; gaps are missing."""
    path = tmp_path / "rows.CSV"
    path.write_text(
        "\ufeffamount,new,code,name,gap\n1,true,007,x,\n2.5e1,False,010,e5,NA\n,,1,-,nan\n",
        encoding="utf-8",
    )
    assert read_rows(path) == {
        "amount": [1.0, 25.0, None],
        "new": [True, False, None],
        "code": ["007", "010", "1"],
        "name": ["x", "e5", "-"],
        "gap": [None, None, None],
    }


def test_prediction_events_bring_their_score(tmp_path: Path) -> None:
    """JSON lines of PredictionEvents: features, signals, and the score or value."""
    path = tmp_path / "events.jsonl"
    outputs = [{"score": 0.5}, {"value": 2.0}, {"signals": {"tokens": 7}}]
    rows = [
        EVENT | {"prediction_id": f"p{i}", "output": output, "features": {"a": i}}
        for i, output in enumerate(outputs)
    ]
    path.write_text("\n\n".join(map(json.dumps, rows)) + "\n")
    columns = read_rows(path)
    assert columns == {"a": [0, 1, 2], "tokens": [None, None, 7.0], "score": [0.5, 2.0, None]}
    profile = build("m", columns, score=columns.pop("score"))
    assert profile.score is not None
    assert (profile.score.n, profile.score.missing) == (2, 1)
    with pytest.raises(ProfileError, match="a feature is named 'a'; give the score another name"):
        read_rows(path, score="a")


def test_plain_json_lines(tmp_path: Path) -> None:
    """Objects may lack fields; what is neither number, text nor truth value is missing."""
    path = tmp_path / "rows.ndjson"
    path.write_text('{"a": 1, "s": 0.1}\n{"b": [1], "s": NaN}\n{"b": "x"}')
    assert read_rows(path) == {"a": [1, None, None], "s": [0.1, None, None], "b": [None, None, "x"]}


def test_parquet(tmp_path: Path) -> None:
    """Columns come with their types; nested ones are missing throughout."""
    path = tmp_path / "rows.parquet"
    columns = {"a": [1, None], "b": ["x", "y"], "c": [[1], [2]], "s": [0.5, float("nan")]}
    pq.write_table(pa.table(columns), path)
    assert read_rows(path) == {"a": [1, None], "b": ["x", "y"], "c": [None] * 2, "s": [0.5, None]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", r"unknown kind of file '\.txt'; give \.csv, \.jsonl"),
        ("a.csv", b"", "empty; a profile needs rows"),
        ("a.csv", b"a,b\n", "empty; a profile needs rows"),
        ("a.csv", b"a,b\n1,2\n\n1\n", "line 4 has 1 cells, the header 2"),
        ("a.csv", b"a,a\n1,2\n", "line 1: two columns have one name"),
        ("a.csv", b'a\n"x"y\n', "line 2: "),
        ("a.csv", b"a\n\xff\n", "not UTF-8"),
        ("a.jsonl", b"", "empty"),
        ("a.jsonl", b'{"a": 1}\n\n{"a": \n', "line 3 is not JSON"),
        ("a.jsonl", b"[1]\n", "line 1 is no object"),
        ("a.jsonl", b'{"a": "\xff"}\n', "not JSON"),
        (
            "a.jsonl",
            json.dumps(EVENT | {"prediction_id": 1, "output": {}}).encode(),
            "line 1: prediction_id: .*found 1",
        ),
        (
            "a.jsonl",
            b"\n".join(
                json.dumps(EVENT | {"prediction_id": "1", "output": {}, "model": name}).encode()
                for name in "ba"
            ),
            "rows of a, b; profile one model at a time",
        ),
        ("a.parquet", b"PAR1", "not Parquet"),
        ("a.parquet", b"", "not Parquet"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """The error names the file, the line where there is one, and the fix."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=message) as error:
        read_rows(path)
    assert str(error.value).startswith(str(path))


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """A missing file or a folder is a ProfileError, too."""
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        with pytest.raises(ProfileError, match="no such file"):
            read_rows(tmp_path / name)
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(ProfileError, match="cannot be read"):
        read_rows(tmp_path / "d.csv")
