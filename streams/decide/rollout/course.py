"""The course of a rollout: window by window, until promote, roll back, stop or deadline.

Two tracks see the same evidence at two times. The full track judges a window when all that the
policy's guardrails need is there (labels matured, if any needs labels), holds, promotes, rolls
back and expires. The early track sees a window when it closes and can only roll back, so that
failing requests need not wait for labels. What has been decided is compared by due time, so the
pace at which the two watermarks come changes no decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from detectors.canary.three_way import Decision
from detectors.canary.three_way import Verdict as Choice
from schemas.policy import Guardrail
from schemas.predictions import Arm
from schemas.rollouts import RolloutAction, RolloutEvent
from streams.control import Control
from streams.decide.rollout.arms import Cohort, cohort_at, first_pane, in_part, served
from streams.decide.rollout.blame import Finding
from streams.decide.rollout.events import ENDS, Look, event
from streams.decide.rollout.frozen import frozen_of
from streams.decide.rollout.judge import Course, guardrails_of, judge, observe, policy_at
from streams.decide.rollout.plan import Rollout
from streams.decide.rollout.rails import (
    evidence,
    split_of,
)
from streams.decide.rollout.records import RolloutState, Track
from streams.decide.rollout.shadow import shadow_guardrails
from streams.decide.rollout.steps import Place, next_step, unmet
from streams.decide.state import State, Watermarks
from streams.decide.subject import Subjects

IN_PART = "rows were shed: what was wrong with inputs cannot be told"
"""Why a rollout holds that nobody is to blame for."""


def advance(
    state: State,
    control: Control,
    subjects: Subjects,
    rollout: Rollout,
    now: Watermarks,
    cut: dict[str, int],
) -> list[RolloutEvent]:
    """Bring a rollout up to the watermarks and return what is to be said, in order."""
    policy = policy_at(control, rollout.model, rollout.start_ms)
    known = state.rollouts.get(rollout.id)
    if policy is None or (known is not None and known.over):
        return []
    shadow = rollout.arm is Arm.SHADOW
    guardrails = shadow_guardrails(policy) if shadow else guardrails_of(policy)
    if not guardrails:
        return []
    course = Course(state, control, subjects, rollout, policy, guardrails, now, cut)
    first = first_pane(rollout.start_ms, policy.pane_ms)
    before = known or RolloutState(Track(first), Track(first))
    after, early = _early(course, before)
    after, full = _full(course, after)
    if after.over:
        # The evidence has been told; what is left says that the rollout is not to be run again.
        frozen = {} if shadow else frozen_of(after.full.rails)
        after = msgspec.structs.replace(after, early=Track(first), full=Track(first), frozen=frozen)
    if after != known:
        state.rollouts.put(rollout.id, after)
    return _once([*full, *early], told=before.rollback_at_ms is not None)


def _early(course: Course, known: RolloutState) -> tuple[RolloutState, list[RolloutEvent]]:
    if not course.early:
        return known, []
    events: list[RolloutEvent] = []
    for cohort in _due(course, known.early, course.now.predictions_ms, labels=False):
        if _passed(course, known, cohort.due_ms):
            break
        track = observe(course, known.early, cohort, course.early)
        known = msgspec.structs.replace(known, early=track)
        choice, finding = judge(course, track, cohort, course.early)
        if choice.verdict is Choice.ROLLBACK:
            look = _look(course, track, cohort, course.early)
            known, said = _roll_back(course, known, look, choice, finding, track="early")
            events += said
            if known.rollback_at_ms is not None:
                break
    return known, events


def _full(course: Course, known: RolloutState) -> tuple[RolloutState, list[RolloutEvent]]:
    events: list[RolloutEvent] = []
    for cohort in _due(course, known.full, _full_ms(course), labels=course.waits):
        if known.promoted_at_ms is not None or _passed(course, known, cohort.due_ms):
            break
        track = observe(course, known.full, cohort, course.guardrails)
        known = msgspec.structs.replace(known, full=track)
        if not all(served(course.state, cohort)):
            continue
        choice, finding = judge(course, track, cohort, course.guardrails)
        look = _look(course, track, cohort, course.guardrails)
        if in_part(course.state, cohort):
            events.append(event(look, RolloutAction.HOLD, IN_PART))
        elif choice.verdict is Choice.ROLLBACK:
            known, said = _roll_back(course, known, look, choice, finding)
            events += said
        elif choice.verdict is Choice.PROMOTE:
            known, step = _go_on(course, known, look, cohort, choice)
            events.append(step)
        else:
            events.append(event(look, RolloutAction.HOLD, _reason(choice)))
    return _end(course, known, events)


def _end(
    course: Course, known: RolloutState, events: list[RolloutEvent]
) -> tuple[RolloutState, list[RolloutEvent]]:
    """Close the rollout once no track can say more; an undecided one expires."""
    decided = known.rollback_at_ms is not None or known.promoted_at_ms is not None
    stop = course.rollout.stop_ms
    full_ms, early_ms = _full_ms(course), course.now.predictions_ms
    end = course.deadline_ms if stop is None else min(stop, course.deadline_ms)
    if not decided and full_ms is not None and full_ms >= end:
        if stop is None or stop > course.deadline_ms:
            look = _last_look(course, known)
            events = [*events, event(look, RolloutAction.EXPIRED, "inconclusive")]
        return msgspec.structs.replace(known, over=True), events
    finished = decided and full_ms is not None and full_ms >= (known.rollback_at_ms or 0)
    if finished and (known.rollback_at_ms is not None or not course.early):
        return msgspec.structs.replace(known, over=True), events
    if known.promoted_at_ms is not None and early_ms is not None and early_ms >= end:
        return msgspec.structs.replace(known, over=True), events
    return known, events


def _roll_back(
    course: Course,
    known: RolloutState,
    look: Look,
    choice: Decision,
    finding: Finding,
    *,
    track: str = "",
) -> tuple[RolloutState, list[RolloutEvent]]:
    """Say that the version is worse, or hold if something else is at fault.

    What is to be mended is told once; a hold, with each window. The earlier due time counts where
    both tracks find harm.
    """
    reason = _reason(choice) + (f"; {finding.reason}" if finding.reason else "")
    if finding.blocked_by:
        told = RolloutAction.BLOCKED, RolloutAction.HOLD
        new = finding.blocked_by not in known.blocked
        blocked = (*known.blocked, finding.blocked_by) if new else known.blocked
        said = [
            event(
                look,
                action,
                reason,
                blame=finding.blame,
                blocked_by=(finding.blocked_by,),
                track=finding.blocked_by if action is RolloutAction.BLOCKED else track,
            )
            for action in (told if new else told[1:])
        ]
        return msgspec.structs.replace(known, blocked=blocked), said
    first = min(look.due_ms, known.rollback_at_ms or look.due_ms)
    known = msgspec.structs.replace(known, rollback_at_ms=first)
    return known, [event(look, course.way_out, reason, blame=finding.blame)]


def _go_on(
    course: Course, known: RolloutState, look: Look, cohort: Cohort, choice: Decision
) -> tuple[RolloutState, RolloutEvent]:
    """Advise the next step of the plan, or hold until its preconditions are met."""
    plan, rollout = course.policy.plan, course.rollout
    place = Place(course.state, course.control, course.subjects, rollout, cohort)
    missing = unmet(place, plan)
    if missing:
        reason = f"preconditions: {', '.join(missing)}"
        return known, event(look, RolloutAction.HOLD, reason, blocked_by=missing)
    step = next_step(plan, rollout.arm, rollout.share)
    better = plan.kind == "ab" and rollout.arm is not Arm.SHADOW
    reason = f"better: {', '.join(choice.guardrails)}" if better else _reason(choice)
    known = msgspec.structs.replace(known, promoted_at_ms=cohort.due_ms)
    return known, event(look, step.action, reason, next_share=step.share)


def _once(events: list[RolloutEvent], *, told: bool) -> list[RolloutEvent]:
    """Events in order of due time, each id once; a rollback told before is not told again."""
    ordered = sorted(events, key=lambda said: said.decided_at_ms)
    unique = {said.id: said for said in reversed(ordered)}
    return [
        said for said in ordered if unique[said.id] is said and not (told and said.action in ENDS)
    ]


def _passed(course: Course, known: RolloutState, due_ms: int) -> bool:
    """Whether the rollout was over before a look was due."""
    stop, rollback = course.rollout.stop_ms, known.rollback_at_ms
    return (
        due_ms > course.deadline_ms
        or (stop is not None and due_ms >= stop)
        or (rollback is not None and due_ms >= rollback)
    )


def _full_ms(course: Course) -> int | None:
    """How far the full track may look."""
    return course.now.labels_ms if course.patient else course.now.predictions_ms


def _due(course: Course, track: Track, watermark: int | None, *, labels: bool) -> Iterator[Cohort]:
    """Windows of both arms that are complete and not yet seen, in order."""
    time = track.next_ms
    while (
        watermark is not None
        and (
            cohort := cohort_at(
                course.control, course.subjects, course.rollout, time, labels=labels
            )
        )
        is not None
    ):
        if cohort.due_ms > watermark or cohort.start_ms > course.deadline_ms:
            return
        yield cohort
        time = cohort.end_ms


def _reason(choice: Decision) -> str:
    return f"{choice.reason}: {', '.join(choice.guardrails)}"


def _look(course: Course, track: Track, cohort: Cohort, guardrails: Sequence[Guardrail]) -> Look:
    canary = course.policy.canary
    split = split_of(track, canary)
    return Look(
        rollout=course.rollout,
        subject=cohort.subject,
        start_ms=cohort.start_ms,
        end_ms=cohort.end_ms,
        due_ms=cohort.due_ms,
        guardrails=evidence(guardrails, track, canary, n_tests=course.n_tests),
        log_e_share=split.log_e,
        share_ok=not split.mismatch,
        cut=course.cut,
    )


def _last_look(course: Course, known: RolloutState) -> Look:
    """The evidence at the deadline."""
    canary, track = course.policy.canary, known.full
    split = split_of(track, canary)
    activation = course.control.active(course.rollout.model, course.rollout.start_ms)
    hash_ = "" if activation is None else activation.policy
    return Look(
        rollout=course.rollout,
        # Only the policy is told of: a reference that never came must not hold up everything.
        subject=course.subjects.of(hash_, "", whole=True),
        start_ms=course.rollout.start_ms,
        end_ms=course.deadline_ms,
        due_ms=course.deadline_ms,
        guardrails=evidence(course.guardrails, track, canary, n_tests=course.n_tests),
        log_e_share=split.log_e,
        share_ok=not split.mismatch,
        cut=course.cut,
    )
