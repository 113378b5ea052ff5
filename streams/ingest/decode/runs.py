"""Runs: predictions that came in one format in a row, in order of offset."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from schemas.arrow import MAGIC
from streams.ingest.decode.json_predictions import Run
from streams.records import Records

ARROW_BYTES = 8_000_000
"""Arrow messages are taken together up to here: a poll of them may hold millions of rows."""


def runs_of(records: Records, read_json: Callable[[Records], Run]) -> Iterator[Run]:
    """What records of the predictions topic held, run by run."""
    values = records.values
    # No JSON and no heartbeat begins with the greatest of all bytes.
    if not values or max(values) < MAGIC:
        yield read_json(records)
        return
    start = 0
    for arrow, run in groupby(values, lambda value: value.startswith(MAGIC)):
        end = start + len(list(run))
        if arrow:
            yield from _arrow_runs(records[start:end])
        else:
            yield read_json(records[start:end])
        start = end


def _arrow_runs(records: Records) -> Iterator[Run]:
    from streams.ingest.decode.arrow_rows import rows_of  # it takes a third of a second

    start = held = 0
    for place, value in enumerate(records.values):
        held += len(value)
        if held >= ARROW_BYTES or place == len(records) - 1:
            rows, dead = rows_of(records[start : place + 1])
            yield Run(rows, [], dead)
            start, held = place + 1, 0
