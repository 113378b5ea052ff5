"""What forbids a rollback, and what it takes: one small rule each."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from streams.decide.rollback.book import DAY_MS, Case, Facts, RollbackBook, Stage

Interlock = Callable[[RollbackBook, Case, Facts, int], bool]

INTERLOCKS: dict[str, Interlock] = {
    "pin": lambda book, case, facts, now_ms: now_ms < book.pinned_until_ms,
    "in_force": lambda book, case, facts, now_ms: any(
        other.stage is Stage.REQUESTED for other in book.cases.values()
    ),
    "cool_down": lambda book, case, facts, now_ms: any(
        now_ms - applied < case.rules.cool_down_ms for applied in book.applied_ms
    ),
    "max_per_day": lambda book, case, facts, now_ms: (
        sum(now_ms - applied < DAY_MS for applied in book.applied_ms) >= case.rules.max_per_day
    ),
    "target_not_healthy": lambda book, case, facts, now_ms: not facts.healthy,
    "labels_not_covered": lambda book, case, facts, now_ms: not facts.covered,
}
"""What forbids a request, by the name that events give as ``blocked_by``."""


def blocked_by(book: RollbackBook, case: Case, facts: Facts, now_ms: int) -> tuple[str, ...]:
    """Every interlock that forbids a request now."""
    return tuple(name for name, holds in INTERLOCKS.items() if holds(book, case, facts, now_ms))


def overdue(case: Case, now_ms: int) -> bool:
    """Whether the deadline of a stage has passed; at the deadline it has."""
    return now_ms >= case.deadline_ms


def quorate(case: Case) -> bool:
    """Whether enough people have approved."""
    return len(case.approvals) >= case.rules.approvals


def consented(case: Case, by: str) -> Case:
    """A rollback with one more approval; each person counts once."""
    if by in case.approvals:
        return case
    return msgspec.structs.replace(case, approvals=tuple(sorted((*case.approvals, by))))


def acknowledges(case: Case, key: str) -> bool:
    """Whether a key is that of the request."""
    return case.key == key
