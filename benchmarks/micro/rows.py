"""The predictions that the stages of INGEST are given: 5,000 of them on one shard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import events
from detectors.summary import Ints
from schemas import topics
from schemas.policy import Activation, PolicyRecord
from streams.control import Control
from streams.ingest.checkpoint import ShardState
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.json_predictions import JsonPredictions
from streams.ingest.decode.rows import PredictionRows
from streams.ingest.pipeline import Shard
from streams.ingest.plan import Plan
from streams.records import Record, Records, columns_of
from streams.runtime.partitioner import partitions_of
from streams.runtime.settings import Settings
from streams.runtime.store import JoinStore

ROWS = 5_000
TURNS = 20


@cache
def plan() -> Plan:
    """The plan of the benchmarks' policy and reference."""
    policy, reference = events.POLICY, events.reference()
    return Plan(policy, policy.hash, reference, reference.hash)


@cache
def control() -> Control:
    """The same as control records, in force from the start."""
    own = plan()
    found = Control()
    start = Activation(
        model=own.policy.model,
        policy=own.policy_hash,
        reference=own.reference_hash,
        effective_at_ms=0,
    )
    for record in (PolicyRecord(hash=own.policy_hash, policy=own.policy), start):
        found.apply(topics.POLICIES, record.model_dump_json().encode())
    if own.reference is not None:
        found.apply(topics.REFERENCES, own.reference.model_dump_json().encode())
    return found


@cache
def _many() -> list[Records]:
    """For all turns; no id comes twice."""
    every = [
        Record(topics.PREDICTIONS, 0, offset, events.START_MS + offset, one.key, one.value, ())
        for offset, one in enumerate(events.predictions(Settings(), TURNS * ROWS))
    ]
    return [columns_of(every[start : start + ROWS])[0] for start in range(0, len(every), ROWS)]


def records(turn: int) -> Records:
    """As read from the log."""
    return _many()[turn % TURNS]


def reader() -> JsonPredictions:
    """One that has learnt the names of the features."""
    found = JsonPredictions()
    found.learn([plan()], np.zeros(ROWS, np.int64), found.read(records(0)).rows)
    return found


def rows() -> PredictionRows:
    """In columns."""
    return reader().read(records(0)).rows


@contextmanager
def store() -> Iterator[JoinStore]:
    """An empty one on disk."""
    with TemporaryDirectory(prefix="kittiwake-micro-") as name:
        found = JoinStore(Path(name) / "join")
        yield found
        found.close()


def shard(base: JoinStore) -> Shard:
    """A shard at its beginning, the only one."""
    return Shard(
        number=0,
        count=1,
        control=control(),
        base=base,
        partitions_of=_partitions_of,
        state=ShardState(epoch=0),
        routes={},
    )


def _partitions_of(keys: Strings) -> Ints:
    return partitions_of(keys, 1)
