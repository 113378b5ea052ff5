"""Write to the control topics: policies, references, activations, deployments."""

from __future__ import annotations

from pydantic import BaseModel

from detectors.inputs import features_of
from schemas import topics
from schemas.errors import ConfigurationError
from schemas.policy import Activation, FalseAlarms, Policy, PolicyRecord
from schemas.reference import ReferenceProfile
from streams.decide.detect import tests_of, watches_of
from streams.decide.levels import seasonless
from streams.decide.subject import subject_of
from streams.records import Message
from streams.runtime.settings import Settings
from streams.runtime.transport import Sender

LARGEST_WINDOW_BYTES = 900_000
"""A window result is one record, and so is the letter that holds it in a checkpoint."""

METRICS_PER_FEATURE = 6
METRIC_BYTES = 250
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
        If they name so many features that a window result would be larger than a record, a weight
        of no test, or a season that the reference does not know.
    """
    check_size(policy, reference)
    check_weights(policy, reference)
    check_seasons(policy, reference)
    check_auc(policy, reference)
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


def check_weights(policy: Policy, reference: ReferenceProfile | None) -> None:
    """Check that every weight in the false-alarm budget is that of a test.

    Raises
    ------
    ConfigurationError
        If one is not: it would change nothing, and nobody would know.
    """
    alike = policy.model_copy(update={"false_alarms": FalseAlarms()})
    subjects = [
        subject_of(alike, reference, whole=True),
        *(subject_of(alike, reference, whole=False, key=key) for key in policy.fairness.groups),
    ]
    known = {
        test.metric for subject in subjects for test in (*tests_of(subject), *watches_of(subject))
    }
    for name in policy.false_alarms.weights:
        if name not in known:
            raise ConfigurationError(
                f"model {policy.model}: false_alarms.weights names {name}, of which there is no "
                f"test under this policy and reference; remove it, or choose of "
                f"{', '.join(sorted(known))}"
            )


def check_seasons(policy: Policy, reference: ReferenceProfile | None) -> None:
    """Check that the reference has the hours of the week of every seasonal metric.

    Raises
    ------
    ConfigurationError
        If it does not, or the metric has no budget that could follow them.
    """
    for name in seasonless(policy, reference):
        raise ConfigurationError(
            f"model {policy.model}: seasonal names {name}, which has no budget here or whose hours "
            "of the week the reference does not have; give a reference learnt from labelled rows "
            "of some weeks, or remove it"
        )


def check_auc(policy: Policy, reference: ReferenceProfile | None) -> None:
    """Check that a floor of AUC can be tested: labels are counted by the reference's score bins.

    Raises
    ------
    ConfigurationError
        If the reference has no scores: the floor would be silent.
    """
    if policy.floors.auc is not None and (reference is None or reference.score is None):
        raise ConfigurationError(
            f"model {policy.model}: floors.auc is {policy.floors.auc:g}, and no reference with "
            "scores says in which bins to count; give one, or remove the floor"
        )


def _send(sender: Sender, settings: Settings, topic: str, key: str, value: BaseModel) -> None:
    sender.send(
        Message(
            topic=settings.topic(topic), key=key.encode(), value=value.model_dump_json().encode()
        )
    )
