"""What is remembered of the rollbacks of a model."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from schemas.base import MAX_TIME_MS

DAY_MS = 86_400_000
FOREVER_MS = MAX_TIME_MS
KEPT_MS = 30 * DAY_MS
"""How long a rollback that is over is remembered, for acknowledgements that come late."""


class Stage(StrEnum):
    """Where a rollback stands."""

    ADVISED = "advised"
    APPROVED = "approved"
    REQUESTED = "requested"
    APPLIED = "applied"
    VERIFIED = "verified"
    ESCALATED = "escalated"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


WAITING = frozenset({Stage.ADVISED, Stage.APPROVED})
OPEN = WAITING | {Stage.REQUESTED}
LIVE = OPEN | {Stage.APPLIED}


class Rules(msgspec.Struct, frozen=True):
    """The protocol of the policy under which a rollback was advised, in numbers."""

    approvals: int
    approve_within_ms: int
    expiry_ms: int
    cool_down_ms: int
    max_per_day: int
    verify_within_ms: int


class Case(msgspec.Struct, frozen=True):
    """One rollback.

    ``key`` is the idempotency key of its only request. ``deadline_ms`` is that of its stage.
    ``told`` are the interlocks that were said to forbid it. ``advice`` and ``request`` are the
    events as they were said. ``revised`` says that windows it rests on have changed since its
    evidence was last ``checked_ms``. ``proof`` is what the target has shown since it was applied,
    and ``next_ms`` the time of the first window that it has not shown yet.
    """

    id: str
    key: str
    rules: Rules
    stage: Stage
    advised_ms: int
    deadline_ms: int
    approvals: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    requested_ms: int | None = None
    applied_ms: int | None = None
    ended_ms: int | None = None
    withdrawn: bool = False
    advice: bytes = b""
    request: bytes = b""
    revised: bool = False
    checked_ms: int = 0
    proof: dict[str, list[float]] = {}
    next_ms: int | None = None


class RollbackBook(msgspec.Struct, frozen=True):
    """All rollbacks of a model: its pin, when the recent ones were applied, and each by its id."""

    pinned_until_ms: int = 0
    applied_ms: tuple[int, ...] = ()
    cases: dict[str, Case] = {}


class Facts(NamedTuple):
    """What must be known of the world when a rollback is to be requested: that its target is
    healthy, and that the labels that the evidence rests on are covered."""

    healthy: bool = True
    covered: bool = True


def ended(case: Case, stage: Stage, at_ms: int) -> Case:
    """A rollback that is over."""
    return msgspec.structs.replace(case, stage=stage, ended_ms=at_ms)


def put(book: RollbackBook, case: Case) -> RollbackBook:
    """The book with a rollback as it now is."""
    return msgspec.structs.replace(book, cases=book.cases | {case.id: case})


def forget(book: RollbackBook, now_ms: int) -> RollbackBook:
    """Drop what no rule asks for any more; the last application counts for a cool-down of any
    length."""
    cases = {
        id_: case
        for id_, case in book.cases.items()
        if case.ended_ms is None or now_ms - case.ended_ms < KEPT_MS
    }
    recent = tuple(time for time in book.applied_ms if now_ms - time < DAY_MS)
    applied = recent or book.applied_ms[-1:]
    return msgspec.structs.replace(book, cases=cases, applied_ms=applied)


def in_order(book: RollbackBook) -> list[Case]:
    """Every rollback, the one advised first before."""
    return sorted(book.cases.values(), key=lambda case: (case.advised_ms, case.id))
