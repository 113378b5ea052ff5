"""Events as messages: one of JSON for each, or columns of many in Arrow."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pyarrow as pa

from schemas import arrow, topics
from streams.ingest.columns.strings import Strings
from streams.records import Message
from streams.runtime.partitioner import partitions_of
from streams.runtime.settings import Settings

ROWS_PER_MESSAGE = 2_000
"""Rows of an Arrow message, as the client gathers them."""


def in_json(topic: str, key: str, event: Mapping[str, object]) -> Message:
    """An event under its key."""
    value = json.dumps(event, separators=(",", ":")).encode()
    return Message(topic=topic, key=key.encode(), value=value)


def in_arrow(
    settings: Settings,
    model: str,
    columns: Mapping[str, np.ndarray],
    *,
    repeated: Collection[str],
) -> Iterator[Message]:
    """Predictions as Arrow IPC streams of about so many rows, each of one partition.

    Parameters
    ----------
    columns
        By the names that `schemas.arrow` gives them.
    repeated
        Columns of a few different texts, which become dictionaries.
    """
    arrays = {
        name: pa.array(column).dictionary_encode() if name in repeated else pa.array(column)
        for name, column in columns.items()
    }
    table = pa.record_batch(arrays, metadata={"model": model})
    at_once = ROWS_PER_MESSAGE * settings.shards
    for start in range(0, table.num_rows, at_once):
        rows = table.slice(start, at_once)
        keys = Strings.of_texts(rows["prediction_id"].to_pylist())
        partitions = partitions_of(keys, settings.shards)
        for partition in range(settings.shards):
            own = rows.take(pa.array(np.flatnonzero(partitions == partition)))
            if own.num_rows:
                yield Message(
                    topic=settings.topic(topics.PREDICTIONS),
                    value=_stream(own),
                    partition=partition,
                    headers=(("content-type", arrow.CONTENT_TYPE.encode()),),
                )


def _stream(rows: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    value: bytes = sink.getvalue().to_pybytes()
    return value
