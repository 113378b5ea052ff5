"""The review of a release: what was expected, what happened, what was decided and how long it took.

Notes are taken as events are said, and become one event when the rollout has come to its end: it
was stopped or went on to its next step, expired, was rolled back and that was verified or not, or
the watch after its promotion is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from schemas.base import milliseconds
from schemas.deployments import DeploymentAction, DeploymentEvent
from schemas.policy import Policy, duration_ms
from schemas.predictions import Arm
from schemas.rollouts import GuardrailEvidence, ReleaseReview, RolloutAction, RolloutEvent
from streams.control import Control
from streams.decide.rollout import watch
from streams.decide.rollout.events import Look, event, told_of
from streams.decide.rollout.judge import guardrails_of, policy_at
from streams.decide.rollout.plan import Rollout
from streams.decide.rollout.records import ReviewNotes, Told
from streams.decide.rollout.shadow import shadow_guardrails
from streams.decide.sentences import level, moment, named
from streams.decide.state import State, Watermarks
from streams.decide.subject import Subjects

LONGEST = 100
"""Runs of equal events that are kept apart; beyond, holds for different reasons count as one."""

ENDINGS = {
    RolloutAction.EXPIRED: "expired without a verdict",
    RolloutAction.ROLLBACK_VERIFIED: "rolled back, and the metric came back",
    RolloutAction.ROLLBACK_ESCALATED: "escalated to people",
    RolloutAction.ROLLBACK_REJECTED: "rollback rejected",
    RolloutAction.ROLLBACK_EXPIRED: "rollback expired",
    RolloutAction.ROLLBACK_WITHDRAWN: "rollback withdrawn",
    RolloutAction.STOP_ADVISED: "shadow to stop",
    RolloutAction.CANARY_ADVISED: "shadow passed",
}
"""What ends a release, in words."""


class End(NamedTuple):
    """How a release ended, and when."""

    outcome: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Release:
    """A rollout that may have ended, and all that is known."""

    state: State
    control: Control
    subjects: Subjects
    rollout: Rollout
    policy: Policy
    notes: ReviewNotes
    now: Watermarks


def note(state: State, said: Iterable[RolloutEvent]) -> None:
    """Take notes of what is said; of what was reviewed no more are taken."""
    for one in said:
        known = state.reviews.get(one.rollout_id) or ReviewNotes()
        if not known.done and one.action is not RolloutAction.REVIEWED:
            state.reviews.put(one.rollout_id, _noted(known, one))


def advance(
    state: State,
    control: Control,
    subjects: Subjects,
    rollouts: Iterable[Rollout],
    now: Watermarks,
    cut: dict[str, int],
) -> list[RolloutEvent]:
    """The review of every rollout that has ended since the last call."""
    said: list[RolloutEvent] = []
    for rollout in rollouts:
        policy = policy_at(control, rollout.model, rollout.start_ms)
        notes = state.reviews.get(rollout.id) or ReviewNotes()
        if policy is None or notes.done or state.rollouts.get(rollout.id) is None:
            continue
        release = Release(state, control, subjects, rollout, policy, notes, now)
        end = ending(release)
        if end is not None:
            said.append(_reviewed(release, end, cut))
            state.reviews.put(rollout.id, ReviewNotes(done=True))
    return said


def ending(release: Release) -> End | None:
    """How a release ended; None while it goes on."""
    rollout, told = release.rollout, release.notes.told
    ended = _said_ending(told)
    if ended is not None:
        return ended
    known = release.state.rollouts.get(rollout.id)
    if known is None or not known.over or _rolling_back(told):
        return None
    if rollout.promoted is not None:
        return _promoted(release)
    if rollout.stop_ms is not None:
        return End(_stopped(release, rollout.stop_ms), rollout.stop_ms)
    deadline_ms = rollout.start_ms + duration_ms(release.policy.canary.watch_for)
    if release.now.predictions_ms is None or release.now.predictions_ms < deadline_ms:
        return None
    return End("advised to go on, and nothing followed", deadline_ms)


def _said_ending(told: Sequence[Told]) -> End | None:
    """The event that ends a release; after a withdrawal too late it is still to be verified."""
    applied = False
    for one in told:
        action = RolloutAction(one.action)
        applied = applied or action is RolloutAction.ROLLBACK_APPLIED
        if action is RolloutAction.ROLLBACK_WITHDRAWN and applied:
            continue
        if action in ENDINGS:
            return End(ENDINGS[action], one.first_ms)
    return None


def _rolling_back(told: Sequence[Told]) -> bool:
    return any(one.action == RolloutAction.ROLLBACK_ADVISED for one in told)


def _promoted(release: Release) -> End | None:
    """The watch after a promotion ends with its time, or when the version serves no more."""
    promoted, plan = release.rollout.promoted, release.policy.plan
    if promoted is None:
        return None
    if plan.watch_after is None:
        return End("promoted", promoted.start_ms)
    watched = release.state.aftercare.get(release.rollout.id)
    if watched is None or not watched.over:
        return None
    end_ms = promoted.start_ms + duration_ms(plan.watch_after)
    if promoted.stop_ms is not None and promoted.stop_ms < end_ms:
        return End("promoted, and replaced while it was watched", promoted.stop_ms)
    return End("promoted, and as good as its predecessor", end_ms)


def _stopped(release: Release, stop_ms: int) -> str:
    """What ended a rollout, by the log of deployments."""
    events = release.control.deployments(release.rollout.model)
    after = [one for one in events if milliseconds(one.time) == stop_ms]
    return next((_words(one, release.rollout) for one in after), "stopped")


def _words(event: DeploymentEvent, rollout: Rollout) -> str:
    if event.action is DeploymentAction.CANARY_STARTED and event.version == rollout.canary:
        share = "" if event.share is None else f" with {_share(event.share)} of the traffic"
        return f"went on as a canary{share}"
    if event.action is DeploymentAction.ROLLED_BACK:
        return "rolled back by people"
    if event.version != rollout.canary:
        return f"replaced by {event.version}"
    return "stopped by people"


def _noted(known: ReviewNotes, one: RolloutEvent) -> ReviewNotes:
    held = dict(known.held)
    if one.action is RolloutAction.HOLD:
        for cause in one.blocked_by:
            held[cause] = held.get(cause, 0) + 1
    after = "after/" if one.arm is Arm.BASELINE else ""
    fresh = {after + rail.metric: rail.model_dump_json().encode() for rail in one.guardrails}
    split = not after and one.arm is Arm.CANARY
    return msgspec.structs.replace(
        known,
        told=_with(known.told, one),
        evidence=known.evidence | fresh,
        log_e_share=one.log_e_share if split else known.log_e_share,
        share_ok=one.share_ok if split else known.share_ok,
        held=held,
    )


def _with(told: tuple[Told, ...], one: RolloutEvent) -> tuple[Told, ...]:
    """What was said with one more event; holds in a row for one reason are one."""
    fresh = Told(one.action.value, one.reason, one.decided_at_ms, one.decided_at_ms)
    if not told or not _goes_on(told[-1], fresh, crowded=len(told) >= LONGEST):
        return (*told, fresh)
    last = told[-1]
    last_ms = max(last.last_ms, fresh.last_ms)
    return (*told[:-1], msgspec.structs.replace(last, last_ms=last_ms, count=last.count + 1))


def _goes_on(last: Told, fresh: Told, *, crowded: bool) -> bool:
    """Whether a hold is one more of those before it."""
    holds = last.action == fresh.action == RolloutAction.HOLD
    return holds and (crowded or last.reason == fresh.reason)


def _reviewed(release: Release, end: End, cut: dict[str, int]) -> RolloutEvent:
    rollout, notes = release.rollout, release.notes
    evidence = [
        GuardrailEvidence.model_validate_json(rail)
        for name, rail in notes.evidence.items()
        if "/" not in name
    ]
    activation = release.control.active(rollout.model, rollout.start_ms)
    look = Look(
        rollout=rollout,
        subject=release.subjects.of(
            "" if activation is None else activation.policy, "", whole=True
        ),
        start_ms=rollout.start_ms,
        end_ms=end.at_ms,
        due_ms=end.at_ms,
        guardrails=evidence,
        log_e_share=notes.log_e_share,
        share_ok=notes.share_ok,
        cut=cut,
    )
    found = event(look, RolloutAction.REVIEWED, end.outcome)
    review = ReleaseReview(
        outcome=end.outcome,
        started_at_ms=rollout.start_ms,
        ended_at_ms=end.at_ms,
        expected=_expected(rollout, release.policy),
        happened=_happened(release, evidence),
        decisions=[_decision(one) for one in notes.told],
        decision_delay_ms=_decision_delay(notes.told, rollout.start_ms),
        execution_delay_ms=_execution_delay(notes.told),
    )
    return found.model_copy(update={"review": review})


def _expected(rollout: Rollout, policy: Policy) -> list[str]:
    """The plan and its margins, as they stood at the start."""
    plan, shadow = policy.plan, rollout.arm is Arm.SHADOW
    better = plan.kind == "ab" and not shadow
    rails = shadow_guardrails(policy) if shadow else guardrails_of(policy)
    what = [_traffic(rollout, plan.shares, ab=better)]
    for rail in rails:
        wanted = "lower" if better else f"at most {level(rail.metric, rail.margin)} higher"
        what.append(f"{named(rail.metric, '')} {wanted} than that of {rollout.baseline}")
    deadline_ms = rollout.start_ms + duration_ms(policy.canary.watch_for)
    what.append(f"a verdict by {moment(deadline_ms)}")
    if plan.preconditions:
        what.append(f"before a step: {', '.join(plan.preconditions)}".replace("_", " "))
    return what


def _traffic(rollout: Rollout, shares: Sequence[float], *, ab: bool) -> str:
    if rollout.arm is Arm.SHADOW:
        return f"{rollout.canary} answers in the shadow of {rollout.baseline}"
    kind = "an A/B comparison" if ab else "a canary"
    now = "an unknown share" if rollout.share is None else _share(rollout.share)
    later = [_share(one) for one in shares if rollout.share is None or one > rollout.share]
    then = f", then {', '.join(later)}" if later else ""
    return f"{rollout.canary} as {kind} with {now} of the traffic{then}"


def _happened(release: Release, evidence: Sequence[GuardrailEvidence]) -> list[str]:
    """Guardrails with their intervals, the split of the traffic, and what was held for a cause."""
    rollout, notes = release.rollout, release.notes
    what = [told_of(rail) for rail in evidence] or ["no window could be compared"]
    if rollout.arm is Arm.CANARY and rollout.share is not None and notes.told:
        planned = _share(rollout.share)
        as_planned = "as planned" if notes.share_ok else "not as planned"
        what.append(f"traffic split {as_planned} ({planned}; log e {notes.log_e_share:.1f})")
    for cause, count in sorted(notes.held.items()):
        what.append(f"{count} windows held: {cause.replace('_', ' ')}")
    after = watch.shown(release.state, release.control, release.subjects, rollout)
    return what + [f"after promotion: {told_of(rail)}" for rail in after]


def _decision(one: Told) -> str:
    reason = f" ({one.reason.replace('_', ' ')})" if one.reason else ""
    if one.count == 1:
        return f"{moment(one.first_ms)}: {one.action}{reason}"
    span = f"{moment(one.first_ms)} to {moment(one.last_ms)}"
    return f"{span}: {one.action}, {one.count} windows{reason}"


def _decision_delay(told: Sequence[Told], start_ms: int) -> int | None:
    """From the start to the first decision that is not a hold."""
    first = min((x.first_ms for x in told if x.action != RolloutAction.HOLD), default=None)
    return None if first is None else first - start_ms


def _execution_delay(told: Sequence[Told]) -> int | None:
    """From the first request to its acknowledgement."""
    asked = [x.first_ms for x in told if x.action == RolloutAction.ROLLBACK_REQUESTED]
    done = [x.first_ms for x in told if x.action == RolloutAction.ROLLBACK_APPLIED]
    return done[0] - asked[0] if asked and done else None


def _share(share: float) -> str:
    """A share of the traffic in per cent.

    Examples
    --------
    >>> _share(0.25), _share(0.005)
    ('25 %', '0.5 %')
    """
    return f"{100 * share:g} %"
