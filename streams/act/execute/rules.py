"""Whether a request may be executed: the interlocks at the target, as one pure function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.base import iso
from schemas.commands import Outcome
from streams.act.execute.contract import Observed, Request

CLAIM_MS = 300_000
"""An attempt that announced itself longer ago is over."""


class Reason(StrEnum):
    """Why a request is executed, or not."""

    GO = "go"
    SERVED = "served"
    EXPIRED = "expired"
    STALE = "stale"
    OTHER_TARGET = "other_target"
    NEEDS_APPROVAL = "needs_approval"
    IN_PROGRESS = "in_progress"
    CLAIMED = "claimed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A named reason, the outcome to acknowledge (None: none yet), and the reason in words."""

    reason: Reason
    outcome: Outcome | None
    detail: str


def judge(request: Request, observed: Observed, *, compare_and_set: bool) -> Verdict:
    """Whether to execute a request at a target as observed.

    What serves the target already is applied, whoever did it and however late: that is how a
    repetition after a crash finds its own work. All else is refused unless it is in time, the
    deployment is the one that the evidence is about, and either the target compares and sets or
    a person has consented. Compare-and-set needs a generation as well: without one, a deployment
    changed there and back again looks as if nothing had happened.

    Parameters
    ----------
    compare_and_set
        Whether the target compares and sets in one step.

    Examples
    --------
    >>> request = Request(
    ...     key="k", rollback_id="r", model="fraud", version="v12", target="v11", generation=7,
    ...     expires_at_ms=1_000, approvals=(), at_ms=0,
    ... )
    >>> judge(request, Observed(version="v12", generation=7, token="a"), compare_and_set=True)
    Verdict(reason=<Reason.GO: 'go'>, outcome=None, detail='')
    >>> moved_on = Observed(version="v13", generation=8, token="b")
    >>> judge(request, moved_on, compare_and_set=True).detail
    'stale: the request is for generation 7, but the deployment is at 8 and serves v13'
    """
    if observed.version == request.target:
        return Verdict(Reason.SERVED, Outcome.APPLIED, f"{request.target} is served already")
    if request.at_ms >= request.expires_at_ms:
        return _refused(Reason.EXPIRED, f"the request expired at {iso(request.expires_at_ms)}")
    if stale := _stale(request, observed):
        return _refused(Reason.STALE, f"stale: {stale}")
    if observed.back_to not in (None, request.target):
        return _refused(
            Reason.OTHER_TARGET,
            f"the target can only go back to {observed.back_to}, not to {request.target}",
        )
    if not (request.approvals or (compare_and_set and observed.generation is not None)):
        lacks = "compare-and-set" if not compare_and_set else "a generation"
        return _refused(
            Reason.NEEDS_APPROVAL,
            f"the target has no {lacks}, so a person must approve; nobody did",
        )
    return _claimed(request, observed)


def _claimed(request: Request, observed: Observed) -> Verdict:
    if observed.claimed_at_ms is None:
        return Verdict(Reason.GO, None, "")
    if request.at_ms - observed.claimed_at_ms < CLAIM_MS:
        return Verdict(Reason.IN_PROGRESS, None, "another attempt of the request is under way")
    return Verdict(
        Reason.CLAIMED,
        Outcome.FAILED,
        f"an attempt of {iso(observed.claimed_at_ms)} began and is not in effect: it broke off, or"
        " somebody undid it; look and decide by hand",
    )


def _refused(reason: Reason, detail: str) -> Verdict:
    return Verdict(reason, Outcome.REFUSED, detail)


def _stale(request: Request, observed: Observed) -> str:
    """Why the deployment is not the one that the evidence is about; empty where it is."""
    serves = f"serves {observed.version}" if observed.version else "says not what it serves"
    if observed.generation is None:
        agrees = observed.version == request.version
        return (
            "" if agrees else f"the request is against {request.version}, but the target {serves}"
        )
    if observed.generation == request.generation:
        return ""
    return (
        f"the request is for generation {request.generation}, but the deployment is at"
        f" {observed.generation} and {serves}"
    )
