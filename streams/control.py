"""What the control topics have said so far: policies, references, activations, deployments."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from schemas.dead_letters import Reason
from schemas.deployments import DeploymentEvent
from schemas.errors import BadRecord
from schemas.event_time import milliseconds_of
from schemas.explain import bad_record
from schemas.policy import Activation, Policy, PolicyRecord
from schemas.reference import ReferenceProfile
from schemas.topics import DEPLOYMENTS, POLICIES, REFERENCES

Record = TypeVar("Record", bound=BaseModel)


class Control:
    """Every policy, reference, activation and deployment read from the control topics.

    A record is never changed by a later one, so that reading a topic twice, or in pieces, gives
    the same answers. A record that cannot be used is refused and changes nothing.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> policy = Policy(model="fraud", task=Task.BINARY)
    >>> record = PolicyRecord(hash=policy.hash, policy=policy)
    >>> start = Activation(model="fraud", policy=policy.hash, reference=None, effective_at_ms=100)
    >>> control = Control()
    >>> control.apply("policies", record.model_dump_json().encode())
    >>> control.apply("policies", start.model_dump_json().encode())
    >>> control.active("fraud", 99) is None, control.active("fraud", 100) == start
    (True, True)
    >>> control.policy(policy.hash) == policy
    True
    """

    def __init__(self) -> None:
        self._published = 0
        self._policies: dict[str, Policy] = {}
        self._references: dict[str, ReferenceProfile] = {}
        self._activations: dict[str, list[tuple[int, int, Activation]]] = defaultdict(list)
        self._deployments: dict[str, list[tuple[int, int, str, DeploymentEvent]]] = defaultdict(
            list
        )
        self._events: dict[str, tuple[DeploymentEvent, ...]] = {}

    def apply(self, topic: str, value: bytes) -> None:
        """Take in one record of a control topic, named without prefix.

        Raises
        ------
        BadRecord
            If it does not parse, is a policy under a hash that is not its own, or its time is
            none.
        """
        try:
            self._take(topic, value)
        except BadRecord:
            raise
        except ValueError as error:
            raise BadRecord(Reason.BAD_SHAPE, str(error)) from error

    def active(self, model: str, time_ms: int) -> Activation | None:
        """The latest activation of a model that is in effect at an event time."""
        known = self._activations.get(model, [])
        place = bisect_right(known, time_ms, key=lambda item: item[0])
        return known[place - 1][2] if place else None

    def activations(self, model: str) -> list[Activation]:
        """Every activation of a model, in the order in which they take effect."""
        return [activation for *_, activation in self._activations.get(model, [])]

    def policy(self, hash_: str) -> Policy | None:
        """The policy with a hash, None where it was not read yet."""
        return self._policies.get(hash_)

    def reference(self, hash_: str) -> ReferenceProfile | None:
        """The reference profile with a hash, None where it was not read yet."""
        return self._references.get(hash_)

    def deployments(self, model: str) -> tuple[DeploymentEvent, ...]:
        """Deployment events of a model in order of time and generation, each once; the same object
        until there is another."""
        return self._events.get(model, ())

    def deploys(self, model: str, version: str) -> bool:
        """Whether a deployment event names a version of a model."""
        return any(event.version == version for *_, event in self._deployments.get(model, []))

    def models(self) -> list[str]:
        """Every model with an activation, in order of name."""
        return sorted(self._activations)

    def _take(self, topic: str, value: bytes) -> None:
        if topic == POLICIES:
            content = from_json(value)
            if isinstance(content, dict) and "effective_at_ms" in content:
                self._activate(parse(Activation, value))
            else:
                self._add_policy(parse(PolicyRecord, value))
        elif topic == REFERENCES:
            profile = parse(ReferenceProfile, value)
            self._references[profile.hash] = profile
        elif topic == DEPLOYMENTS:
            self._deploy(parse(DeploymentEvent, value))
        else:
            raise ValueError(
                f"{topic!r} is no control topic; use {POLICIES}, {REFERENCES} or {DEPLOYMENTS}"
            )

    def _add_policy(self, record: PolicyRecord) -> None:
        if record.hash != record.policy.hash:
            raise ValueError(
                f"hash: {record.hash!r} is not the hash of the policy, {record.policy.hash!r}"
            )
        self._policies[record.hash] = record.policy

    def _activate(self, activation: Activation) -> None:
        known = self._activations[activation.model]
        # Of those that start together the one published last stands behind, and wins: also one
        # that had been in force before, and was put in force again.
        known[:] = [item for item in known if item[2] != activation]
        self._published += 1
        insort(known, (activation.effective_at_ms, self._published, activation))

    def _deploy(self, event: DeploymentEvent) -> None:
        known = self._deployments[event.model]
        item = (milliseconds_of(event.time), event.generation, event.model_dump_json(), event)
        if all(item[2] != other[2] for other in known):
            insort(known, item, key=lambda entry: entry[:3])
            self._events[event.model] = tuple(event for *_, event in known)


def parse(model: type[Record], value: bytes) -> Record:
    """A record of a control topic.

    Raises
    ------
    BadRecord
        If the bytes are no JSON of the model.
    """
    try:
        return model.model_validate_json(value)
    except ValidationError as error:
        raise bad_record(error, model, value) from None
