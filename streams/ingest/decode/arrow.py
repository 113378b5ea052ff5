"""Predictions that came as Arrow IPC streams: read, checked, and put into columns.

What a row means, and whether it may count, is decided by the event that it spells: a row that
looks wrong in the columns is written as JSON and read by the decoder of events, which has the last
word. So it is refused for the same reason, in the same words.

pyarrow takes long to import: import this module when the first such message has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.summary import Ints
from schemas.arrow import COLUMNS, MODEL_KEY, Kind, column_of
from schemas.base import MAX_TIME_MS
from schemas.dead_letters import DeadLetter, Reason
from schemas.errors import BadRecord
from schemas.predictions import Arm
from streams.dead_letters import refusal
from streams.ingest.decode.arrow_batch import ArrowBatch
from streams.ingest.decode.arrow_streams import Opened, joined, kind_of, opened
from streams.ingest.decode.arrow_values import codes, fits, floats, lengths, times, valid
from streams.ingest.decode.rows import Bools
from streams.records import Record

_MOST_ID_BYTES = 256
_MOST_NAME_BYTES = 200
_MOST_ITEMS = 1_000
_MOST_QUANTILES = 100
_ARMS = frozenset(Arm)
_ITEM_TYPES = {Kind.TEXTS: pa.string(), Kind.VECTOR: pa.float64()}
_IDS = frozenset({"prediction_id", "pair_id", "unit_id"})


class Checked(NamedTuple):
    """Rows, the places of those that may count, and dead letters of the others."""

    batch: ArrowBatch
    good: Ints
    dead: list[DeadLetter]


def batches_of(records: Iterable[Record]) -> tuple[list[tuple[ArrowBatch, Ints]], list[DeadLetter]]:
    """Rows of messages in order of offset with the places of those that may count, dead letters.

    Messages in a row that are alike are taken together: many rows of a column cost little more
    than a few.
    """
    found: list[Checked] = []
    dead: list[DeadLetter] = []
    streams: list[Opened] = []
    for record in records:
        try:
            streams.append(opened(record))
        except BadRecord as bad:
            dead.append(refusal(record, bad))
    for _, run in groupby(streams, kind_of):
        alike = list(run)
        try:
            found.append(_checked(joined(alike)))
        except (BadRecord, pa.ArrowException):
            # What is wrong with one of them costs that one, and is said of it alone.
            for each in alike:
                try:
                    found.append(_checked(each))
                except BadRecord as bad:
                    dead.append(refusal(each.records[0], bad))
    dead += [letter for each in found for letter in each.dead]
    dead.sort(key=lambda letter: (letter.offset, letter.row))
    return [(each.batch, each.good) for each in found], dead


def message_of(record: Record) -> Checked:
    """The rows of one message.

    Raises
    ------
    BadRecord
        If the message is no stream of record batches, or a column is missing or of a wrong type:
        none of its rows can be used.
    """
    return _checked(opened(record))


def _checked(stream: Opened) -> Checked:
    columns = _columns(stream.rows)
    model = _model(stream.rows, columns)
    starts = np.cumsum([0, *stream.sizes[:-1]])
    batch = ArrowBatch(stream.records, starts, model, columns, times(columns["time"]))
    dead = []
    good = np.ones(len(batch), np.bool_)
    for row in np.flatnonzero(_suspect(batch)).tolist():
        try:
            batch.event(row)
        except BadRecord as bad:
            dead.append(batch.refused(row, Reason(bad.reason), str(bad), field=bad.field))
            good[row] = False
    return Checked(batch, np.flatnonzero(good), dead)


def _columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """The columns that mean something, by name."""
    found: dict[str, pa.Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        known = column_of(name)
        if known is None:
            continue
        if name in found:
            raise _unusable(name, "stands there twice; send it once")
        if pa.types.is_null(column.type) and not known[0].needed:
            continue
        column = _of_nothing(column, known[0].kind)
        if not fits(known[0].kind, column.type):
            raise _unusable(name, f"is {column.type}; make it {known[0].kind.value}")
        coded = pa.types.is_dictionary(column.type)
        plain = name in _IDS if coded else column.type == pa.string_view()
        # A dictionary may hide a null: a row that has a place in it, where no text is.
        hides = coded and column.dictionary.null_count
        found[name] = column.cast(pa.large_string()) if plain or hides else column
    for name, column in COLUMNS.items():
        if column.needed and name not in found:
            raise _unusable(name, "is missing; add it")
    return found


def _of_nothing(column: pa.Array, kind: Kind) -> pa.Array:
    """Lists that are all empty, so that nobody knows of what, as lists of what they should be."""
    if kind in _ITEM_TYPES and column.type in (pa.list_(pa.null()), pa.large_list(pa.null())):
        return column.cast(pa.list_(_ITEM_TYPES[kind]))
    return column


def _model(batch: pa.RecordBatch, columns: dict[str, pa.Array]) -> str:
    """The model of all rows: the column's one value, else that of the schema's metadata."""
    column = columns.pop("model", None)
    if column is None:
        said = (batch.schema.metadata or {}).get(MODEL_KEY)
        if said is None:
            raise _unusable("model", "is missing; name it in the schema's metadata")
        return str(said.decode("utf-8", "replace"))
    models = column.unique().to_pylist()
    if len(models) > 1:
        raise _unusable("model", f"has {len(models)} values; send a message for each model")
    return str(models[0] or "") if models else ""


def _unusable(name: str, message: str) -> BadRecord:
    return BadRecord(Reason.BAD_SHAPE, f"column {name} {message}", field=name)


def _suspect(batch: ArrowBatch) -> Bools:
    """Rows that may be no events: all that are none, and few others."""
    columns = batch.columns
    found = (batch.times_ms < 0) | (batch.times_ms > MAX_TIME_MS)
    if not 0 < len(batch.model.encode()) <= _MOST_NAME_BYTES:
        found[:] = True
    if sum(name.startswith("quantiles.") for name in columns) > _MOST_QUANTILES:
        found[:] = True
    found |= batch.valid("lower") != batch.valid("upper")
    for name, values in columns.items():
        check = _CHECKS.get(name)
        if check is not None:
            found |= check(values)
        elif pa.types.is_floating(values.type):
            endless = ~np.isfinite(floats(values))
            found |= endless & valid(values) if endless.any() else False
        elif name.startswith("embeddings."):
            found |= _spoilt(values, np.isfinite(floats(values.flatten())))
    return found


def _identifiers(column: pa.Array) -> Bools:
    size = lengths(column)
    return np.asarray((size == 0) | (size > _MOST_ID_BYTES))


def _needed_identifiers(column: pa.Array) -> Bools:
    size = lengths(column)
    return np.asarray((size < 1) | (size > _MOST_ID_BYTES))


def _versions(column: pa.Array) -> Bools:
    words, each = codes(column)
    bad = [word is None or not 0 < len(word.encode()) <= _MOST_NAME_BYTES for word in words]
    return np.array(bad, np.bool_)[each]


def _arms(column: pa.Array) -> Bools:
    words, each = codes(column)
    bad = [word is not None and word not in _ARMS for word in words]
    return np.array(bad, np.bool_)[each]


def _latencies(column: pa.Array) -> Bools:
    values = floats(column)
    return valid(column) & ~((values >= 0) & (values < np.inf))


def _items(column: pa.Array) -> Bools:
    items = column.flatten()
    good = valid(items)
    if pa.types.is_dictionary(items.type):
        words, places = codes(items)
        good = np.array([word is not None for word in words], np.bool_)[places]
    return _spoilt(column, good) | (lengths(column) > _MOST_ITEMS)


def _spoilt(column: pa.Array, good: Bools) -> Bools:
    """Lists of which an item is not good; ``good`` has one entry for each item of all lists."""
    if good.all():
        return np.zeros(len(column), np.bool_)
    parents = np.asarray(pc.list_parent_indices(column).to_numpy(), np.int64)
    found = np.zeros(len(column), np.bool_)
    found[parents[~good]] = True
    return found


_CHECKS = {
    "prediction_id": _needed_identifiers,
    "pair_id": _identifiers,
    "unit_id": _identifiers,
    "version": _versions,
    "arm": _arms,
    "latency_ms": _latencies,
    "items": _items,
}
"""Columns with a check of their own; any other float has to be finite."""
