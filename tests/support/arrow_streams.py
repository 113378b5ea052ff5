"""Prediction events as Arrow IPC streams, the plain way: one column for each field there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

Event = dict[str, Any]

OUTPUT = ("score", "label", "value", "items")
OUTPUT_FAMILIES = ("scores", "quantiles", "signals")
FAMILIES = ("features", "segments", "groups", "trace", "embeddings")


def row_of(event: Event) -> Event:
    """An event with a name for each leaf, as the columns have it."""
    output = event.get("output", {})
    row = {name: value for name, value in event.items() if name not in (*FAMILIES, "output")}
    row |= {name: output[name] for name in OUTPUT if name in output}
    if output.get("interval") is not None:
        row["lower"], row["upper"] = output["interval"]
    for family in FAMILIES:
        row |= {f"{family}.{key}": value for key, value in event.get(family, {}).items()}
    for family in OUTPUT_FAMILIES:
        row |= {f"{family}.{key}": value for key, value in (output.get(family) or {}).items()}
    return row


def batch_of(events: Sequence[Event], *, types: dict[str, pa.DataType] | None = None) -> Any:
    """A record batch of events of one model; ``types`` are those of columns that need one."""
    rows = [row_of(event) for event in events]
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {
        name: pa.array([row.get(name) for row in rows], (types or {}).get(name)) for name in names
    }
    return pa.record_batch(columns)


def stream_of(*batches: Any, metadata: dict[str, str] | None = None) -> bytes:
    """An IPC stream of record batches with one schema."""
    sink = pa.BufferOutputStream()
    schema = batches[0].schema.with_metadata(metadata or batches[0].schema.metadata)
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(metadata or batch.schema.metadata))
    value: bytes = sink.getvalue().to_pybytes()
    return value
