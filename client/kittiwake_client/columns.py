"""Predictions as columns: their names, and what is checked before they travel.

It needs pyarrow, which ``kittiwake-client[arrow]`` brings: import it where it is used.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kittiwake_client.events import LONGEST, MAX_TIME_MS, InvalidEvent

Event = dict[str, Any]

IDS = frozenset({"prediction_id", "pair_id", "unit_id"})
WORDS = frozenset({"version", "arm", "error"})
NUMBERS = frozenset({"latency_ms", "score", "value", "lower", "upper"})
COLUMNS = IDS | WORDS | NUMBERS | {"time", "label", "items"}

WORD_FAMILIES = frozenset({"segments", "groups", "trace"})
NUMBER_FAMILIES = frozenset({"scores", "quantiles", "signals"})
FAMILIES = WORD_FAMILIES | NUMBER_FAMILIES | {"features", "embeddings"}
"""Families of columns, by the name before the first dot."""

ANSWERS = NUMBER_FAMILIES | (NUMBERS - {"latency_ms"}) | {"label", "items"}
"""Columns and families of which a table needs one: they say what the model answered."""

_MOST_WORDS = 1_000
"""Longest dictionary that is worth its place in every message."""


def table_of(columns: object, *, model: str, version: str | None, now_ms: int) -> pa.RecordBatch:
    """The table as it travels.

    Texts of which there are few become dictionaries; NaN and infinities become null.

    Parameters
    ----------
    columns
        A mapping of names to arrays, or anything that `pyarrow.table` takes.
    model, version
        Of all rows; the version may be a column instead.
    now_ms
        Time of the rows where no column says it, in milliseconds since 1970.

    Raises
    ------
    InvalidEvent
        If a column is unknown, missing or of a type that cannot travel.

    Examples
    --------
    >>> columns = {"prediction_id": ["p1"], "score": [0.5]}
    >>> table = table_of(columns, model="m", version="v1", now_ms=7)
    >>> table.schema.names, table.schema.metadata
    (['prediction_id', 'score', 'version', 'time'], {b'model': b'm'})
    """
    if not isinstance(model, str) or not 0 < len(model) <= LONGEST["model"]:
        raise _invalid(f"model is {model!r:.80}; give its name")
    found = _arrays(columns)
    rows = len(next(iter(found.values()), ()))
    if version is not None:
        found["version"] = pa.repeat(pa.scalar(version, pa.string()), rows)
    if "time" not in found:
        found["time"] = pa.repeat(pa.scalar(now_ms, pa.int64()), rows)
    _check_names(found)
    try:
        kept = {
            name: _travelling(name, column)
            for name, column in found.items()
            if not pa.types.is_null(column.type)
        }
    except pa.ArrowException as error:
        raise _invalid(f"these columns cannot travel: {error}") from error
    return pa.record_batch(kept, metadata={"model": model})


def columns_of(events: Sequence[Event]) -> dict[str, Any]:
    """Columns of plain events of one model, as `table_of` takes them.

    Raises
    ------
    InvalidEvent
        If values of one field are of types that no column holds together.

    Examples
    --------
    >>> event = {"prediction_id": "p1", "model": "m", "output": {"interval": [1, 2]}}
    >>> sorted(columns_of([{**event, "features": {"n": 3}}]))
    ['features.n', 'lower', 'prediction_id', 'upper']
    """
    rows = [_leaves(event) for event in events]
    names = dict.fromkeys(name for row in rows for name in row)
    try:
        return {name: pa.array([row.get(name) for row in rows]) for name in names}
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise _invalid(f"no column holds these values: {error}") from error


def _leaves(event: Event) -> Event:
    found: Event = {}
    for name, value in event.items():
        if name == "output":
            found |= _leaves(value)
        elif name == "interval" and isinstance(value, list) and len(value) == 2:
            found["lower"], found["upper"] = value
        elif isinstance(value, dict):
            found |= {f"{name}.{key}": item for key, item in value.items()}
        elif name != "model":
            found[name] = value
    return found


def _arrays(given: object) -> dict[str, pa.Array]:
    """Columns by name, each in one piece."""
    try:
        if isinstance(given, Mapping):
            given = pa.table({name: _array(values) for name, values in given.items()})
        table = pa.table(given)
        if len(set(table.column_names)) < table.num_columns:
            raise _invalid("two columns have one name; rename one of them")
        return {
            name: column.unify_dictionaries().combine_chunks()
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    except (pa.ArrowException, TypeError) as error:
        raise _invalid(f"these columns are no table: {error}") from error


def _array(values: Any) -> Any:
    """An Arrow array; the rows of a matrix are lists of one length."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if getattr(values, "ndim", 1) == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    return pa.array(values, from_pandas=True)


