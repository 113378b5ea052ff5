"""Decode: bytes of predictions to columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.micro import rows
from benchmarks.micro.case import Case, Do


@contextmanager
def opened() -> Iterator[tuple[Callable[[], Do], Do]]:
    """The typed reader that INGEST uses, and the generic decoder."""
    reader, records, decode = rows.reader(), rows.records(0), msgspec.json.Decoder().decode
    yield lambda: lambda: reader.read(records), lambda: [decode(each) for each in records.values]


CASE = Case("decode", "msgspec decodes the same bytes into dicts", opened)
