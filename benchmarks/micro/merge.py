"""Merge: DECIDE adds the panes of a checkpoint to its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import numpy as np

from benchmarks.micro import rows
from benchmarks.micro.case import Case, Do
from schemas.summaries import SummaryBatch
from streams.decide.pipeline import Decide


@contextmanager
def opened() -> Iterator[tuple[Callable[[], Do], Do]]:
    """A batch of summaries; and as many vectors, added."""
    with rows.store() as base:
        shard = rows.shard(base)
        shard.take(rows.records(0))
        done = shard.checkpoint()
    batch = SummaryBatch(
        shard=0,
        epoch=0,
        sequence=1,
        panes=done.panes,
        mark=done.mark,
        offsets=done.state.offsets,
    )
    decide, turn = Decide(rows.control(), partition=0), itertools.count(2)

    def prepare() -> Do:
        own = msgspec.structs.replace(batch, sequence=next(turn))
        return lambda: decide.apply(own)

    vectors = [np.ones(rows.plan().inputs.size, np.int64) for _ in done.panes]

    def floor() -> None:
        for vector in vectors:
            vector + vector

    yield prepare, floor


CASE = Case("merge", "numpy adds as many dense vectors", opened)
