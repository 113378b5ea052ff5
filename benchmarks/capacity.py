"""How large a cluster must be: formulas over measured parts, without I/O.

Every quantity comes with its formula and the files its figures are from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.cluster import Cluster, Course, Death, simulate
from benchmarks.measured import Measured

DAY_S = 86_400
PANE_BYTES, ENTRY_BYTES = 550, 5
"""What DECIDE holds for a part of a pane and, at most, an entry; docs/operations.md, Memory."""

STREAM_ENTRIES, FEATURE_ENTRIES = 506, 26
"""Entries of a binary model's stream in a pane, labels included, and of a feature in the whole."""

SPARE_DISK = 1.5
"""RocksDB rewrites tables while the old ones are still there."""

STEPS = 4_000
"""Of a simulated loss."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for.

    Parameters
    ----------
    events_per_second
        Predictions, at the busiest time that is to be held.
    features
        Numeric features with a reference.
    segments
        Values of the one segment key, of each model.
    label_days
        How long a prediction waits for its truth (``labels.horizon``); truths come at any age.
    labelled
        Share of predictions whose truth comes.
    arrow
        Whether predictions come in Arrow batches.
    models
        Models with equal traffic.
    pane_s, checkpoint_s
        Length of a pane and of a window, and time between two checkpoints of INGEST.
    utilisation
        Most of its core that the busiest INGEST worker may use.
    kept_days
        How long Kafka keeps predictions, truths and the join log, at least ``label_days``.
    replicas
        Of each record on Kafka.
    """

    events_per_second: float
    features: int = 30
    segments: int = 20
    label_days: float = 14
    labelled: float = 1.0
    arrow: bool = False
    models: int = 1
    pane_s: float = 3_600
    checkpoint_s: float = 1.0
    utilisation: float = 0.6
    kept_days: float = 45
    replicas: int = 3

    @property
    def truths_per_second(self) -> float:
        """Once the first labels have come."""
        return self.events_per_second * self.labelled

    @property
    def pending(self) -> float:
        """Predictions in the join stores, which keep labelled ones too, until they lapse."""
        return self.events_per_second * self.label_days * DAY_S

    @property
    def streams(self) -> int:
        """Of all models: each whole, and its segments."""
        return self.models * (1 + self.segments)

    @property
    def label_panes(self) -> float:
        """Panes of a stream that truths belong to at one time."""
        return max(1.0, self.label_days * DAY_S / self.pane_s)


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a core with its memory for an hour, and of a GB of disk for a month."""

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


def touched(rows: float, places: float) -> float:
    """How many of so many places at least one of the rows falls into, if any is as likely.

    Examples
    --------
    >>> touched(1, 100), round(touched(1_000_000, 21), 6), round(touched(100, 100), 1)
    (1.0, 21.0, 63.4)
    """
    if places <= 1:
        return min(rows, 1.0)
    return float(-places * math.expm1(rows * math.log1p(-1 / places)))


def panes(demand: Demand, rows_per_second: float, shards: int, each: float) -> float:
    """Panes a second in summaries, of ``each`` panes a stream, from all checkpoints of all shards.

    A row counts in the stream of its model and in that of its segment.
    """
    rows = rows_per_second / shards * demand.checkpoint_s
    whole = touched(rows, demand.models * each)
    parts = touched(rows, demand.models * demand.segments * each) if demand.segments else 0.0
    return shards / demand.checkpoint_s * (whole + parts)


def plan(
    demand: Demand, measured: Measured, *, partitions: int | None = None, workers: int | None = None
) -> Plan:
    """The smallest cluster whose busiest worker stays below the utilisation asked for.

    Partitions are a power of two and at least twice the workers, unless given: they cannot be
    changed later, workers can.

    Raises
    ------
    ValueError
        If no number of workers does it.
    """
    own = _own(demand, measured)
    if own >= demand.utilisation:
        raise ValueError(
            f"a worker without rows uses {own:.2f} of its core, and at most"
            f" {demand.utilisation:g} is asked for: give more, or longer checkpoints"
        )
    asked = workers
    workers = asked or 1
    while True:
        shards = partitions or max(4, 2 ** math.ceil(math.log2(2 * workers)))
        cores = _ingest(demand, measured, shards)
        busiest = cores * math.ceil(shards / workers) / shards + own
        if asked or busiest <= demand.utilisation:
            return _sized(demand, measured, shards, workers, cores + workers * own, busiest)
        if workers >= shards:
            raise ValueError(
                f"{shards} partitions are too few: the busiest worker would use {busiest:.2f} of a"
                f" core with one partition each; give more partitions, or longer checkpoints"
            )
        needed = math.ceil(cores / (demand.utilisation - own))
        workers = min(shards, max(workers + 1, needed))


def _ingest(demand: Demand, measured: Measured, shards: int) -> float:
    """Cores that rows and panes take."""
    row = measured.arrow_us if demand.arrow else measured.json_us
    inputs = panes(demand, demand.events_per_second, shards, 1)
    labels = panes(demand, demand.truths_per_second, shards, demand.label_panes)
    truth_us = measured.truth_us.value + measured.truth_far_us.value
    return 1e-6 * (
        demand.events_per_second * row.at(demand.features).value
        + demand.truths_per_second * truth_us
        + inputs * measured.input_pane_us.value
        + labels * measured.label_pane_us.value
    )


def _own(demand: Demand, measured: Measured) -> float:
    """What a worker takes of its core without rows."""
    checkpoints = 1e-6 * measured.checkpoint_us.value / demand.checkpoint_s
    return checkpoints + measured.idle_cores.value


def _sized(
    demand: Demand, measured: Measured, shards: int, workers: int, cores: float, busiest: float
) -> Plan:
    rows, truths = demand.events_per_second, demand.truths_per_second
    inputs = panes(demand, rows, shards, 1)
    labels = panes(demand, truths, shards, demand.label_panes)
    size = measured.arrow_bytes if demand.arrow else measured.json_bytes
    broker = measured.arrow_broker_us if demand.arrow else measured.json_broker_us
    in_second = {
        "predictions": rows * size.at(demand.features).value,
        "feedback": truths * measured.truth_bytes.value,
        "state.join": rows * measured.join_bytes.value,
        "summaries": inputs * measured.input_pane_bytes.at(demand.features).value
        + labels * measured.label_pane_bytes.value,
    }
    days = dict.fromkeys(in_second, max(demand.kept_days, demand.label_days)) | {"summaries": 7}
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
        worker_bytes=1e6 * measured.worker_mb.value,
        worker_disk_bytes=SPARE_DISK * demand.pending * measured.pending_bytes.value / workers,
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
        decide_bytes=(demand.label_panes + 1) * pane_bytes,
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
