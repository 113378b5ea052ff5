"""Read the rows of a reference from CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from schemas.errors import BadRecord, ProfileError
from schemas.hot import HotPrediction, prediction_decoder

Scalar = bool | int | float | str | None

_MISSING = {"", "na", "nan", "null", "none"}
_WORDS: dict[str, Scalar] = {"true": True, "false": False}
_NUMBER = re.compile(r"[+-]?(?=\.?[0-9])(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Table:
    """Columns (n,) of features, the score (n,) if there is one, and whose they are if said."""

    columns: dict[str, list[Scalar]]
    score: list[Scalar] | None = None
    model: str | None = None


def read_rows(path: Path | str, *, score: str | None = None) -> Table:
    """The rows of a file as columns.

    Parameters
    ----------
    path
        ``.csv`` with a header, ``.jsonl`` or ``.ndjson`` (one object a line: plain rows or
        PredictionEvents, of which features and output are taken), or ``.parquet``.
    score
        Name of the column that is the model's score; PredictionEvents bring theirs.

    Raises
    ------
    ProfileError
        If the file cannot be read, is empty or of another kind, or a line is bad (with number).
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(_READERS)
        raise ProfileError(f"{path}: unknown kind of file {path.suffix!r}; give one of {known}")
    try:
        table = reader(path)
    except FileNotFoundError:
        raise ProfileError(f"{path}: no such file; check the path") from None
    except UnicodeDecodeError as error:
        raise ProfileError(f"{path}: not UTF-8 ({error.reason}); save it as UTF-8") from None
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read: {error}") from None
    if not any(map(len, (*table.columns.values(), table.score or []))):
        raise ProfileError(f"{path}: empty; a profile needs rows")
    return table if score is None else _with_score(table, score, path)


def _with_score(table: Table, score: str, path: Path) -> Table:
    if score not in table.columns:
        names = ", ".join(table.columns)
        raise ProfileError(f"{path}: no column {score!r} for the score; there are: {names}")
    others = {name: values for name, values in table.columns.items() if name != score}
    return Table(others, table.columns[score], table.model)


def _csv(path: Path) -> Table:
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
    return Table({name: _typed(column) for name, column in zip(header, columns, strict=True)})


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


def _jsonl(path: Path) -> Table:
    with path.open("rb") as file:
        lines = [(number, line) for number, line in enumerate(file, start=1) if line.strip()]
    if not lines:
        return Table({})
    first = _object(lines[0], path)
    if {"prediction_id", "model", "output"} <= first.keys():
        return _events([_event(line, path) for line in lines], path)
    rows = [_object(line, path) for line in lines]
    return Table(_columns(rows))


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


def _events(events: list[HotPrediction], path: Path) -> Table:
    models = sorted({event.model for event in events})
    if len(models) > 1:
        raise ProfileError(f"{path}: rows of {', '.join(models)}; profile one model at a time")
    score = [
        event.output.value if event.output.score is None else event.output.score for event in events
    ]
    columns = _columns([{**(e.output.signals or {}), **e.features} for e in events])
    has_score = any(value is not None for value in score)
    return Table(columns, list(score) if has_score else None, models[0])


def _columns(rows: Sequence[Mapping[str, object]]) -> dict[str, list[Scalar]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [_scalar(row.get(name)) for row in rows] for name in names}


def _scalar(value: object) -> Scalar:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str) else None


def _parquet(path: Path) -> Table:
    import pyarrow as pa  # late: it takes longer to load than all else here
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise ProfileError(f"{path}: not Parquet: {error}; write it anew") from None
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return Table({name: [_scalar(value) for value in values] for name, values in columns.items()})


_READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
}
