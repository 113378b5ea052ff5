"""RolloutEvents: a decision, or a non-decision, with all that it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.ids import content_id
from schemas.policy import Policy, duration_ms
from schemas.rollouts import GuardrailEvidence, RolloutAction, RolloutEvent
from streams.decide.rollout.plan import Rollout
from streams.decide.sentences import level, moment, named
from streams.decide.subject import Subject

ROLLBACKS = frozenset({RolloutAction.ROLLBACK_REQUESTED, RolloutAction.ROLLBACK_ADVISED})
ENDS = ROLLBACKS | {RolloutAction.STOP_ADVISED}
"""What is said of a version that is worse: a canary is rolled back, a shadow stops."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a rollout: the window, when it was due, and the evidence by then."""

    rollout: Rollout
    subject: Subject
    start_ms: int
    end_ms: int
    due_ms: int
    guardrails: list[GuardrailEvidence]
    log_e_share: float
    share_ok: bool
    cut: dict[str, int]


def assumption(policy: Policy) -> str:
    """What the evidence of a rollout rests on."""
    rows = policy.dependence.rows_per_unit
    if rows == 1:
        return "assumes independent requests"
    return f"assumes that at most {rows} requests of one user depend on each other"


def event(look: Look, action: RolloutAction, reason: str) -> RolloutEvent:
    """The event of a look; a hold is said once for each window, all else once for a rollout."""
    rollout = look.rollout
    rollback = action in ROLLBACKS
    id_ = event_id(rollout, action, look.start_ms)
    expiry = duration_ms(look.subject.policy.canary.expiry)
    return RolloutEvent(
        id=id_,
        rollout_id=rollout.id,
        action=action,
        model=rollout.model,
        canary=rollout.canary,
        baseline=rollout.baseline,
        target_version=rollout.baseline if rollback else None,
        generation=rollout.generation,
        reason=reason,
        summary=summary(look, action, reason),
        assumption=assumption(look.subject.policy),
        guardrails=look.guardrails,
        log_e_share=look.log_e_share,
        share_ok=look.share_ok,
        window_start_ms=look.start_ms,
        window_end_ms=look.end_ms,
        decided_at_ms=look.due_ms,
        expires_at_ms=look.due_ms + expiry if rollback else None,
        idempotency_key=id_,
        policy=look.subject.policy_hash,
        cut=look.cut,
        arm=rollout.arm,
    )


def event_id(rollout: Rollout, action: RolloutAction, start_ms: int) -> str:
    """Id of an event; a rollback has one id, advised or requested."""
    if action is RolloutAction.HOLD:
        return content_id(rollout.id, action, start_ms)
    if action in ROLLBACKS:
        return content_id(rollout.id, "rollback")
    return content_id(rollout.id, action)


_WORDS = {
    RolloutAction.HOLD: "Holding",
    RolloutAction.PROMOTION_ADVISED: "Promotion advised:",
    RolloutAction.ROLLBACK_ADVISED: "Rollback advised:",
    RolloutAction.ROLLBACK_REQUESTED: "Rollback requested:",
    RolloutAction.CANARY_ADVISED: "As a canary it may go on:",
    RolloutAction.STOP_ADVISED: "Stopping the shadow is advised:",
    RolloutAction.EXPIRED: "The watch is over without a verdict:",
}


def summary(look: Look, action: RolloutAction, reason: str) -> str:
    """The event in a sentence."""
    rollout = look.rollout
    told = "; ".join(_told(rail) for rail in look.guardrails) or "no evidence yet"
    return (
        f"{_WORDS[action]} {rollout.model} {rollout.canary} beside {rollout.baseline} "
        f"up to {moment(look.end_ms)} ({reason.replace('_', ' ')}): {told}"
    )


def _told(rail: GuardrailEvidence) -> str:
    between = ""
    if rail.low is not None and rail.high is not None:
        low, high = level(rail.metric, rail.low), level(rail.metric, rail.high)
        between = f", difference {low} to {high} (95 %, at any time)"
    return (
        f"{named(rail.metric, '')} {level(rail.metric, rail.mean_canary)} of {rail.n_canary:,} "
        f"against {level(rail.metric, rail.mean_baseline)} of {rail.n_baseline:,}{between}, "
        f"margin {level(rail.metric, rail.margin)}"
    )
