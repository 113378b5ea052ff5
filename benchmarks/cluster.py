"""A cluster of INGEST workers as a fluid: how lag grows when one dies, and when it is gone.

Rows come to partitions, a worker gives its CPU to the partitions that it owns, and what it cannot
do waits. Simulated in small steps of time, with numpy and a seed; no clock and no log.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import FloatArray, IntArray

REBUILD_SHARE = 0.5
"""Of a worker's CPU, what rebuilding shards takes while rows of other shards wait, too."""

SLACK_S = 1.0
"""Caught up is a lag of at most so many seconds of its mean traffic in every partition."""

NOBODY = -1


@dataclass(frozen=True, slots=True)
class Cluster:
    """Workers of equal speed, one core each, and partitions that get equal parts of all rows.

    Parameters
    ----------
    partitions, workers
        How many; partitions are owned in ranges, as Kafka's range assignor gives them.
    rows_per_second
        Mean of all partitions together.
    row_s
        CPU seconds a row takes.
    fixed_cores
        Part of a worker's core that checkpoints and panes take, however many rows there are.
    rebuild_s
        CPU seconds that a partition takes to rebuild where its disk is not.
    checkpoint_s
        What a worker has done since its last checkpoint is done again after its death.
    session_s
        How long Kafka takes a silent worker for alive.
    """

    partitions: int
    workers: int
    rows_per_second: float
    row_s: float
    fixed_cores: float = 0.0
    rebuild_s: float = 0.0
    checkpoint_s: float = 1.0
    session_s: float = 10.0

    @property
    def utilisation(self) -> float:
        """Share of its core that the mean worker uses."""
        return self.rows_per_second * self.row_s / self.workers + self.fixed_cores

    def owners(self, alive: int) -> IntArray:
        """Worker of each partition when the first ``alive`` share them, in ranges.

        Examples
        --------
        >>> Cluster(5, 2, rows_per_second=1, row_s=1).owners(2).tolist()
        [0, 0, 0, 1, 1]
        """
        sizes = [len(part) for part in np.array_split(np.arange(self.partitions), alive)]
        return np.repeat(np.arange(alive), sizes)


@dataclass(frozen=True, slots=True)
class Burst:
    """Traffic is ``factor`` times its mean for a while."""

    at_s: float
    for_s: float
    factor: float


@dataclass(frozen=True, slots=True)
class Death:
    """The last worker is killed; it comes back with its disk after a while, or never (None).

    Back within the session it finds its partitions; else the others have them, rebuild them, and
    keep them.
    """

    at_s: float
    back_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """What happened: ``lag`` is rows that wait, all partitions together, after each step."""

    seconds: FloatArray
    lag: FloatArray
    arrived: float
    done: float
    waiting: FloatArray
    caught_up_s: float | None
    """From the death, or the end of the burst, until the lag is gone; None if it never is."""

    @property
    def peak(self) -> float:
        """Most rows that waited."""
        return float(self.lag.max())


def simulate(
    cluster: Cluster,
    *,
    seconds: float,
    step_s: float = 0.05,
    burst: Burst | None = None,
    death: Death | None = None,
    seed: int | None = None,
) -> Course:
    """Let time pass from an empty log on.

    With a ``seed`` rows come as a Poisson process, else as a steady stream.
    """
    rng = None if seed is None else np.random.default_rng(seed)
    mean = cluster.rows_per_second * step_s / cluster.partitions
    state = _State(cluster)
    steps = round(seconds / step_s)
    lag, longest, arrived = np.zeros(steps), np.zeros(steps), 0.0
    for number in range(steps):
        now_s = number * step_s
        if death is not None:
            state.live(now_s, death)
        within = burst is not None and 0 <= now_s - burst.at_s < burst.for_s
        rate = mean * (burst.factor if burst is not None and within else 1.0)
        rows = np.full(cluster.partitions, rate)
        if rng is not None:
            rows = rng.poisson(rows).astype(np.float64)
        arrived += float(rows.sum())
        state.lag += rows
        state.work(step_s)
        if int((now_s + step_s) / cluster.checkpoint_s) > int(now_s / cluster.checkpoint_s):
            state.commit()
        lag[number], longest[number] = state.lag.sum(), state.lag.max()
    ends: FloatArray = np.arange(1, steps + 1, dtype=np.float64) * step_s
    since_s = death.at_s if death else burst.at_s + burst.for_s if burst else 0.0
    slack = SLACK_S * cluster.rows_per_second / cluster.partitions
    late = np.flatnonzero((ends > since_s) & (longest > slack))
    gone_s = float(ends[late[-1]]) - since_s if late.size else 0.0
    return Course(
        seconds=ends,
        lag=lag,
        arrived=arrived,
        done=float(state.done.sum()),
        waiting=state.lag,
        caught_up_s=None if late.size and late[-1] == steps - 1 else gone_s,
    )


