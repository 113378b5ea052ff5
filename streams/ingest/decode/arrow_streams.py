"""Arrow IPC streams: opened, and those that are alike put together.

pyarrow takes long to import: import this module when the first such message has come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from schemas.arrow import MODEL_KEY
from schemas.dead_letters import Reason
from schemas.errors import BadRecord
from streams.records import Record


class Opened(NamedTuple):
    """Messages, the rows of each, and all their rows."""

    records: Sequence[Record]
    sizes: Sequence[int]
    rows: pa.RecordBatch


def opened(record: Record) -> Opened:
    """One message.

    Raises
    ------
    BadRecord
        If it is no stream of record batches.
    """
    rows = _rows(record.value or b"")
    return Opened([record], [len(rows)], rows)


def kind_of(stream: Opened) -> tuple[object, ...]:
    """The same for messages of one schema, and of one model as far as their first rows say."""
    rows, names = stream.rows, stream.rows.schema.names
    first = rows.column(names.index("model"))[:1] if "model" in names else None
    return rows.schema, (rows.schema.metadata or {}).get(MODEL_KEY), first


def joined(alike: Sequence[Opened]) -> Opened:
    """Messages of one kind as one.

    Raises
    ------
    pyarrow.ArrowException
        If they cannot be one: their dictionaries together are too large for their type, say.
    """
    if len(alike) == 1:
        return alike[0]
    whole = _one([each.rows for each in alike], alike[0].rows.schema)
    records = [record for each in alike for record in each.records]
    return Opened(records, [size for each in alike for size in each.sizes], whole)


def _one(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """The rows of several batches."""
    table = pa.Table.from_batches(batches, schema)
    whole = table.unify_dictionaries().combine_chunks().to_batches()
    return whole[0] if whole else pa.RecordBatch.from_pylist([], schema)


def _rows(value: bytes) -> pa.RecordBatch:
    """All rows of a stream; what its buffers hold is checked before anything follows from it."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(value)) as reader:
            batches = list(reader)
            _ = reader.schema.names  # a name may be no text
            for batch in batches:
                batch.validate(full=True)
            if len(batches) == 1:
                return batches[0]
            return _one(batches, reader.schema)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadRecord(
            Reason.NOT_ARROW,
            f"record: not an Arrow IPC stream: {error}; send a schema and record batches, whole",
        ) from error
