"""What the rollback protocol is told: evidence, deployments, time, people and executors."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.commands import Approve, Executed, Pin, Reject, Unpin
from streams.decide.rollback.book import Rules


@dataclass(frozen=True, slots=True)
class Advised:
    """Evidence advises a rollback."""

    rollback_id: str
    key: str
    rules: Rules
    advice: bytes = b""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The evidence for a rollback is gone: later labels say otherwise."""

    rollback_id: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """What serves has changed since a rollback was advised, so that it has no object."""

    rollback_id: str


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What serves changed as a request wanted, at a time before this step, whoever did it."""

    rollback_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """The metric of a rollback came back on its target."""

    rollback_id: str


@dataclass(frozen=True, slots=True)
class Clock:
    """Time has come, and nothing else."""


Given = (
    Advised
    | CarriedOut
    | Withdrawn
    | Superseded
    | Recovered
    | Clock
    | Approve
    | Reject
    | Pin
    | Unpin
    | Executed
)
