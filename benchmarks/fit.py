"""How few workers and partitions suffice: by CPU, by memory and by what a shard can hold.

Where predictions that wait are what takes workers, and not rows, a share of them is found that
fits the workers that rows take (``join.sample``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from benchmarks.demand import DAY_S, PAGE_DAYS, Demand
from benchmarks.load import cores_of, own_cores
from benchmarks.measured import Measured
from streams.ingest.store.hash_index import ROOMY
from streams.ingest.store.page_table import MOST
from streams.ingest.store.pages import ROWS

SHARD_ROWS = MOST * ROWS
"""Predictions and truths that a shard has room for."""

ROW_BYTES = 8 / ROOMY
"""Memory of one: a slot of the hash index, and the free slots beside it, at most."""

MOST_SHARDS = 1_024
"""Partitions that ``KITTIWAKE_SHARDS`` takes at most."""

SUGGESTED = tuple(1 << power for power in range(2, 11))
DENSEST = 8
"""More partitions a worker are suggested only where a shard could not hold its predictions."""


class Fit(NamedTuple):
    """So many workers own so many partitions; fewer workers come first."""

    workers: int
    partitions: int

    @property
    def fullest(self) -> int:
        """Partitions of the worker that has most."""
        return math.ceil(self.partitions / self.workers)


class Sample(NamedTuple):
    """A share of predictions that may wait, how long the others are known, and what then fits."""

    share: float
    dedupe_days: float
    fit: Fit

    def __str__(self) -> str:
        minutes = math.floor(24 * 60 * self.dedupe_days + 1e-6)
        known = f"{minutes}m" if minutes % 60 else f"{minutes // 60}h"
        return (
            f"{self.share:g} with dedupe.horizon {known}"
            f" (workers: {self.fit.workers:,}, partitions: {self.fit.partitions:,})"
        )

    def of(self, demand: Demand) -> Demand:
        """The demand with this sample."""
        return replace(demand, sample=self.share, dedupe_days=self.dedupe_days)


def memory_bytes(demand: Demand, measured: Measured, made: Fit) -> float:
    """Most memory of a worker: the index of a shard is there twice while it is rebuilt."""
    index = demand.pending / made.partitions * ROW_BYTES * (made.fullest + 1)
    return 1e6 * measured.worker_mb.value + index


def fit(
    demand: Demand, measured: Measured, *, partitions: int | None = None, workers: int | None = None
) -> Fit:
    """The fewest workers, and for them the fewest partitions.

    Partitions are a power of two and at least twice the workers, unless given: they cannot be
    changed later, workers can. Workers that are given may use more of their core than is asked
    for, but take no more memory.

    Raises
    ------
    ValueError
        If nothing suits; the message says what is short, and what would do.
    """
    _check(demand, measured, partitions, workers)
    able = _where(
        lambda n: min(_by_cpu(demand, measured, n), _by_memory(demand, measured, n)),
        partitions,
        workers,
    )
    fits = _few([each for each in able if _holds(demand, measured, each)])
    if not fits:
        raise ValueError(_why(demand, measured, partitions, workers))
    return min(fits)


def sample(
    demand: Demand, measured: Measured, *, partitions: int | None = None, workers: int | None = None
) -> Sample | None:
    """A share of predictions whose waiting takes no more workers than rows do.

    None if all may wait, or if no share does it. Where the others would fill the stores,
    ``dedupe.horizon`` is shortened to half of the room.
    """
    fits = _few(_where(lambda n: _by_cpu(demand, measured, n), partitions, workers))
    if not fits:
        return None
    able = [each for each in fits if each.workers == min(fits).workers]
    best = max(able, key=lambda each: (min(_rooms(demand, measured, each)), -each.partitions))
    if _holds(demand, measured, best):
        return None
    a_day = demand.events_per_second * DAY_S
    rows_days, memory_days = (room / a_day for room in _rooms(demand, measured, best))
    room_days = min(rows_days, memory_days) - PAGE_DAYS
    dedupe_days = min(demand.dedupe_days, math.floor(24 * room_days / 2) / 24)
    if dedupe_days <= 0:
        return None
    known_days = dedupe_days + PAGE_DAYS
    more_days = demand.waits_days - known_days
    truths_days = demand.labelled * demand.waits_days
    share = floored(
        min(
            (rows_days - known_days) / (more_days + truths_days),
            (memory_days - known_days) / more_days,
        )
    )
    return Sample(share, dedupe_days, best) if share else None


def _where(most: Callable[[int], int], partitions: int | None, workers: int | None) -> list[Fit]:
    """As few workers as do for each number of partitions, of which each can have so many."""
    shards = (partitions,) if partitions else SUGGESTED
    least = 1 if partitions else 2
    if workers:
        return [Fit(workers, n) for n in shards if n >= least * workers]
    can = {n: most(n) for n in shards}
    return [Fit(math.ceil(n / each), n) for n, each in can.items() if each >= least]


def _few(fits: Sequence[Fit]) -> list[Fit]:
    """Without those that have many partitions a worker for nothing."""
    return [*fits[:1], *(each for each in fits[1:] if each.fullest <= DENSEST)]


def _by_cpu(demand: Demand, measured: Measured, shards: int) -> int:
    """Of so many partitions, those that a worker has CPU for."""
    each = cores_of(demand, measured, shards) / shards
    return min(shards, int((demand.utilisation - own_cores(demand, measured)) / each))


def _by_memory(demand: Demand, measured: Measured, shards: int) -> int:
    """Of so many partitions, those that a worker has memory for."""
    return min(shards, int(_room(demand, measured) / (demand.pending / shards)) - 1)


def _room(demand: Demand, measured: Measured) -> float:
    """Predictions for whose index a worker has memory."""
    return (1e9 * demand.memory_gb - 1e6 * measured.worker_mb.value) / ROW_BYTES


def _holds(demand: Demand, measured: Measured, made: Fit) -> bool:
    """Whether there is room for what waits."""
    rows, indexed = _rooms(demand, measured, made)
    return demand.rows <= rows and demand.pending <= indexed


def _rooms(demand: Demand, measured: Measured, made: Fit) -> tuple[float, float]:
    """Rows that the shards of a cluster hold, and predictions that its workers have memory for."""
    indexed = made.partitions * _room(demand, measured) / (made.fullest + 1)
    return made.partitions * SHARD_ROWS, indexed


def floored(share: float) -> float:
    """With two digits, and never more; 0 where that is below 0.0001.

    Examples
    --------
    >>> floored(0.2799), floored(0.0029), floored(1e-5)
    (0.27, 0.0029, 0.0)
    """
    if share < 1e-4:
        return 0.0
    digits = 1 - math.floor(math.log10(share))
    scale = 10.0**digits
    return round(math.floor(share * scale + 1e-9) / scale, digits)


def _check(demand: Demand, measured: Measured, partitions: int | None, workers: int | None) -> None:
    own, own_gb = own_cores(demand, measured), measured.worker_mb.value / 1e3
    if own >= demand.utilisation:
        raise ValueError(
            f"a worker without rows uses {own:.2f} of its core, and at most"
            f" {demand.utilisation:g} is asked for: give more, or longer checkpoints"
        )
    if own_gb >= demand.memory_gb:
        raise ValueError(
            f"a worker with little pending takes {own_gb:.2f} GB of memory, and at most"
            f" {demand.memory_gb:g} GB is asked for: give more"
        )
    most = partitions or MOST_SHARDS // 2
    if workers and workers > most:
        raise ValueError(
            f"{workers:,} workers are more than {most:,}, of which each would have"
            f" {'a partition' if partitions else f'two of {MOST_SHARDS:,} partitions'}: give fewer"
        )


def _why(demand: Demand, measured: Measured, partitions: int | None, workers: int | None) -> str:
    """What is short even with the most partitions, and what would do."""
    shards, each = partitions or MOST_SHARDS, 1 if partitions else 2
    if not workers and _by_cpu(demand, measured, shards) < each:
        used = cores_of(demand, measured, shards) / shards * each + own_cores(demand, measured)
        return (
            f"{shards:,} partitions are too few: the busiest worker would use {used:.2f} of a core"
            f" with {'one partition' if each == 1 else 'two partitions'} each;"
            " give more partitions, or longer checkpoints"
        )
    if demand.rows > shards * SHARD_ROWS:
        said = (
            f"{shards:,} partitions are too few: {demand.pending:,.0f} predictions wait, with their"
            f" truths {demand.rows:,.0f} rows, and a partition holds {SHARD_ROWS:,} at most"
        )
        needed = 2 ** math.ceil(math.log2(demand.rows / SHARD_ROWS))
        cures = [f"{needed:,} partitions"] if needed <= MOST_SHARDS else []
    else:
        few = Fit(workers or shards // each, shards)
        said = (
            f"a worker would take {memory_bytes(demand, measured, few) / 1e9:.1f} GB of memory"
            f" (workers: {few.workers:,}, partitions: {shards:,}), and at most"
            f" {demand.memory_gb:g} GB is asked for"
        )
        cures = ["more memory"]
    advice = sample(demand, measured, partitions=partitions, workers=workers)
    cures += ["a shorter labels.horizon or labels.lateness"]
    cures += [f"join.sample {advice}"] if advice else []
    return f"{said}: give {', or '.join(cures)}"