class _State:
    """Rows that wait in each partition, who owns it, and what it must rebuild first."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._dead = False
        self.owner = cluster.owners(cluster.workers)
        self.lag = np.zeros(cluster.partitions)
        self.done = np.zeros(cluster.partitions)
        self._uncommitted = np.zeros(cluster.partitions)
        self._rebuild_s = np.zeros(cluster.partitions)

    def live(self, now_s: float, death: Death) -> None:
        """Take partitions from the dead, and give them to whom they belong."""
        cluster, last = self._cluster, self._cluster.workers - 1
        since_s = now_s - death.at_s
        if since_s < 0:
            return
        if not self._dead:
            self._dead = True
            own = self.owner == last
            self.lag[own] += self._uncommitted[own]
            self.done[own] -= self._uncommitted[own]
            self._uncommitted[own] = 0
            self.owner[own] = NOBODY
        back_s = death.back_after_s
        orphans = self.owner == NOBODY
        if not orphans.any():
            return
        if back_s is not None and back_s <= min(since_s, cluster.session_s):
            self.owner[orphans] = last
        elif since_s >= cluster.session_s and last:
            before, self.owner = self.owner, cluster.owners(last)
            self._rebuild_s[self.owner != before] = cluster.rebuild_s
        elif back_s is not None and back_s <= since_s:
            self.owner[orphans] = last

    def work(self, step_s: float) -> None:
        """Every worker gives its CPU to rows and rebuilding."""
        cluster = self._cluster
        capacity = step_s * max(0.0, 1 - cluster.fixed_cores)
        owned = self.owner != NOBODY
        rebuilding = self._rebuild_s > 0
        wanted = np.where(owned & ~rebuilding, self.lag * cluster.row_s, 0.0)
        rows_s, rebuild_s = self._by_worker(wanted), self._by_worker(self._rebuild_s)
        for_rebuild = np.minimum(rebuild_s, np.maximum(REBUILD_SHARE * capacity, capacity - rows_s))
        self._rebuild_s -= self._rebuild_s * self._given(for_rebuild, rebuild_s)
        self._rebuild_s[self._rebuild_s < 1e-9] = 0.0
        share = self._given(np.minimum(rows_s, capacity - for_rebuild), rows_s)
        taken = np.where(owned & ~rebuilding, self.lag * share, 0.0)
        self.lag -= taken
        self.done += taken
        self._uncommitted += taken

    def commit(self) -> None:
        """What is done stays done."""
        self._uncommitted[:] = 0

    def _by_worker(self, values: FloatArray) -> FloatArray:
        sums: FloatArray = np.zeros(self._cluster.workers + 1)
        np.add.at(sums, self.owner + 1, values)
        return sums

    def _given(self, given: FloatArray, wanted: FloatArray) -> FloatArray:
        """The part of what it wants that each partition gets."""
        ratio: FloatArray = np.divide(given, wanted, out=np.ones_like(wanted), where=wanted > 0)
        return ratio[self.owner + 1]
