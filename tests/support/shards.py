"""A shard of INGEST in memory, fed with events as dicts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from schemas.policy import Activation, Policy, PolicyRecord
from schemas.reference import ReferenceProfile
from streams.control import Control
from streams.ingest.admit.routes import Route
from streams.ingest.checkpoint import Checkpoint, ShardState
from streams.ingest.pipeline import Shard
from streams.ingest.plan import Plan, Plans
from streams.ingest.store.changes import Changes, writes
from streams.ingest.store.names import Names
from streams.ingest.store.overlay import Overlay
from streams.ingest.store.tables import BY_HOUR, Table
from streams.records import Record

Event = dict[str, Any]
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


class DictBase:
    """A join store in dicts."""

    def __init__(self) -> None:
        self.tables: dict[Table, dict[bytes, bytes]] = {table: {} for table in Table}

    @property
    def data(self) -> dict[bytes, bytes]:
        """What waits."""
        return self.tables[Table.VALUES]

    def pending(self, model: str, ids: Sequence[str]) -> dict[str, bytes]:
        """The records of pending predictions, by id."""
        found = Overlay(self).find(Names.of(model, ids))
        return dict(zip([ids[row] for row in found.rows], found.records(), strict=True))

    def get_many(self, keys: Sequence[bytes], table: Table = Table.VALUES) -> list[bytes | None]:
        return [self.tables[table].get(key) for key in keys]

    def scan(
        self, start: bytes, stop: bytes, table: Table = Table.VALUES
    ) -> Iterator[tuple[bytes, bytes]]:
        yield from sorted((k, v) for k, v in self.tables[table].items() if start <= k < stop)

    def write(self, changes: Changes) -> None:
        dropped, tables = writes(changes, self)
        for table in BY_HOUR:
            self.tables[table] = {k: v for k, v in self.tables[table].items() if k >= dropped}
        for table, values in tables.items():
            for key, value in values.items():
                if value is None:
                    self.tables[table].pop(key, None)
                else:
                    self.tables[table][key] = value


def control_of(policy: Policy, reference: ReferenceProfile | None = None) -> Control:
    """Control records of one policy, in force from the start."""
    control = Control()
    record = PolicyRecord(hash=policy.hash, policy=policy)
    control.apply("policies", record.model_dump_json().encode())
    if reference is not None:
        control.apply("references", reference.model_dump_json().encode())
    start = Activation(
        model=policy.model,
        policy=policy.hash,
        reference=reference.hash if reference else None,
        effective_at_ms=0,
    )
    control.apply("policies", start.model_dump_json().encode())
    return control


class Bench:
    """A shard, its store, and the sum of all that it handed on."""

    def __init__(
        self,
        policy: Policy,
        reference: ReferenceProfile | None = None,
        *,
        number: int = 0,
        count: int = 1,
        partitions_of: Any = None,
    ) -> None:
        self.control = control_of(policy, reference)
        self.base = DictBase()
        self.state = ShardState(epoch=0)
        self.routes: dict[int, Route] = {}
        self.offsets = {"predictions": 0, "feedback": 0}
        self.panes: dict[tuple[Any, ...], np.ndarray] = {}
        self.dead: list[Any] = []
        self.last: Checkpoint | None = None
        self._number, self._count = number, count
        self._partitions_of = partitions_of or (lambda keys: [number] * len(keys))
        self.restart()

    def restart(self) -> None:
        """A new shard from the last checkpoint."""
        self.shard = Shard(
            number=self._number,
            count=self._count,
            control=self.control,
            base=self.base,
            partitions_of=self._partitions_of,
            state=self.state,
            routes=self.routes,
        )

    def record(self, topic: str, value: Any, **more: Any) -> Record:
        """The next record of a topic."""
        offset = self.offsets[topic]
        self.offsets[topic] += 1
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        stamp = more.get("timestamp_ms", 10**12 * 4)
        return Record(topic, self._number, offset, stamp, None, raw, more.get("headers", ()))

    def predict(self, **event: Any) -> Record:
        return self.record("predictions", event)

    def tell(self, **event: Any) -> Record:
        return self.record("feedback", event)

    def apply(self, *records: Record) -> None:
        self.shard.apply(records)

    def checkpoint(self, behind_ms: int | None = None) -> Checkpoint:
        """Commit and add up."""
        done = self.shard.checkpoint(behind_ms)
        self.base.write(done.join_changes)
        self.routes |= done.new_routes
        self.state = done.state
        self.dead += done.dead
        for pane in done.panes:
            key = (pane.model, pane.version, pane.arm, pane.segment, pane.start_ms, pane.part.value)
            total = self.panes.setdefault(key, np.zeros(5_000, np.int64))
            total[pane.index] += np.array(pane.values, np.int64)
        self.last = done
        return done

    def sums(self) -> dict[tuple[Any, ...], dict[int, int]]:
        """Every pane's entries that are not zero."""
        found = {}
        for key, total in self.panes.items():
            entries = {int(i): int(total[i]) for i in np.flatnonzero(total)}
            if entries:
                found[key] = entries
        return found

    def plan(self) -> Plan:
        """The plan in force."""
        model = next(iter(self.control._policies.values())).model
        plan = Plans(self.control).at(model, 1)
        assert plan is not None
        return plan

    def field(self, part: str, name: str, *, segment: str = "", **where: Any) -> int:
        """A count field summed over all panes of a part."""
        plan = self.plan()
        layout = plan.labels if "label" in part else plan.inputs
        return sum(
            int(total[layout.start(name)])
            for key, total in self.panes.items()
            if key[5] == part
            and key[3] == segment
            and all(key[("model", "version", "arm").index(k)] == v for k, v in where.items())
        )


def in_any_batches(
    bench: Bench, predictions: list[Event], feedback: list[Event], data: st.DataObject
) -> None:
    """Feed a shard in batches, topics interleaved, with checkpoints and restarts between."""
    queues = [[bench.predict(**e) for e in predictions], [bench.tell(**e) for e in feedback]]
    while any(queues):
        queue = data.draw(st.sampled_from([q for q in queues if q]))
        size = data.draw(st.integers(1, len(queue)))
        bench.apply(*queue[:size])
        del queue[:size]
        if data.draw(st.booleans()):
            bench.checkpoint()
            if data.draw(st.booleans()):
                bench.restart()
    bench.checkpoint()


def at_once(bench: Bench, predictions: list[Event], feedback: list[Event]) -> None:
    """Feed a shard all predictions, then all feedback, with one checkpoint."""
    bench.apply(
        *[bench.predict(**event) for event in predictions],
        *[bench.tell(**event) for event in feedback],
    )
    bench.checkpoint()
