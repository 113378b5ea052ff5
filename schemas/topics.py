"""The one table of topics."""

from __future__ import annotations

from dataclasses import dataclass, replace

DAY_MS = 86_400_000
AUDIT_MS = 7 * 366 * DAY_MS


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it should exist.

    Parameters
    ----------
    name
        Name without prefix; `named` puts the prefix in front.
    partitions
        Partition count. ``predictions`` and ``feedback`` share theirs (``shards``).
    compacted
        Keep the last record of each key instead of all records for a time.
    retention_ms
        How long records are kept; None keeps them for ever.
    key
        What the record key is, for people.
    event
        What the record value is, for people and AsyncAPI.
    internal
        True where the bytes are nobody else's business.
    stamped_by_broker
        The broker's clock stamps records, not the publisher's: it says which event times lie in
        the future, and old events that are published now are kept from now on.
    """

    name: str
    partitions: int
    key: str
    event: str
    compacted: bool = False
    retention_ms: int | None = 7 * DAY_MS
    internal: bool = False
    stamped_by_broker: bool = False

    def named(self, prefix: str) -> TopicSpec:
        """The same topic with a prefix in front of its name."""
        return replace(self, name=prefix + self.name)


PREDICTIONS = "predictions"
FEEDBACK = "feedback"
POLICIES = "policies"
REFERENCES = "references"
DEPLOYMENTS = "deployments"
SUMMARIES = "summaries"
WINDOWS = "windows"
ALERTS = "alerts"
ROLLOUTS = "rollouts"
COMMANDS = "commands"
TICKS = "ticks"
RETRAINING = "retraining"
REVIEW = "review"
ADVICE = "advice"
AUDIT = "audit"
DEAD_LETTERS = "dead-letters"
CHECKPOINTS = "state.checkpoint"
JOIN_LOG = "state.join"

CONTROL = (POLICIES, REFERENCES, DEPLOYMENTS)
"""Topics that every worker reads whole, before anything else."""

OUTPUTS = (WINDOWS, ALERTS, ROLLOUTS, RETRAINING, ADVICE, AUDIT)
"""Topics that DECIDE publishes from its outbox."""


def table(*, shards: int = 4, models: int = 1, horizon_ms: int = 45 * DAY_MS) -> list[TopicSpec]:
    """Every topic.

    Parameters
    ----------
    shards
        Partitions of ``predictions`` and of ``feedback``, so the most INGEST workers.
    models
        Partitions of the topics keyed by model, so the most DECIDE workers.
    horizon_ms
        How long the join log is kept: the longest label horizon and an outage.

    Examples
    --------
    >>> [spec.name for spec in table() if spec.compacted]
    ['advice', 'state.checkpoint']
    """
    return [
        TopicSpec(
            PREDICTIONS,
            shards,
            "prediction_id (shadows: pair_id)",
            "PredictionEvent",
            retention_ms=horizon_ms,
            stamped_by_broker=True,
        ),
        TopicSpec(
            FEEDBACK,
            shards,
            "prediction_id",
            "FeedbackEvent",
            retention_ms=horizon_ms,
            stamped_by_broker=True,
        ),
        TopicSpec(POLICIES, 1, "model/hash", "PolicyRecord, Activation", retention_ms=None),
        TopicSpec(REFERENCES, 1, "model/hash", "ReferenceProfile", retention_ms=None),
        TopicSpec(DEPLOYMENTS, 1, "model", "DeploymentEvent", retention_ms=None),
        TopicSpec(SUMMARIES, models, "model", "SummaryBatch", internal=True),
        TopicSpec(WINDOWS, models, "model", "WindowResult", retention_ms=90 * DAY_MS),
        TopicSpec(ALERTS, models, "incident id", "Alert", retention_ms=90 * DAY_MS),
        TopicSpec(ROLLOUTS, models, "model", "RolloutEvent", retention_ms=90 * DAY_MS),
        TopicSpec(
            COMMANDS,
            models,
            "model",
            "Acknowledge, Silence, Unsilence, Approve, Reject, Pin, Unpin, Executed, Delivered, "
            "RetrainNow, Trained",
            retention_ms=90 * DAY_MS,
            stamped_by_broker=True,
        ),
        TopicSpec(TICKS, models, "*", "Tick", retention_ms=DAY_MS, stamped_by_broker=True),
        TopicSpec(RETRAINING, models, "model", "RetrainRequest", retention_ms=90 * DAY_MS),
        TopicSpec(REVIEW, models, "model", "ReviewRequest", retention_ms=30 * DAY_MS),
        TopicSpec(ADVICE, models, "model", "Advice", compacted=True, retention_ms=None),
        TopicSpec(AUDIT, models, "model", "AuditRecord", retention_ms=AUDIT_MS),
        TopicSpec(DEAD_LETTERS, 1, "source topic", "DeadLetter", retention_ms=30 * DAY_MS),
        TopicSpec(
            CHECKPOINTS,
            max(shards, models),
            "worker/shard/part",
            "checkpoint",
            compacted=True,
            retention_ms=None,
            internal=True,
        ),
        TopicSpec(JOIN_LOG, shards, "shard", "join delta", retention_ms=horizon_ms, internal=True),
    ]
