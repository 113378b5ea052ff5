"""RolloutEvents: a decision, or a non-decision, with all that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.ids import content_id
from schemas.policy import Policy
from schemas.predictions import Arm
from schemas.rollouts import Benefit, Blame, GuardrailEvidence, RolloutAction, RolloutEvent
from streams.decide.keys import WindowKey
from streams.decide.measure.window import window_id
from streams.decide.rollout.plan import Rollout
from streams.decide.sentences import level, moment, named
from streams.decide.subject import Subject

ENDS = frozenset({RolloutAction.ROLLBACK_ADVISED, RolloutAction.STOP_ADVISED})
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


def event(
    look: Look,
    action: RolloutAction,
    reason: str,
    *,
    blame: Blame = Blame.UNKNOWN,
    blocked_by: Sequence[str] = (),
    next_share: float | None = None,
    track: str = "",
) -> RolloutEvent:
    """The event of a look; a hold is said once for each window, all else once for a rollout.

    Parameters
    ----------
    track
        Tells what is said of one window, or of a rollout, by more than one judge apart.
    """
    rollout = look.rollout
    rollback = action is RolloutAction.ROLLBACK_ADVISED
    id_ = event_id(rollout, action, look.start_ms, track)
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
        expires_at_ms=None,
        idempotency_key=id_,
        policy=look.subject.policy_hash,
        cut=look.cut,
        arm=rollout.arm,
        blame=blame,
        benefit=[_benefit(rail) for rail in look.guardrails if proven(rail)] if rollback else [],
        blocked_by=list(blocked_by),
        evidence=_windows(look) if rollback else [],
        next_share=next_share,
    )


def event_id(rollout: Rollout, action: RolloutAction, start_ms: int, track: str = "") -> str:
    """Id of an event."""
    window = [start_ms] if action is RolloutAction.HOLD else []
    return content_id(rollout.id, action, *window, *([track] if track else []))


def proven(rail: GuardrailEvidence) -> bool:
    """Whether harm is proven in a guardrail."""
    return rail.log_e_harm >= rail.threshold_harm


def _benefit(rail: GuardrailEvidence) -> Benefit:
    return Benefit(metric=rail.metric, value=rail.difference, low=rail.low, high=rail.high)


def _windows(look: Look) -> list[str]:
    """Ids of the windows of both arms at which the evidence sufficed."""
    rollout, subject = look.rollout, look.subject
    arms = [(rollout.canary, rollout.arm), (rollout.baseline, Arm.BASELINE)]
    if rollout.arm is Arm.BASELINE:
        # After a promotion the predecessor serves no more.
        arms = arms[:1]
    hashes = (subject.policy_hash, subject.reference_hash)
    return [
        window_id(WindowKey(rollout.model, version, arm, "", *hashes, look.start_ms))
        for version, arm in arms
    ]


_WORDS = {
    RolloutAction.HOLD: "Holding",
    RolloutAction.BLOCKED: "Blocked:",
    RolloutAction.STEP_ADVISED: "The next step is advised:",
    RolloutAction.PROMOTION_ADVISED: "Promotion advised:",
    RolloutAction.ROLLBACK_ADVISED: "Rollback advised:",
    RolloutAction.CANARY_ADVISED: "As a canary it may go on:",
    RolloutAction.STOP_ADVISED: "Stopping the shadow is advised:",
    RolloutAction.EXPIRED: "The watch is over without a verdict:",
    RolloutAction.REVIEWED: "Review:",
}


def summary(look: Look, action: RolloutAction, reason: str) -> str:
    """The event in a sentence."""
    rollout = look.rollout
    return (
        f"{_WORDS[action]} {rollout.model} {rollout.canary} {_beside(rollout)} {rollout.baseline} "
        f"up to {moment(look.end_ms)} ({reason.replace('_', ' ')}): {compared(look.guardrails)}"
    )


def _beside(rollout: Rollout) -> str:
    return "after" if rollout.arm is Arm.BASELINE else "beside"


def compared(guardrails: Sequence[GuardrailEvidence]) -> str:
    """What is known of each guardrail, in words."""
    return "; ".join(told_of(rail) for rail in guardrails) or "no evidence yet"


def told_of(rail: GuardrailEvidence) -> str:
    """What is known of a guardrail, in words."""
    between = ""
    if rail.low is not None and rail.high is not None:
        low, high = level(rail.metric, rail.low), level(rail.metric, rail.high)
        between = f", difference {low} to {high} (95 %, at any time)"
    return (
        f"{named(rail.metric, '')} {level(rail.metric, rail.mean_canary)} of {rail.n_canary:,} "
        f"against {level(rail.metric, rail.mean_baseline)} of {rail.n_baseline:,}{between}, "
        f"margin {level(rail.metric, rail.margin)}"
    )