def _check_names(found: Mapping[str, pa.Array]) -> None:
    if "model" in found:
        raise _invalid("a table is of one model; give it as model=, not as a column")
    for name in found:
        family, dot, _ = name.partition(".")
        if name not in COLUMNS and not (dot and family in FAMILIES):
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            hint = near[0] if near else f"features.{name}"
            raise _invalid(f"unknown column {name}; did you mean {hint}?")
    for name in ("prediction_id", "version"):
        if name not in found:
            raise _invalid(f"column {name} is missing; add it")
    if not any(name.partition(".")[0] in ANSWERS for name in found):
        raise _invalid(
            "no column says what the model answered; add one, "
            "such as score, label, value, items or scores.…"
        )


def _travelling(name: str, column: pa.Array) -> pa.Array:
    family = name.partition(".")[0]
    if name == "time":
        return _times(column)
    if name in IDS:
        return _checked_texts(name, _texts(name, column).cast(pa.string()))
    if name in WORDS or family in WORD_FAMILIES:
        return _words(_checked_texts(name, _texts(name, column)).dictionary_encode())
    if name in NUMBERS or family in NUMBER_FAMILIES:
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            raise _invalid(f"column {name} is {column.type}; make it numbers")
    elif pa.types.is_dictionary(column.type):
        return _words(column)
    return _finite(column) if pa.types.is_floating(column.type) else column


def _texts(name: str, column: pa.Array) -> pa.Array:
    kind = column.type
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    if held not in (pa.string(), pa.large_string(), pa.string_view()):
        raise _invalid(f"column {name} is {kind}; make it text")
    return column


def _checked_texts(name: str, column: pa.Array) -> pa.Array:
    if name not in ("prediction_id", "version"):
        return column
    if column.null_count:
        raise _invalid(f"column {name} has a null; give every row one")
    words = column.unique() if name == "version" else column
    length = pc.min_max(pc.utf8_length(words.cast(pa.string()))).as_py()
    if len(words) and not 0 < length["min"] <= length["max"] <= LONGEST[name]:
        raise _invalid(
            f"column {name} has texts of {length['min']} to {length['max']} characters; "
            f"make them 1 to {LONGEST[name]} long"
        )
    return column


def _words(column: pa.DictionaryArray) -> pa.Array:
    """A dictionary, or plain text where it is too long to be sent with every message."""
    if len(column.dictionary) > _MOST_WORDS:
        return column.cast(column.type.value_type)
    return column


def _finite(column: pa.Array) -> pa.Array:
    finite = pc.is_finite(column)
    if pc.all(finite).as_py() is False:
        return pc.if_else(finite, column, pa.scalar(None, column.type))
    return column


def _times(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            raise _invalid("column time has no time zone; cast it to timestamp('ms', 'UTC')")
        column = column.cast(pa.timestamp("ms", kind.tz), safe=False)
    elif not pa.types.is_integer(kind):
        raise _invalid(
            f"column time is {kind}; give milliseconds since 1970 or timestamps with a time zone"
        )
    column = column.cast(pa.int64())
    ends = pc.min_max(column).as_py()
    if column.null_count or (len(column) and not 0 <= ends["min"] <= ends["max"] <= MAX_TIME_MS):
        raise _invalid("column time has a null, or a time before 1970 or after 2099; mend it")
    return column


def _invalid(message: str) -> InvalidEvent:
    return InvalidEvent(f"predictions: {message}")
