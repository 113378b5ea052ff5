"""What INGEST does, as Prometheus series."""

from __future__ import annotations

from schemas import topics
from streams.ingest.checkpoint import Checkpoint
from streams.runtime import catalogue
from streams.runtime.metrics import Metrics

BY_SHARD = tuple(
    declared
    for declared in catalogue.CATALOGUE
    if declared.kind is catalogue.Kind.GAUGE and "shard" in declared.labels
)
"""Gauges that only the owner of a shard may show."""


class IngestMetrics:
    """Show what checkpoints of shards have committed.

    Parameters
    ----------
    metrics
        Where to show it.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def committed(self, number: int, done: Checkpoint) -> None:
        """Count the rows of a checkpoint, and show where its shard stands."""
        metrics, shard, tally = self._metrics, str(number), done.tally
        for model, n in tally.predictions.items():
            metrics.inc(catalogue.ROWS, n, model=model, kind="prediction")
        for model, n in tally.duplicates.items():
            metrics.inc(catalogue.ROWS, n, model=model, kind="duplicate")
        for model, n in tally.joined.items():
            metrics.inc(catalogue.ROWS, n, model=model, kind="feedback")
            metrics.inc(catalogue.JOINED, n, model=model)
        for model, n in tally.sampled_out.items():
            metrics.inc(catalogue.ROWS, n, model=model, kind="sampled_out")
        for model, n in tally.late.items():
            metrics.inc(catalogue.LATE_ROWS, n, model=model)
        for dead in done.dead:
            metrics.inc(catalogue.DEAD_LETTERS, topic=dead.topic, reason=dead.reason.value)
        for asked in done.reviews:
            metrics.inc(catalogue.REVIEWS, model=asked.model, reason=asked.reason.value)
        for (model, kind), n in tally.shed.items():
            metrics.inc(catalogue.SHED_ROWS, n, model=model, kind=kind.value)
        metrics.set(catalogue.SHED_LEVEL, max(done.state.levels.values(), default=0), shard=shard)
        metrics.set(catalogue.PENDING, done.state.pending, shard=shard)
        metrics.set(catalogue.OPEN_PANES, len(done.panes), shard=shard)
        for topic, watermark in (
            (topics.PREDICTIONS, done.mark.predictions_ms),
            (topics.FEEDBACK, done.mark.labels_ms),
        ):
            metrics.set(catalogue.WATERMARK, watermark, shard=shard, topic=topic)

    def held(self, number: int, held_bytes: int) -> None:
        """Show the memory that a shard's open panes take as its checkpoint begins."""
        self._metrics.set(catalogue.HELD_BYTES, held_bytes, shard=str(number))

    def behind(self, number: int, behind_ms: int) -> None:
        """Show the age of the newest prediction that a shard has read."""
        self._metrics.set(catalogue.BEHIND, behind_ms, shard=str(number))

    def forget(self, number: int) -> None:
        """Take away what is shown of a shard: another worker may show it from now on."""
        for declared in BY_SHARD:
            self._metrics.clear(declared, shard=str(number))
