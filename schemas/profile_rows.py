"""Read the rows of a reference from CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from schemas.errors import BadRecord, ProfileError
from schemas.hot import HotPrediction, prediction_decoder

Scalar = bool | int | float | str | None

_MISSING = {"", "na", "nan", "null", "none"}
_WORDS: dict[str, Scalar] = {"true": True, "false": False}
_NUMBER = re.compile(r"[+-]?(?=\.?[0-9])(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][+-]?[0-9]+)?")


Columns = dict[str, list[Scalar]]
"""Values (n,) of each column."""


def read_rows(path: Path | str, *, score: str = "score") -> Columns:
    """The rows of a file as columns.

    Parameters
    ----------
    path
        ``.csv`` with a header, ``.jsonl`` or ``.ndjson`` (one object a line: plain rows or
        PredictionEvents, of which features, signals and score are taken), or ``.parquet``.
    score
        Name of the column for the score of PredictionEvents (or the value of a regression).

    Raises
    ------
    ProfileError
        If the file cannot be read, is empty or of another kind, or a line is bad (with number).
    """
    path = Path(path)
    try:
        columns = _read(path, score)
    except FileNotFoundError:
        raise ProfileError(f"{path}: no such file; check the path") from None
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from None
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error}") from None
    if not any(map(len, columns.values())):
        raise ProfileError(f"{path}: empty; a profile needs rows")
    return columns


def _read(path: Path, score: str) -> Columns:
    match path.suffix.lower():
        case ".csv":
            return _csv(path)
        case ".jsonl" | ".ndjson":
            return _jsonl(path, score)
        case ".parquet":
            return _parquet(path)
    raise ProfileError(
        f"{path}: unknown kind of file {path.suffix!r}; give .csv, .jsonl, .ndjson or .parquet"
    )


def _csv(path: Path) -> Columns:
    rows: list[list[str]] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            for row in filter(None, reader):
                _check_width(row, header, f"{path}: line {reader.line_num}")
                rows.append(row)
        except csv.Error as error:
            raise ProfileError(f"{path}: line {reader.line_num}: {error}; mend it") from None
    if len(set(header)) < len(header):
        raise ProfileError(f"{path}: line 1: two columns have one name; rename one")
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    return {name: _typed(column) for name, column in zip(header, columns, strict=True)}


def _check_width(row: list[str], header: list[str], place: str) -> None:
    if len(row) != len(header):
        raise ProfileError(
            f"{place} has {len(row)} cells, the header {len(header)}; quote cells with a comma"
        )


def _typed(cells: Iterable[str]) -> list[Scalar]:
    """Numbers or truth values where every cell of the column is one, else texts."""
    texts = [None if cell.strip().lower() in _MISSING else cell.strip() for cell in cells]
    present = [text for text in texts if text is not None]
    if present and all(text.lower() in _WORDS for text in present):
        return [None if text is None else _WORDS[text.lower()] for text in texts]
    if present and all(_is_number(text) for text in present):
        return [None if text is None else float(text) for text in texts]
    return list(texts)


def _is_number(text: str) -> bool:
    """Codes such as 00123 are texts; numbers do not begin with a zero too many."""
    return _NUMBER.fullmatch(text) is not None


def _jsonl(path: Path, score: str) -> Columns:
    with path.open("rb") as file:
        lines = [(number, line) for number, line in enumerate(file, start=1) if line.strip()]
    if not lines:
        return {}
    first = _object(lines[0], path)
    if {"prediction_id", "model", "output"} <= first.keys():
        return _events([_event(line, path) for line in lines], path, score)
    rows = [_object(line, path) for line in lines]
    return _columns(rows)


def _object(line: tuple[int, bytes], path: Path) -> dict[str, object]:
    number, text = line
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{path}: line {number} is not JSON: {error}; mend it") from None
    if not isinstance(row, dict):
        raise ProfileError(f"{path}: line {number} is no object; write one object a line")
    return row


def _event(line: tuple[int, bytes], path: Path) -> HotPrediction:
    number, text = line
    try:
        return prediction_decoder.decode(text)
    except BadRecord as error:
        raise ProfileError(f"{path}: line {number}: {error}") from None


def _events(events: list[HotPrediction], path: Path, score: str) -> Columns:
    models = sorted({event.model for event in events})
    if len(models) > 1:
        raise ProfileError(f"{path}: rows of {', '.join(models)}; profile one model at a time")
    columns = _columns([{**(e.output.signals or {}), **e.features} for e in events])
    if score in columns:
        raise ProfileError(f"{path}: a feature is named {score!r}; give the score another name")
    outputs = [event.output for event in events]
    scores = [output.value if output.score is None else output.score for output in outputs]
    if any(value is not None for value in scores) or not columns:
        columns[score] = list(scores)
    return columns


def _columns(rows: Sequence[Mapping[str, object]]) -> Columns:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [_scalar(row.get(name)) for row in rows] for name in names}


def _scalar(value: object) -> Scalar:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str) else None


def _parquet(path: Path) -> Columns:
    import pyarrow as pa  # late: it takes longer to load than all else here
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise ProfileError(f"{path}: not Parquet: {error}; write it anew") from None
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return {name: [_scalar(value) for value in values] for name, values in columns.items()}
