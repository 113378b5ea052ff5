"""What a cluster is asked for, and how many predictions wait in its join stores."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400
PAGE_DAYS = 1 / 24
"""Pending predictions leave the join store by the hour."""


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
    label_days, lateness_days
        ``labels.horizon``, up to which age truths come, at any age as likely, and
        ``labels.lateness``: every prediction waits for both together.
    labelled
        Share of predictions whose truth comes.
    sample, dedupe_days
        ``join.sample``, the share that waits, and ``dedupe.horizon``, for which the others are
        known.
    arrow
        Whether predictions come in Arrow batches.
    models
        Models with equal traffic.
    pane_s, checkpoint_s
        Length of a pane and of a window, and time between two checkpoints of INGEST.
    utilisation
        Most of its core that the busiest INGEST worker may use.
    memory_gb
        Most memory that an INGEST worker may take.
    kept_days
        How long Kafka keeps predictions, truths and the join log, at least as long as they wait.
    replicas
        Of each record on Kafka.
    """

    events_per_second: float
    features: int = 30
    segments: int = 20
    label_days: float = 14
    lateness_days: float = 1.0
    labelled: float = 1.0
    sample: float = 1.0
    dedupe_days: float = 1.0
    arrow: bool = False
    models: int = 1
    pane_s: float = 3_600
    checkpoint_s: float = 1.0
    utilisation: float = 0.6
    memory_gb: float = 16
    kept_days: float = 45
    replicas: int = 3

    @property
    def truths_per_second(self) -> float:
        """Once the first labels have come."""
        return self.events_per_second * self.labelled

    @property
    def waits_days(self) -> float:
        """How long a prediction waits, labelled or not, until its page is dropped."""
        return self.label_days + self.lateness_days + PAGE_DAYS

    @property
    def pending(self) -> float:
        """Predictions in the join stores: the sample, and the others as long as they are known."""
        known_days = self.dedupe_days + PAGE_DAYS
        days = self.sample * self.waits_days + (1 - self.sample) * known_days
        return self.events_per_second * DAY_S * days

    @property
    def rows(self) -> float:
        """Rows in the join stores: each truth puts one beside that of its prediction."""
        days = self.sample * self.labelled * self.waits_days
        return self.pending + self.events_per_second * DAY_S * days

    @property
    def streams(self) -> int:
        """Of all models: each whole, and its segments."""
        return self.models * (1 + self.segments)

    @property
    def label_panes(self) -> float:
        """Panes of a stream that truths belong to at one time."""
        return max(1.0, self.label_days * DAY_S / self.pane_s)

    @property
    def held_panes(self) -> float:
        """Panes of a stream that DECIDE holds."""
        return self.waits_days * DAY_S / self.pane_s + 1
