"""Tables of predictions as messages: Arrow IPC streams, each for one partition.

It needs pyarrow, which ``kittiwake-client[arrow]`` brings: import it where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kittiwake_client.kinds import SHADOW
from kittiwake_client.murmur2 import partitions_of

CONTENT_TYPE = "application/vnd.apache.arrow.stream"
MAX_MESSAGE_BYTES = 900_000
"""A broker takes a million bytes in one message unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One message: rows of one model that belong to one partition."""

    partition: int
    value: bytes
    rows: int
    first_id: str
    time_ms: int


def batches(
    table: pa.RecordBatch, *, partitions: int, max_bytes: int = MAX_MESSAGE_BYTES
) -> Iterator[Batch]:
    """The rows of a table (`columns.table_of`) in messages, by the partition of their keys.

    Rows of one partition keep their order. A message is longer than ``max_bytes`` only if it is
    one row.

    Examples
    --------
    >>> from kittiwake_client.columns import table_of
    >>> columns = {"prediction_id": ["foobar", "abc", "foobar"], "score": [0.1, 0.2, 0.3]}
    >>> table = table_of(columns, model="m", version="v1", now_ms=7)
    >>> [(batch.partition, batch.rows) for batch in batches(table, partitions=4)]
    [(2, 2), (3, 1)]
    """
    place = partitions_of(*_keys(table), partitions)
    table = table.take(pa.array(np.argsort(place, kind="stable")))
    start = 0
    for partition, rows in enumerate(np.bincount(place, minlength=partitions).tolist()):
        for value, part in _messages(table.slice(start, rows), max_bytes):
            yield Batch(
                partition,
                value,
                part.num_rows,
                part["prediction_id"][0].as_py(),
                part["time"][part.num_rows - 1].as_py(),
            )
        start += rows


def _keys(table: pa.RecordBatch) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Bytes and offsets of what each row is keyed by: its id, but a shadow by its ``pair_id``."""
    keys = table["prediction_id"]
    if {"arm", "pair_id"} <= set(table.schema.names):
        shadow = pc.fill_null(pc.equal(table["arm"].cast(pa.string()), SHADOW), False)
        keys = pc.if_else(pc.and_(shadow, pc.is_valid(table["pair_id"])), table["pair_id"], keys)
    keys = keys.cast(pa.large_string())
    _, offsets, data = keys.buffers()
    ends = np.frombuffer(offsets, np.int64)[keys.offset : keys.offset + len(keys) + 1]
    return np.frombuffer(data or b"", np.uint8), ends


def _messages(table: pa.RecordBatch, max_bytes: int) -> Iterator[tuple[bytes, Any]]:
    """The table in about as few streams as it fits into."""
    fitting = max(1, int(0.95 * max_bytes / max(table.nbytes, 1) * table.num_rows))
    for start in range(0, table.num_rows, fitting):
        yield from _halved(table.slice(start, fitting), max_bytes)


def _halved(table: pa.RecordBatch, max_bytes: int) -> Iterator[tuple[bytes, Any]]:
    """The table in one stream, its halves where that is too long."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table)
    value = sink.getvalue().to_pybytes()
    if len(value) <= max_bytes or table.num_rows == 1:
        yield value, table
        return
    half = table.num_rows // 2
    yield from _halved(table.slice(0, half), max_bytes)
    yield from _halved(table.slice(half), max_bytes)
