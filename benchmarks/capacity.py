"""How large a cluster must be: formulas over measured parts, without I/O.

Every quantity comes with its formula and the files its figures are from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.cluster import Cluster, Course, Death, simulate
from benchmarks.demand import DAY_S, Demand
from benchmarks.fit import Fit, fit, memory_bytes
from benchmarks.load import cores_of, own_cores, panes_of
from benchmarks.measured import Measured

PANE_BYTES, ENTRY_BYTES = 550, 5
"""What DECIDE holds for a part of a pane and, at most, an entry; docs/operations.md, Memory."""

STREAM_ENTRIES, FEATURE_ENTRIES = 506, 26
"""Entries of a binary model's stream in a pane, labels included, and of a feature in the whole."""

SPARE_DISK = 1.5
"""RocksDB rewrites tables while the old ones are still there."""

STEPS = 4_000
"""Of a simulated loss."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a core with a worker's memory for an hour, and of a GB of disk for a month."""

    core_hour: float
    gb_month: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A cluster; bytes and rates are totals unless the name says otherwise."""

    demand: Demand
    partitions: int
    workers: int
    ingest_cores: float
    busiest: float
    input_panes: float
    label_panes: float
    rebuild_s: float
    worker_bytes: float
    worker_disk_bytes: float
    kafka_cores: float
    kafka_bytes: dict[str, float]
    network: dict[str, float]
    decide_cores: float | None
    decide_bytes: float

    @property
    def fit(self) -> Fit:
        """How many partitions its workers own."""
        return Fit(self.workers, self.partitions)

    @property
    def decide_overloaded(self) -> bool:
        """Whether DECIDE, of which each model has one worker at most, cannot keep up."""
        return (self.decide_cores or 0) > self.demand.models

    @property
    def cores(self) -> float:
        """Of all processes; without DECIDE's where those were not measured."""
        return self.workers + self.kafka_cores + math.ceil(self.decide_cores or 0)

    @property
    def disk_bytes(self) -> float:
        """On workers and on Kafka."""
        return self.workers * self.worker_disk_bytes + sum(self.kafka_bytes.values())

    def cost_a_day(self, prices: Prices) -> float:
        """Cores and disk; traffic between machines is not in it."""
        month_days = 365.25 / 12
        disk = self.disk_bytes / 1e9 * prices.gb_month / month_days
        return 24 * self.cores * prices.core_hour + disk


def plan(
    demand: Demand, measured: Measured, *, partitions: int | None = None, workers: int | None = None
) -> Plan:
    """The smallest cluster in which all can wait and whose busiest worker has the room asked for.

    Raises
    ------
    ValueError
        If there is none; as `fit`.
    """
    made = fit(demand, measured, partitions=partitions, workers=workers)
    cores, own = cores_of(demand, measured, made.partitions), own_cores(demand, measured)
    busiest = cores * made.fullest / made.partitions + own
    return _sized(demand, measured, made, cores + made.workers * own, busiest)


def _sized(demand: Demand, measured: Measured, made: Fit, cores: float, busiest: float) -> Plan:
    rows, truths = demand.events_per_second, demand.truths_per_second
    workers, shards = made
    inputs, labels = panes_of(demand, shards)
    size = measured.arrow_bytes if demand.arrow else measured.json_bytes
    broker = measured.arrow_broker_us if demand.arrow else measured.json_broker_us
    in_second = {
        "predictions": rows * size.at(demand.features).value,
        "feedback": truths * measured.truth_bytes.value,
        "state.join": rows * measured.join_bytes.value,
        "summaries": inputs * measured.input_pane_bytes.at(demand.features).value
        + labels * measured.label_pane_bytes.value,
    }
    days = dict.fromkeys(in_second, max(demand.kept_days, demand.waits_days)) | {"summaries": 7}
    written, summed = sum(in_second.values()), in_second["summaries"]
    read = written - in_second["state.join"]
    decide = None
    if measured.apply_us is not None and measured.window_us is not None:
        windows = demand.streams / demand.pane_s
        decide = 1e-6 * (
            (inputs + labels) * measured.apply_us.value + windows * measured.window_us.value
        )
    entries = demand.streams * STREAM_ENTRIES + demand.models * demand.features * FEATURE_ENTRIES
    pane_bytes = demand.streams * 2 * PANE_BYTES + entries * ENTRY_BYTES
    return Plan(
        demand=demand,
        partitions=shards,
        workers=workers,
        ingest_cores=cores,
        busiest=busiest,
        input_panes=inputs,
        label_panes=labels,
        rebuild_s=demand.pending / shards / measured.rebuild_rows_per_second.value,
        worker_bytes=memory_bytes(demand, measured, made),
        worker_disk_bytes=SPARE_DISK
        / workers
        * (
            demand.pending * measured.pending_bytes.value
            + (demand.rows - demand.pending) * measured.label_bytes.value
        ),
        kafka_cores=1e-6
        * demand.replicas
        * (rows * broker.at(demand.features).value + truths * measured.truth_broker_us.value),
        kafka_bytes={
            topic: demand.replicas * days[topic] * DAY_S * each for topic, each in in_second.items()
        },
        network={
            "written to Kafka": written,
            "between brokers": (demand.replicas - 1) * written,
            "read by INGEST": read - summed,
            "read by DECIDE": summed,
        },
        decide_cores=decide,
        decide_bytes=demand.held_panes * pane_bytes,
    )


def loss(made: Plan, *, back_after_s: float | None = None) -> Course:
    """What happens when a worker of this cluster dies.

    It comes back with its disk, or never: then another rebuilds its partitions from the join log.
    """
    demand, workers = made.demand, made.workers
    row_s = made.ingest_cores / demand.events_per_second
    cluster = Cluster(
        made.partitions,
        workers,
        rows_per_second=demand.events_per_second,
        row_s=row_s,
        rebuild_s=made.rebuild_s,
        checkpoint_s=demand.checkpoint_s,
    )
    moved = math.ceil(made.partitions / workers)
    rebuild_s = 0 if back_after_s is not None else 2 * moved * made.rebuild_s
    spare = max(0.02, 1 - made.ingest_cores / max(1, workers - 1))
    seconds = 60 + (20 + rebuild_s) * (2 + 2 / spare)
    step_s = max(0.02, seconds / STEPS)
    return simulate(cluster, seconds=seconds, step_s=step_s, death=Death(30.0, back_after_s))
