"""Write to the control topics: policies, references, activations, deployments."""

from __future__ import annotations

from pydantic import BaseModel

from schemas import topics
from schemas.policy import Activation, Policy, PolicyRecord
from schemas.reference import ReferenceProfile
from streams.runtime.settings import Settings
from streams.runtime.transport import Message, Sender

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
    """Publish a policy, its reference, and when they hold; waits until the log has them."""
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


def _send(sender: Sender, settings: Settings, topic: str, key: str, value: BaseModel) -> None:
    sender.send(
        Message(
            topic=settings.topic(topic), key=key.encode(), value=value.model_dump_json().encode()
        )
    )
