"""What an executor promises, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from schemas.commands import Executed
from schemas.rollouts import RolloutEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A rollback to execute, as one attempt sees it.

    Parameters
    ----------
    key
        Idempotency key: the same for every repetition of the request.
    rollback_id
        The rollback that it belongs to.
    model
        Which model.
    version
        The version that the evidence is against.
    target
        The version to go back to.
    generation
        The deployment's generation that the evidence is about.
    expires_at_ms
        When the request is void.
    approvals
        People who consented.
    at_ms
        When this attempt began.
    """

    key: str
    rollback_id: str
    model: str
    version: str
    target: str
    generation: int
    expires_at_ms: int
    approvals: tuple[str, ...]
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a deployment says of itself.

    Parameters
    ----------
    version
        The version that all traffic is meant to go to; while traffic is split, the newer one.
        None if it cannot be told.
    generation
        The deployment's generation; None if it has none.
    token
        What the target compares when it is set.
    back_to
        The only version that this target can go back to; None if any will do.
    claimed_at_ms
        When an attempt of the same key announced that it would act, where targets keep that.
    """

    version: str | None
    generation: int | None
    token: str
    back_to: str | None = None
    claimed_at_ms: int | None = None


class Change(StrEnum):
    """What became of a write."""

    CHANGED = "changed"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"
    WOULD_CHANGE = "would_change"


@dataclass(frozen=True, slots=True)
class Transition:
    """What became of a write, and in words.

    A conflict changed nothing, because the target was not as observed any more. Unknown may still
    take effect, later even.
    """

    change: Change
    detail: str


class Executor(Protocol):
    """Sets what a deployment serves.

    ``has_compare_and_set`` is whether `set` changes nothing unless the target is as observed, no
    matter who else writes at the same time.
    """

    @property
    def name(self) -> str:
        """Name in acknowledgements and messages."""

    @property
    def has_compare_and_set(self) -> bool:
        """Whether the target compares and sets in one step."""

    async def read(self, request: Request) -> Observed:
        """What the deployment serves now.

        Raises
        ------
        TargetUnavailable
            If it did not answer.
        TargetError
            If it answered what cannot be used.
        """

    async def set(self, request: Request, observed: Observed, *, dry_run: bool) -> Transition:
        """Make the deployment serve the request's target, if it still is as observed.

        Raises
        ------
        TargetUnavailable
            If nothing was changed, and may be later.
        TargetError
            If nothing was changed, and will not be.
        """

    async def close(self) -> None:
        """Free connections."""


class Journal(Protocol):
    """What is recorded of requests."""

    async def refresh(self) -> None:
        """Take in what others recorded."""

    def executed(self, idempotency_key: str) -> bool:
        """Whether an acknowledgement of the key is recorded."""

    async def record(self, command: Executed) -> None:
        """Record an acknowledgement; returns once it is safe."""


def request_of(event: RolloutEvent, *, at_ms: int) -> Request | str:
    """The request of a rollback event, or what it lacks."""
    if event.target_version is None:
        return "the request names no version to go back to"
    if event.expires_at_ms is None:
        return "the request says not when it expires"
    return Request(
        key=event.idempotency_key,
        rollback_id=event.rollback_id or event.rollout_id,
        model=event.model,
        version=event.canary,
        target=event.target_version,
        generation=event.generation,
        expires_at_ms=event.expires_at_ms,
        approvals=tuple(event.approvals),
        at_ms=at_ms,
    )
