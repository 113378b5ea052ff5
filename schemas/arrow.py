"""Predictions in columns: what an Arrow IPC stream on the predictions topic holds.

A message is one stream of record batches, each row a `schemas.predictions.PredictionEvent`. A row
means what the event means that it spells: a column stands for a field, a null for a field that is
left out. All rows are of one model and belong to the partition of the message.

References
----------
.. [1] Apache Arrow Columnar Format 1.5, IPC Streaming Format.
.. [2] Kafka Protocol Binding for CloudEvents 1.0.2, section 3.1.1: content-type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CONTENT_TYPE = "application/vnd.apache.arrow.stream"
"""Media type of a message in columns, in its ``content-type`` header."""

MAGIC = b"\xff\xff\xff\xff"
"""The first bytes of a stream; no JSON begins so."""

MODEL_KEY = b"model"
"""Key of the schema's metadata that names the model, where no column does."""


class Kind(StrEnum):
    """What a column may hold, in any of Arrow's widths and, for texts, as a dictionary, too."""

    TEXT = "text"
    TIME = "milliseconds since 1970 as int64, or a timestamp with a time zone"
    NUMBER = "floats or integers"
    LABEL = "booleans, integers or text"
    SCALAR = "booleans, integers, floats or text"
    TEXTS = "lists of text"
    VECTOR = "lists of floats, of fixed size or not"


@dataclass(frozen=True, slots=True)
class Column:
    """One column, or a family of them whose names go on with a dot and a key.

    ``path`` is the field of the event, ``needed`` says that every row must have it.
    """

    path: tuple[str, ...]
    kind: Kind
    needed: bool = False


COLUMNS: dict[str, Column] = {
    "prediction_id": Column(("prediction_id",), Kind.TEXT, needed=True),
    "model": Column(("model",), Kind.TEXT),
    "version": Column(("version",), Kind.TEXT, needed=True),
    "time": Column(("time",), Kind.TIME, needed=True),
    "arm": Column(("arm",), Kind.TEXT),
    "pair_id": Column(("pair_id",), Kind.TEXT),
    "unit_id": Column(("unit_id",), Kind.TEXT),
    "latency_ms": Column(("latency_ms",), Kind.NUMBER),
    "error": Column(("error",), Kind.TEXT),
    "score": Column(("output", "score"), Kind.NUMBER),
    "label": Column(("output", "label"), Kind.LABEL),
    "value": Column(("output", "value"), Kind.NUMBER),
    "lower": Column(("output", "interval"), Kind.NUMBER),
    "upper": Column(("output", "interval"), Kind.NUMBER),
    "items": Column(("output", "items"), Kind.TEXTS),
}
"""Columns by name; ``lower`` and ``upper`` are the two ends of the interval."""

FAMILIES: dict[str, Column] = {
    "features": Column(("features",), Kind.SCALAR),
    "segments": Column(("segments",), Kind.TEXT),
    "groups": Column(("groups",), Kind.TEXT),
    "trace": Column(("trace",), Kind.TEXT),
    "embeddings": Column(("embeddings",), Kind.VECTOR),
    "scores": Column(("output", "scores"), Kind.NUMBER),
    "quantiles": Column(("output", "quantiles"), Kind.NUMBER),
    "signals": Column(("output", "signals"), Kind.NUMBER),
}
"""Families by the name before the first dot: ``features.amount``, ``scores.cat``."""


def column_of(name: str) -> tuple[Column, str] | None:
    """What a column of this name is and its key within the family; None for a name that is ignored.

    Examples
    --------
    >>> column_of("score")
    (Column(path=('output', 'score'), kind=<Kind.NUMBER: 'floats or integers'>, needed=False), '')
    >>> column_of("features.a.b")[1], column_of("features"), column_of("row_number")
    ('a.b', None, None)
    """
    if name in COLUMNS:
        return COLUMNS[name], ""
    family, dot, key = name.partition(".")
    return (FAMILIES[family], key) if dot and family in FAMILIES else None
