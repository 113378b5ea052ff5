"""Metrics that every worker has: its checkpoints and its lag."""

from __future__ import annotations

from collections.abc import Mapping

from streams.runtime import catalogue
from streams.runtime.clock import Clock
from streams.runtime.metrics import Metrics
from streams.runtime.transport import TopicPartition


class WorkerMetrics:
    """What INGEST and DECIDE show alike.

    Parameters
    ----------
    metrics
        Where to show it.
    group
        Name of the worker's consumer group.
    """

    def __init__(self, metrics: Metrics, group: str) -> None:
        self._metrics = metrics
        self._group = group

    def committed(self, clock: Clock, started_ms: int) -> None:
        """Count a checkpoint that was begun at ``started_ms`` of the clock's elapsed time."""
        seconds = (clock.elapsed_ms() - started_ms) / 1_000
        self._metrics.inc(catalogue.CHECKPOINTS)
        self._metrics.observe(catalogue.CHECKPOINT_SECONDS, seconds)
        self._metrics.set(catalogue.LAST_CHECKPOINT, clock.wall_ms() / 1_000)

    def lag(self, lag: Mapping[TopicPartition, int]) -> None:
        """Show how far the group is behind, by partition."""
        for (topic, partition), behind in lag.items():
            self._metrics.set(
                catalogue.LAG, behind, group=self._group, topic=topic, partition=str(partition)
            )

    def forget(self) -> None:
        """Take away what is shown of partitions: others of the group may show them from now on."""
        self._metrics.clear(catalogue.LAG, group=self._group)
