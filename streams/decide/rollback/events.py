"""What is said of a rollback: the advice it began with, and what has become of it."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.ids import content_id
from schemas.policy import Policy, duration_ms
from schemas.predictions import Arm
from schemas.rollouts import RolloutAction, RolloutEvent
from streams.decide.rollback.book import Case, Rules
from streams.decide.rollback.protocol import Said
from streams.decide.rollback.verify import Shown
from streams.decide.sentences import level, named

DATED = frozenset(
    {
        RolloutAction.ROLLBACK_ADVISED,
        RolloutAction.ROLLBACK_APPROVED,
        RolloutAction.ROLLBACK_REQUESTED,
        RolloutAction.ROLLBACK_REFUSED,
    }
)
"""What is said of a rollback that a deadline waits for."""

REASONS = {
    "pin": "a person pinned the versions",
    "in_force": "another rollback is under way",
    "cool_down": "the last rollback was too recent",
    "max_per_day": "the rollbacks of a day are used up",
    "target_not_healthy": "the target is not known to be healthy",
    "labels_not_covered": "the labels it rests on are not covered any more",
}
"""Interlocks in words."""

_ENDS = {
    "not_approved": "not enough people approved in time",
    "blocked": "what forbids it lasted too long",
    "not_executed": "no executor acknowledged in time",
    "superseded": "other versions serve by now",
}


def rollback_id(advice: RolloutEvent) -> str:
    """Id of the rollback that an advice begins; a rollout has one, and one after promotion."""
    after = ["after"] if advice.arm is Arm.BASELINE else []
    return content_id(advice.rollout_id, "rollback", *after)


def key_of(advice: RolloutEvent) -> str:
    """The idempotency key of the request, whoever asks how often."""
    return content_id(rollback_id(advice), "request", advice.generation)


def rules_of(policy: Policy, *, settle_ms: int) -> Rules:
    """The protocol of a policy, in numbers.

    Parameters
    ----------
    settle_ms
        How long after its end a window that shows the metric is due: labels take long to mature,
        and only then can it be seen whether the metric came back.
    """
    rules = policy.rollback
    return Rules(
        approvals=rules.approvals,
        approve_within_ms=duration_ms(rules.approve_within),
        expiry_ms=duration_ms(rules.expiry),
        cool_down_ms=duration_ms(rules.cool_down),
        max_per_day=rules.max_per_day,
        verify_within_ms=duration_ms(rules.verify_within) + settle_ms,
    )


def advised(advice: RolloutEvent, *, now_ms: int, rules: Rules) -> RolloutEvent:
    """An advice as the beginning of a rollback."""
    return advice.model_copy(
        update={
            "rollback_id": rollback_id(advice),
            "idempotency_key": key_of(advice),
            "expires_at_ms": now_ms + rules.approve_within_ms,
        }
    )


def advice_of(case: Case) -> RolloutEvent:
    """The advice that a rollback began with."""
    return RolloutEvent.model_validate_json(case.advice)


def told(
    said: Said, cut: dict[str, int], *, at_ms: int, shown: Sequence[Shown] = ()
) -> RolloutEvent:
    """The event of a step of the protocol.

    Parameters
    ----------
    at_ms
        The time that it is decided for: that of the evidence, where that alone decided.
    shown
        What the target has shown since the rollback was applied.
    """
    case, advice = said.case, advice_of(said.case)
    if said.action is RolloutAction.ROLLBACK_ADVISED:
        return advice.model_copy(update={"cut": cut})
    return advice.model_copy(
        update={
            "id": content_id(case.id, said.action, said.reason),
            "action": said.action,
            "reason": said.reason or advice.reason,
            "summary": summary(said, advice, shown),
            "decided_at_ms": at_ms,
            "expires_at_ms": case.deadline_ms if said.action in DATED else None,
            "approvals": list(case.approvals),
            "blocked_by": list(said.blocked_by),
            "evidence": [*advice.evidence, advice.id],
            "cut": cut,
        }
    )


def summary(said: Said, advice: RolloutEvent, shown: Sequence[Shown]) -> str:
    """The step in a sentence."""
    name = f"of {advice.model} {advice.canary} to {advice.target_version}"
    case, why = said.case, said.reason.partition(": ")[2]
    match said.action:
        case RolloutAction.ROLLBACK_APPROVED:
            by = " and ".join(case.approvals) or "the policy"
            return f"Rollback {name} approved by {by}"
        case RolloutAction.ROLLBACK_REQUESTED:
            return f"Rollback {name} requested ({advice.reason.replace('_', ' ')})"
        case RolloutAction.ROLLBACK_REFUSED:
            reasons = "; ".join(REASONS[one] for one in said.blocked_by)
            return f"Rollback {name} is approved but not requested yet: {reasons}"
        case RolloutAction.ROLLBACK_REJECTED:
            return f"Rollback {name} rejected by {why}"
        case RolloutAction.ROLLBACK_EXPIRED:
            return f"Rollback {name} expired: {_ENDS[said.reason]}"
        case RolloutAction.ROLLBACK_APPLIED:
            return f"Rollback {name} applied by {why}; now the metric has to come back"
        case RolloutAction.ROLLBACK_FAILED:
            return f"Rollback {name} failed ({said.reason.partition(':')[0]} by {why})"
        case RolloutAction.ROLLBACK_VERIFIED:
            return f"Rollback {name} verified: {_shown(shown, advice)}"
        case RolloutAction.ROLLBACK_ESCALATED if said.reason == "not_applied":
            return f"Rollback {name} needs people: it was not applied, and the version still serves"
        case RolloutAction.ROLLBACK_ESCALATED:
            return (
                f"Rollback {name} needs people: it was applied, and the metric is not shown to "
                f"have come back: {_shown(shown, advice)}"
            )
        case _:
            after = ", after it was applied" if case.applied_ms is not None else ""
            return f"Rollback {name} withdrawn: later labels take its evidence back{after}"


def _shown(shown: Sequence[Shown], advice: RolloutEvent) -> str:
    words = [
        f"{named(one.metric, '')} {level(one.metric, one.mean)} of {one.n:,} "
        f"({level(one.metric, one.low)} to {level(one.metric, one.high)}, 95 %, at any time), "
        f"at most {level(one.metric, one.level)}"
        for one in shown
    ]
    return "; ".join(words) or f"{advice.target_version} has shown nothing since"
