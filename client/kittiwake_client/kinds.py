"""The kinds of events that services publish, and the topics they go to."""

from __future__ import annotations

from dataclasses import dataclass

PREDICTIONS = "predictions"
FEEDBACK = "feedback"
DEPLOYMENTS = "deployments"
ALERTS = "alerts"
ROLLOUTS = "rollouts"
COMMANDS = "commands"

SHADOW = "shadow"
"""The arm of a version that serves nobody: its record is keyed by ``pair_id``, if it has one."""

HEARTBEAT_TYPE = "io.kittiwake.heartbeat.v1"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: where it goes, and which fields it has.

    ``names`` are required fields that hold a text; ``key`` is the field by which the record is
    partitioned, ``identity`` the fields that tell it from every other event of its kind.
    """

    topic: str
    type: str
    key: str
    names: tuple[str, ...]
    required: tuple[str, ...]
    fields: frozenset[str]
    identity: tuple[str, ...]


PREDICTION = Kind(
    topic=PREDICTIONS,
    type="io.kittiwake.prediction.v1",
    key="prediction_id",
    names=("prediction_id", "model", "version"),
    required=("prediction_id", "model", "version", "output"),
    fields=frozenset(
        {
            "prediction_id",
            "model",
            "version",
            "time",
            "output",
            "features",
            "arm",
            "pair_id",
            "unit_id",
            "segments",
            "groups",
            "embeddings",
            "latency_ms",
            "error",
            "trace",
        }
    ),
    identity=("model", "prediction_id"),
)
FEEDBACK_EVENT = Kind(
    topic=FEEDBACK,
    type="io.kittiwake.feedback.v1",
    key="prediction_id",
    names=("prediction_id", "model"),
    required=("prediction_id", "model"),
    fields=frozenset(
        {
            "prediction_id",
            "model",
            "time",
            "kind",
            "label",
            "value",
            "signals",
            "propensity",
            "source",
        }
    ),
    identity=("model", "prediction_id", "kind", "source", "time"),
)
DEPLOYMENT = Kind(
    topic=DEPLOYMENTS,
    type="io.kittiwake.deployment.v1",
    key="model",
    names=("model", "version"),
    required=("model", "version", "action"),
    fields=frozenset(
        {
            "model",
            "version",
            "time",
            "action",
            "role",
            "share",
            "generation",
            "deployment_id",
        }
    ),
    identity=("model", "version", "action", "generation", "time"),
)
EXECUTED = Kind(
    topic=COMMANDS,
    type="io.kittiwake.command.executed.v1",
    key="model",
    names=("model",),
    required=(
        *("kind", "id", "model", "by"),
        *("rollback_id", "idempotency_key", "executor", "outcome"),
    ),
    fields=frozenset(
        {
            "kind",
            "id",
            "model",
            "time",
            "by",
            "comment",
            "rollback_id",
            "idempotency_key",
            "executor",
            "outcome",
            "generation",
            "detail",
        }
    ),
    identity=("id",),
)
KINDS = (PREDICTION, FEEDBACK_EVENT, DEPLOYMENT, EXECUTED)
