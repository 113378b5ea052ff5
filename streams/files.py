"""Events from files: JSON lines (``.jsonl``, ``.json``, also ``.gz``), CSV and Parquet.

A JSON line is a PredictionEvent (it has ``output``), a DeploymentEvent (it has ``action``) or a
FeedbackEvent (all others). A table has one row for each prediction; the columns prediction_id,
model, version, time, arm, score, value, label, latency_ms, unit_id are read as such, ``truth`` and
``truth_time`` become feedback, every other column is a feature.
"""

from __future__ import annotations

import gzip
import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import csv, parquet

from schemas import topics
from schemas.base import milliseconds
from schemas.errors import ConfigurationError

ENVELOPE = ("prediction_id", "model", "version", "arm", "latency_ms", "unit_id")
OUTPUT = ("score", "value", "label")
TRUTH = ("truth", "truth_time")


class Line(NamedTuple):
    """One event of a file; ``time_ms`` is when it counts as published."""

    time_ms: int
    topic: str
    key: bytes
    value: bytes


def read(files: Sequence[Path], *, model: str) -> Iterator[Line]:
    """Events of all files, merged by time; each file is taken in its own order.

    Parameters
    ----------
    model
        The model of table rows that name none.

    Raises
    ------
    ConfigurationError
        If a file does not exist or its kind is not known.
    """
    yield from heapq.merge(
        *(_ascending(_lines(path, model)) for path in files), key=lambda line: line.time_ms
    )


def count(files: Sequence[Path]) -> int:
    """Bytes of all files, for a progress bar."""
    return sum(path.stat().st_size for path in files)


def _ascending(lines: Iterable[Line]) -> Iterator[Line]:
    """A line out of order counts as published with the one before it."""
    latest = 0
    for line in lines:
        latest = max(latest, line.time_ms)
        yield line._replace(time_ms=latest)


def _lines(path: Path, model: str) -> Iterator[Line]:
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file; name JSON lines, CSV or Parquet files")
    kinds = [suffix for suffix in path.suffixes if suffix != ".gz"]
    match kinds[-1] if kinds else "":
        case ".jsonl" | ".json" | ".ndjson":
            return _json_lines(path)
        case ".csv":
            return _table(csv.read_csv(path), model)
        case ".parquet":
            return _table(parquet.read_table(path), model)
    raise ConfigurationError(
        f"{path}: kind {path.suffix!r} is not known; name .jsonl, .csv or .parquet files"
    )


def _json_lines(path: Path) -> Iterator[Line]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        for text in file:
            if text.strip():
                yield _classified(text.strip())


def _classified(text: bytes) -> Line:
    """The topic of a line; what cannot be read goes to predictions and dies there, with reason."""
    try:
        event = json.loads(text)
        time_ms = milliseconds(event["time"])
        topic = (
            topics.DEPLOYMENTS
            if "action" in event
            else topics.PREDICTIONS
            if "output" in event
            else topics.FEEDBACK
        )
        key = event["model"] if topic == topics.DEPLOYMENTS else event["prediction_id"]
        return Line(time_ms, topic, str(key).encode(), text)
    except (ValueError, TypeError, KeyError):
        return Line(0, topics.PREDICTIONS, b"", text)


def _table(table: pa.Table, model: str) -> Iterator[Line]:
    names = table.column_names
    if "time" not in names:
        raise ConfigurationError(f"the table has no column 'time' (it has {', '.join(names)})")
    waiting: list[Line] = []
    latest = 0
    for number, row in enumerate(table.to_pylist()):
        prediction, feedback = _row(row, number, model)
        latest = max(latest, prediction.time_ms)
        while waiting and waiting[0].time_ms <= latest:
            yield heapq.heappop(waiting)
        yield prediction
        if feedback is not None:
            heapq.heappush(waiting, feedback)
    while waiting:
        yield heapq.heappop(waiting)


def _row(row: dict[str, Any], number: int, model: str) -> tuple[Line, Line | None]:
    time_ms = _time(row["time"])
    envelope = {name: row[name] for name in ENVELOPE if row.get(name) is not None}
    envelope = {"prediction_id": f"row-{number}", "model": model, "version": "1", **envelope}
    identity = str(envelope["prediction_id"])
    envelope["prediction_id"] = identity
    envelope["version"] = str(envelope["version"])
    named = {*ENVELOPE, *OUTPUT, *TRUTH, "time"}
    event = {
        **envelope,
        "time": time_ms,
        "output": {name: row[name] for name in OUTPUT if row.get(name) is not None},
        "features": {name: _plain(value) for name, value in row.items() if name not in named},
    }
    key = identity.encode()
    prediction = Line(time_ms, topics.PREDICTIONS, key, json.dumps(event).encode())
    if row.get("truth") is None:
        return prediction, None
    known_ms = _time(row["truth_time"]) if row.get("truth_time") is not None else time_ms
    truth = row["truth"]
    label = {"value": truth} if isinstance(truth, float) and "value" in row else {"label": truth}
    if isinstance(label.get("label"), float):
        label = {"label": int(truth)}
    feedback = {"prediction_id": identity, "model": envelope["model"], "time": known_ms, **label}
    return prediction, Line(known_ms, topics.FEEDBACK, key, json.dumps(feedback).encode())


def _time(value: Any) -> int:
    if hasattr(value, "timestamp"):
        return int(value.timestamp() * 1_000)
    return milliseconds(value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)
