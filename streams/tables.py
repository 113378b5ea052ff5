"""Events from tables, CSV and Parquet: one row for each prediction.

The columns prediction_id, pair_id, model, version, time, arm, score, value, label, latency_ms,
unit_id are read as such, ``truth`` and ``truth_time`` become feedback (a shadow with a pair_id has
the truth of its pair), every other column is a feature. A time is epoch milliseconds, RFC 3339, or
a timestamp or date; without a zone it is UTC.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from schemas import topics
from schemas.base import MAX_TIME_MS, Scalar, milliseconds
from schemas.errors import ConfigurationError
from schemas.predictions import partition_key
from streams.lines import Line

NAMES = ("prediction_id", "model", "version", "unit_id", "pair_id")
PLAIN = ("arm", "latency_ms")
OUTPUT = ("score", "value", "label")
TIMES = ("time", "truth_time")
READ = frozenset({*NAMES, *PLAIN, *OUTPUT, *TIMES, "truth"})
BATCH_ROWS = 10_000

Row = Mapping[str, object]


def lines(path: Path, *, model: str) -> Iterator[Line]:
    """Predictions in the order of rows, each truth as soon as its time has come.

    Parameters
    ----------
    model
        The model of rows that name none.

    Raises
    ------
    ConfigurationError
        If the file is no such table, it has no column ``time``, or a row has no usable time.
    """
    table = _read(path)
    waiting: list[Line] = []
    latest_ms = 0
    for number, row in enumerate(_rows(table), start=1):
        place = f"{path}: row {number}"
        prediction, feedback = _events(row, place, f"{path.name}:{number}", model)
        latest_ms = max(latest_ms, prediction.time_ms)
        while waiting and waiting[0].time_ms <= latest_ms:
            yield heapq.heappop(waiting)
        yield prediction
        if feedback is not None:
            heapq.heappush(waiting, feedback)
    while waiting:
        yield heapq.heappop(waiting)


def numbered(path: Path, *, model: str) -> Iterator[tuple[str, bytes]]:
    """Events in the order of rows, each with the place of its row."""
    for number, row in enumerate(_rows(_read(path)), start=1):
        place = f"{path}: row {number}"
        for line in _events(row, place, f"{path.name}:{number}", model):
            if line is not None:
                yield place, line.value


def _read(path: Path) -> pa.Table:
    kind = "Parquet" if path.suffix.lower() == ".parquet" else "CSV"
    try:
        table = parquet.read_table(path) if kind == "Parquet" else csv.read_csv(path)
    except (pa.ArrowException, OSError) as error:
        raise ConfigurationError(f"{path}: not {kind}: {error}; write it anew") from None
    names = table.column_names
    if "time" not in names:
        raise ConfigurationError(
            f"{path}: no column 'time' among {', '.join(names)}; "
            "name the column with the time of each prediction so"
        )
    for place, name in enumerate(names):
        if pa.types.is_temporal(table.schema.field(name).type) and name in TIMES:
            # To milliseconds here: Python's datetime knows no nanoseconds.
            moments = table.column(name).cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
            table = table.set_column(place, name, moments)
    return table


def _rows(table: pa.Table) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        yield from batch.to_pylist()


def _events(row: Row, place: str, identity: str, model: str) -> tuple[Line, Line | None]:
    time_ms = _time_ms(row["time"], f"{place}: time")
    known = {name: value for name, cell in row.items() if (value := _plain(cell)) is not None}
    names = {"prediction_id": identity, "model": model, "version": "1"}
    names |= {name: str(known[name]) for name in NAMES if name in known}
    event = {
        **names,
        "time": time_ms,
        **{name: known[name] for name in PLAIN if name in known},
        "output": {name: _whole(known[name]) for name in OUTPUT if name in known},
        "features": {name: _plain(cell) for name, cell in row.items() if name not in READ},
    }
    own = names["prediction_id"]
    key = partition_key(own, str(known.get("arm")), names.get("pair_id"))
    prediction = Line(time_ms, topics.PREDICTIONS, key.encode(), json.dumps(event).encode())
    if "truth" not in known or key != own:
        # The truth of a pair is told once, with the answer that was served.
        return prediction, None
    told_ms = time_ms
    if row.get("truth_time") is not None:
        told_ms = _time_ms(row["truth_time"], f"{place}: truth_time")
    feedback = {
        "prediction_id": own,
        "model": names["model"],
        "time": told_ms,
        **_truth(known["truth"], measured="value" in row),
    }
    return prediction, Line(told_ms, topics.FEEDBACK, own.encode(), json.dumps(feedback).encode())


def _truth(truth: Scalar, *, measured: bool) -> dict[str, Scalar]:
    """A measured truth beside a value, else a label; labels come as 1.0 where some are missing."""
    whole = truth if measured else _whole(truth)
    return {"value" if isinstance(whole, float) else "label": whole}


def _whole(value: Scalar) -> Scalar:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _time_ms(value: object, place: str) -> int:
    try:
        time_ms = _milliseconds(value)
    except (ValueError, TypeError):
        time_ms = -1
    if 0 <= time_ms <= MAX_TIME_MS:
        return time_ms
    raise ConfigurationError(
        f"{place} {value!r} is no time from 1970 to 2099; "
        "write epoch milliseconds or RFC 3339, such as 2026-03-01T12:00:00Z"
    )


def _milliseconds(value: object) -> int:
    plain = _whole(_plain(value))
    if isinstance(plain, str) and plain.isdecimal():
        return int(plain)
    if isinstance(plain, str):
        moment = datetime.fromisoformat(plain)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return milliseconds(zoned.isoformat())
    if isinstance(plain, bool) or not isinstance(plain, int):
        raise TypeError(f"{value!r} is neither a number nor a text")
    return plain


def _plain(cell: object) -> Scalar:
    """A cell as JSON knows it; what is not a number is missing."""
    if isinstance(cell, Decimal):
        cell = float(cell)
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    if isinstance(cell, date):
        return cell.isoformat()
    return cell if isinstance(cell, bool | int | float | str | None) else str(cell)
