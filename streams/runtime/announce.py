"""Write to the control topics: policies, references, activations, deployments."""

from __future__ import annotations

from pydantic import BaseModel

from detectors.inputs import features_of
from schemas import topics
from schemas.errors import ConfigurationError
from schemas.policy import Activation, Policy, PolicyRecord
from schemas.reference import ReferenceProfile
from streams.records import Message
from streams.runtime.settings import Settings
from streams.runtime.transport import Sender

LARGEST_WINDOW_BYTES = 900_000
"""A window result is one record, and so is the letter that holds it in a checkpoint."""

METRICS_PER_FEATURE = 5
METRIC_BYTES = 200
"""What a metric takes besides the name of its feature, at most."""

FROM_THE_START = 0
"""An activation for every event time, as for the first policy of a model."""


def activate(
    sender: Sender,
    settings: Settings,
    policy: Policy,
    reference: ReferenceProfile | None = None,
    *,
    effective_at_ms: int = FROM_THE_START,
) -> Activation:
    """Publish a policy, its reference, and when they hold; waits until the log has them.

    Raises
    ------
    ConfigurationError
        If they name so many features that a window result would be larger than a record.
    """
    check_size(policy, reference)
    activation = Activation(
        model=policy.model,
        policy=policy.hash,
        reference=reference.hash if reference else None,
        effective_at_ms=effective_at_ms,
    )
    if reference is not None:
        _send(sender, settings, topics.REFERENCES, f"{policy.model}/{reference.hash}", reference)
    record = PolicyRecord(hash=policy.hash, policy=policy)
    _send(sender, settings, topics.POLICIES, f"{policy.model}/{policy.hash}", record)
    _send(sender, settings, topics.POLICIES, f"{policy.model}/active", activation)
    sender.flush()
    return activation


def check_size(policy: Policy, reference: ReferenceProfile | None) -> None:
    """Check that results with every feature of a policy and its reference fit into a record.

    Raises
    ------
    ConfigurationError
        If they do not.
    """
    names = [feature.name for feature in features_of(policy, reference)]
    size = sum(METRICS_PER_FEATURE * (METRIC_BYTES + len(name.encode())) for name in names)
    if size > LARGEST_WINDOW_BYTES:
        raise ConfigurationError(
            f"model {policy.model}: a window result of {len(names):,} features takes up to "
            f"{size:,} bytes, and a record holds {LARGEST_WINDOW_BYTES:,}; name fewer features in "
            "the policy and the reference, or watch them as several models"
        )


def _send(sender: Sender, settings: Settings, topic: str, key: str, value: BaseModel) -> None:
    sender.send(
        Message(
            topic=settings.topic(topic), key=key.encode(), value=value.model_dump_json().encode()
        )
    )
