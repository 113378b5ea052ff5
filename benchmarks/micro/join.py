"""Join: new ids are looked up in the join store, and wait in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks import events
from benchmarks.micro import rows
from benchmarks.micro.case import Case, Do
from streams.ingest.store.names import Names
from streams.ingest.store.overlay import Overlay
from streams.ingest.store.pending import pack_new


@contextmanager
def opened() -> Iterator[tuple[Callable[[], Do], Do]]:
    """Find and insert new ids; a dict of as many strings."""
    plan, own = rows.plan(), rows.rows()
    n, turn = len(own), itertools.count()
    tails = own.tails(plan.outcome)
    packed = pack_new(np.ones(n, np.bool_), np.zeros(n, np.int64), own.times_ms, tails)
    until_ms = own.times_ms + plan.kept_ms
    with rows.store() as base:
        overlay = Overlay(base)

        def prepare() -> Do:
            number = next(turn)
            ids = [f"tx-{number}-{i:08d}" for i in range(n)]

            def work() -> None:
                names = Names.of(events.MODEL, ids)
                if len(overlay.find(names).rows):
                    raise RuntimeError("an id that was never used is there")
                overlay.insert(names, packed, until_ms)

            return work

        ids = [f"tx-{i:08d}" for i in range(n)]

        def floor() -> None:
            known: dict[str, int] = {}
            for each in ids:
                if each not in known:
                    known[each] = 1

        yield prepare, floor


CASE = Case("join", "a dict is asked for, and takes, the same ids one by one", opened)
