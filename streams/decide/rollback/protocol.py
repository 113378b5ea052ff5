"""The rollback protocol of one model: a pure state machine.

Evidence advises a rollback, people or the policy approve it, interlocks let it be requested,
executors apply it, and the metric that comes back verifies it. Whatever is not done in time
expires, and whatever does not come back is escalated to people. Time never goes back here: the
caller gives each step the time by which it decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from schemas.commands import Approve, Executed, Outcome, Pin, Reject, Unpin
from schemas.durations import duration_ms
from schemas.rollouts import RolloutAction
from streams.decide.rollback import interlocks
from streams.decide.rollback.book import (
    FOREVER_MS,
    LIVE,
    OPEN,
    WAITING,
    Case,
    Facts,
    RollbackBook,
    Stage,
    ended,
    forget,
    in_order,
    put,
)
from streams.decide.rollback.given import (
    Advised,
    CarriedOut,
    Clock,
    Given,
    Recovered,
    Superseded,
    Withdrawn,
)

Known = Callable[[Case], Facts]


class Said(NamedTuple):
    """An event to publish: what, why, when, and the rollback as it then was."""

    action: RolloutAction
    reason: str
    at_ms: int
    case: Case
    blocked_by: tuple[str, ...] = ()


class Turn(NamedTuple):
    """The book after a step, what is to be said, and why an input was ignored, "" if it was not."""

    book: RollbackBook
    said: tuple[Said, ...] = ()
    ignored: str = ""


def step(book: RollbackBook, given: Given, now_ms: int, known: Known) -> Turn:
    """The book after one input, and what is to be said.

    Deadlines come first, then the input, then every approved rollback that no interlock forbids is
    requested, the earliest first.

    Parameters
    ----------
    now_ms
        The time of the step; a later step has no earlier one.
    known
        Facts about a rollback as of now; asked only of those that are approved.

    Examples
    --------
    >>> from streams.decide.rollback.book import Rules
    >>> rules = Rules(0, 60_000, 60_000, 60_000, 1, 60_000)
    >>> turn = step(RollbackBook(), Advised("r1", "k1", rules), 0, lambda case: Facts())
    >>> [said.action.value for said in turn.said]
    ['rollback.advised', 'rollback.approved', 'rollback.requested']
    >>> [said.action.value for said in step(turn.book, Clock(), 60_000, lambda case: Facts()).said]
    ['rollback.expired']
    """
    first = _carried_out(book, given) if isinstance(given, CarriedOut) else Turn(book)
    lapsed, late = lapse(first.book, now_ms)
    heeded = heed(lapsed, given, now_ms)
    after, requested = proceed(heeded.book, now_ms, known)
    said = (*first.said, *late, *heeded.said, *requested)
    ignored = first.ignored or heeded.ignored
    return Turn(forget(after, now_ms), said, ignored)


def lapse(book: RollbackBook, now_ms: int) -> tuple[RollbackBook, tuple[Said, ...]]:
    """End what its deadline has passed."""
    said: list[Said] = []
    for case in in_order(book):
        if case.stage in LIVE and interlocks.overdue(case, now_ms):
            at_ms = case.deadline_ms
            if case.stage is Stage.APPLIED:
                after = ended(case, Stage.ESCALATED, at_ms)
                said.append(Said(RolloutAction.ROLLBACK_ESCALATED, "not_verified", at_ms, after))
            else:
                after = ended(case, Stage.EXPIRED, at_ms)
                said.append(Said(RolloutAction.ROLLBACK_EXPIRED, _UNDONE[case.stage], at_ms, after))
            book = put(book, after)
    return book, tuple(said)


_UNDONE = {
    Stage.ADVISED: "not_approved",
    Stage.APPROVED: "blocked",
    Stage.REQUESTED: "not_executed",
}


def heed(book: RollbackBook, given: Given, now_ms: int) -> Turn:
    """The book after an input; deadlines have been looked at."""
    match given:
        case Clock() | CarriedOut():
            return Turn(book)
        case Pin():
            length = FOREVER_MS if given.duration is None else duration_ms(given.duration)
            until = min(max(book.pinned_until_ms, now_ms + length), FOREVER_MS)
            return Turn(msgspec.structs.replace(book, pinned_until_ms=until))
        case Unpin():
            return Turn(msgspec.structs.replace(book, pinned_until_ms=0))
        case Advised():
            return _advised(book, given, now_ms)
    known = book.cases.get(given.rollback_id)
    if known is None:
        return Turn(book, ignored="unknown_rollback")
    match given:
        case Approve():
            return _approved(book, known, given.by, now_ms)
        case Reject():
            return _rejected(book, known, given.by, now_ms)
        case Executed():
            return _executed(book, known, given, now_ms)
        case Withdrawn():
            return _withdrawn(book, known, now_ms)
        case Superseded():
            return _superseded(book, known, now_ms)
        case Recovered():
            return _recovered(book, known, now_ms)


def _advised(book: RollbackBook, given: Advised, now_ms: int) -> Turn:
    if given.rollback_id in book.cases:
        return Turn(book, ignored="advised_before")
    found = Case(
        id=given.rollback_id,
        key=given.key,
        rules=given.rules,
        stage=Stage.ADVISED,
        advised_ms=now_ms,
        deadline_ms=now_ms + given.rules.approve_within_ms,
        advice=given.advice,
    )
    said = Said(RolloutAction.ROLLBACK_ADVISED, "", now_ms, found)
    if not interlocks.quorate(found):
        return Turn(put(book, found), (said,))
    after = msgspec.structs.replace(found, stage=Stage.APPROVED)
    return Turn(
        put(book, after),
        (said, Said(RolloutAction.ROLLBACK_APPROVED, "automatic", now_ms, after)),
    )


def _approved(book: RollbackBook, known: Case, by: str, now_ms: int) -> Turn:
    if known.stage is not Stage.ADVISED:
        return Turn(book, ignored=f"not_waiting: {known.stage}")
    after = interlocks.consented(known, by)
    if after is known:
        return Turn(book, ignored="approved_before")
    if not interlocks.quorate(after):
        return Turn(put(book, after))
    after = msgspec.structs.replace(after, stage=Stage.APPROVED)
    said = Said(RolloutAction.ROLLBACK_APPROVED, "quorum", now_ms, after)
    return Turn(put(book, after), (said,))


def _rejected(book: RollbackBook, known: Case, by: str, now_ms: int) -> Turn:
    if known.stage not in OPEN:
        return Turn(book, ignored=f"not_open: {known.stage}")
    after = ended(known, Stage.REJECTED, now_ms)
    said = Said(RolloutAction.ROLLBACK_REJECTED, f"rejected: {by}", now_ms, after)
    return Turn(put(book, after), (said,))


def _executed(book: RollbackBook, known: Case, given: Executed, now_ms: int) -> Turn:
    """An application is a fact whenever it is told, also of a request that is over by then."""
    if known.requested_ms is None:
        return Turn(book, ignored="not_requested")
    if not interlocks.acknowledges(known, given.idempotency_key):
        return Turn(book, ignored="unknown_key")
    if known.applied_ms is not None:
        return Turn(book, ignored="acknowledged_before")
    if given.outcome is Outcome.APPLIED:
        return _applied(book, known, given.executor, now_ms)
    if known.stage is not Stage.REQUESTED:
        return Turn(book, ignored=f"over: {known.stage}")
    after = ended(known, Stage.ESCALATED, now_ms)
    reason = f"{given.outcome}: {given.executor}" + (f", {given.detail}" if given.detail else "")
    return Turn(
        put(book, after),
        (
            Said(RolloutAction.ROLLBACK_FAILED, reason, now_ms, after),
            Said(RolloutAction.ROLLBACK_ESCALATED, "not_applied", now_ms, after),
        ),
    )


def _carried_out(book: RollbackBook, given: CarriedOut) -> Turn:
    """It counts from when it happened, if the request was in force then."""
    known = book.cases.get(given.rollback_id)
    if known is None or known.stage is not Stage.REQUESTED:
        return Turn(book, ignored="not_requested")
    at_ms = max(given.at_ms, known.requested_ms or 0)
    if interlocks.overdue(known, at_ms):
        return Turn(book, ignored="too_late")
    return _applied(book, known, "a deployment", at_ms)


def _applied(book: RollbackBook, known: Case, by: str, at_ms: int) -> Turn:
    late = "" if known.stage is Stage.REQUESTED else f", after it was {known.stage}"
    after = msgspec.structs.replace(
        known,
        stage=Stage.APPLIED,
        applied_ms=at_ms,
        ended_ms=None,
        deadline_ms=at_ms + known.rules.verify_within_ms,
    )
    times = tuple(sorted((*book.applied_ms, at_ms)))
    book = put(msgspec.structs.replace(book, applied_ms=times), after)
    return Turn(book, (Said(RolloutAction.ROLLBACK_APPLIED, f"applied: {by}{late}", at_ms, after),))


def _withdrawn(book: RollbackBook, known: Case, now_ms: int) -> Turn:
    """One that was applied cannot be undone by words: it is said, and verification goes on."""
    if known.withdrawn or (known.stage not in OPEN and known.applied_ms is None):
        return Turn(book, ignored=f"over: {known.stage}")
    after = msgspec.structs.replace(known, withdrawn=True)
    if known.stage in OPEN:
        after = ended(after, Stage.WITHDRAWN, now_ms)
    reason = "evidence_withdrawn" if known.stage in OPEN else "evidence_withdrawn: applied before"
    said = Said(RolloutAction.ROLLBACK_WITHDRAWN, reason, now_ms, after)
    return Turn(put(book, after), (said,))


def _superseded(book: RollbackBook, known: Case, now_ms: int) -> Turn:
    """Only of one that was not requested: a request may itself be what changed the deployment."""
    if known.stage not in WAITING:
        return Turn(book, ignored=f"not_waiting: {known.stage}")
    after = ended(known, Stage.EXPIRED, now_ms)
    said = Said(RolloutAction.ROLLBACK_EXPIRED, "superseded", now_ms, after)
    return Turn(put(book, after), (said,))


def _recovered(book: RollbackBook, known: Case, now_ms: int) -> Turn:
    if known.stage is not Stage.APPLIED:
        return Turn(book, ignored=f"not_applied: {known.stage}")
    after = ended(known, Stage.VERIFIED, now_ms)
    said = Said(RolloutAction.ROLLBACK_VERIFIED, "recovered", now_ms, after)
    return Turn(put(book, after), (said,))


def proceed(book: RollbackBook, now_ms: int, known: Known) -> tuple[RollbackBook, tuple[Said, ...]]:
    """Request what is approved and not forbidden; what stays is told why, each reason once."""
    said: list[Said] = []
    facts = {case.id: known(case) for case in in_order(book) if case.stage is Stage.APPROVED}
    for id_, fact in facts.items():
        case = book.cases[id_]
        if not interlocks.blocked_by(book, case, fact, now_ms):
            after = msgspec.structs.replace(
                case,
                stage=Stage.REQUESTED,
                requested_ms=now_ms,
                deadline_ms=now_ms + case.rules.expiry_ms,
            )
            said.append(Said(RolloutAction.ROLLBACK_REQUESTED, "", now_ms, after))
            book = put(book, after)
    for id_, fact in facts.items():
        case = book.cases[id_]
        if case.stage is not Stage.APPROVED:
            continue
        reasons = interlocks.blocked_by(book, case, fact, now_ms)
        if not set(reasons) <= set(case.told):
            after = msgspec.structs.replace(case, told=tuple(sorted({*case.told, *reasons})))
            reason = f"blocked: {', '.join(reasons)}"
            said.append(Said(RolloutAction.ROLLBACK_REFUSED, reason, now_ms, after, reasons))
            book = put(book, after)
    return book, tuple(said)
