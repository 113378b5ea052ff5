"""The course of a rollout: window by window, until promote, roll back, stop or deadline.

Two tracks see the same evidence at two times. The full track judges a window when all that the
policy's guardrails need is there (labels matured, if any needs labels), holds, promotes, rolls
back and expires. The early track sees a window when it closes and can only roll back, so that
failing requests need not wait for labels. What has been decided is compared by due time, so the
pace at which the two watermarks come changes no decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from detectors.canary.three_way import Decision, decide
from detectors.canary.three_way import Verdict as Choice
from schemas.policy import Guardrail, Policy, duration_ms
from schemas.predictions import Arm
from schemas.rollouts import RolloutAction, RolloutEvent
from streams.control import Control
from streams.decide.rollout.arms import Cohort, cohort_at, first_pane, pair, served
from streams.decide.rollout.events import ENDS, Look, event
from streams.decide.rollout.plan import Rollout
from streams.decide.rollout.rails import (
    METRICS,
    add,
    evidence,
    needs_labels,
    processes_of,
    split_of,
)
from streams.decide.rollout.shadow import add_pairs, pairs_of, shadow_guardrails
from streams.decide.state import Rail, RolloutState, State, Track, Watermarks
from streams.decide.subject import Subjects


@dataclass(frozen=True, slots=True)
class Course:
    """What a rollout is judged by: the policy in effect at its start, and all that is known."""

    state: State
    control: Control
    subjects: Subjects
    rollout: Rollout
    policy: Policy
    guardrails: tuple[Guardrail, ...]
    now: Watermarks
    cut: dict[str, int]

    @property
    def deadline_ms(self) -> int:
        """When the watch ends."""
        return self.rollout.start_ms + duration_ms(self.policy.canary.watch_for)

    @property
    def next_step(self) -> RolloutAction:
        """What is advised of a version that is not worse."""
        if self.rollout.arm is Arm.SHADOW:
            return RolloutAction.CANARY_ADVISED
        return RolloutAction.PROMOTION_ADVISED

    @property
    def way_out(self) -> RolloutAction:
        """What is said of a version that is worse; a shadow has no traffic to be taken away."""
        if self.rollout.arm is Arm.SHADOW:
            return RolloutAction.STOP_ADVISED
        if self.policy.canary.automatic:
            return RolloutAction.ROLLBACK_REQUESTED
        return RolloutAction.ROLLBACK_ADVISED

    @property
    def waits(self) -> bool:
        """Whether some guardrail needs labels."""
        return any(needs_labels(guardrail) for guardrail in self.guardrails)

    @property
    def early(self) -> tuple[Guardrail, ...]:
        """Guardrails that can speak before the full track does."""
        quick = tuple(g for g in self.guardrails if not needs_labels(g))
        return quick if self.waits else ()


def advance(
    state: State,
    control: Control,
    subjects: Subjects,
    rollout: Rollout,
    now: Watermarks,
    cut: dict[str, int],
) -> list[RolloutEvent]:
    """Bring a rollout up to the watermarks and return what is to be said, in order."""
    policy = _policy_at(control, rollout.model, rollout.start_ms)
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
        after = msgspec.structs.replace(after, early=Track(first), full=Track(first))
    if after != known:
        state.rollouts.put(rollout.id, after)
    return _once([*full, *early], told=before.rollback_at_ms is not None)


def guardrails_of(policy: Policy) -> tuple[Guardrail, ...]:
    """Guardrails of a policy, each metric once; of two the stricter holds."""
    strictest: dict[str, Guardrail] = {}
    for guardrail in sorted(policy.guardrails, key=lambda g: g.margin):
        strictest.setdefault(guardrail.metric, guardrail)
    return tuple(strictest[metric] for metric in METRICS if metric in strictest)


def _early(course: Course, known: RolloutState) -> tuple[RolloutState, list[RolloutEvent]]:
    if not course.early:
        return known, []
    events: list[RolloutEvent] = []
    for cohort in _due(course, known.early, labels=False):
        if _passed(course, known, cohort.due_ms):
            break
        track = _observe(course, known.early, cohort, course.early)
        known = msgspec.structs.replace(known, early=track)
        choice = _decide(course, track, cohort, course.early)
        if choice.verdict is Choice.ROLLBACK:
            look = _look(course, track, cohort, course.early)
            known, said = _roll_back(course, known, look, choice)
            events.append(said)
            break
    return known, events


def _full(course: Course, known: RolloutState) -> tuple[RolloutState, list[RolloutEvent]]:
    events: list[RolloutEvent] = []
    for cohort in _due(course, known.full, labels=course.waits):
        if known.promoted_at_ms is not None or _passed(course, known, cohort.due_ms):
            break
        track = _observe(course, known.full, cohort, course.guardrails)
        known = msgspec.structs.replace(known, full=track)
        if not all(served(course.state, cohort)):
            continue
        choice = _decide(course, track, cohort, course.guardrails)
        look = _look(course, track, cohort, course.guardrails)
        if choice.verdict is Choice.ROLLBACK:
            known, said = _roll_back(course, known, look, choice)
            events.append(said)
        elif choice.verdict is Choice.PROMOTE:
            known = msgspec.structs.replace(known, promoted_at_ms=cohort.due_ms)
            events.append(event(look, course.next_step, _reason(choice)))
        else:
            events.append(event(look, RolloutAction.HOLD, _reason(choice)))
    return _end(course, known, events)


def _end(
    course: Course, known: RolloutState, events: list[RolloutEvent]
) -> tuple[RolloutState, list[RolloutEvent]]:
    """Close the rollout once no track can say more; an undecided one expires."""
    decided = known.rollback_at_ms is not None or known.promoted_at_ms is not None
    stop = course.rollout.stop_ms
    full_ms, early_ms = _watermark(course, labels=course.waits), course.now.predictions_ms
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
    course: Course, known: RolloutState, look: Look, choice: Decision
) -> tuple[RolloutState, RolloutEvent]:
    """The earlier due time counts where both tracks find harm."""
    first = min(look.due_ms, known.rollback_at_ms or look.due_ms)
    known = msgspec.structs.replace(known, rollback_at_ms=first)
    return known, event(look, course.way_out, _reason(choice))


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


def _watermark(course: Course, *, labels: bool) -> int | None:
    return course.now.labels_ms if labels else course.now.predictions_ms


def _due(course: Course, track: Track, *, labels: bool) -> Iterator[Cohort]:
    """Windows of both arms that are complete and not yet seen, in order."""
    watermark = _watermark(course, labels=labels)
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


def _observe(
    course: Course, track: Track, cohort: Cohort, guardrails: Sequence[Guardrail]
) -> Track:
    """A track after one more window; bets only where both arms are fit to be compared."""
    n_canary, n_baseline = served(course.state, cohort)
    rails: dict[str, Rail] = dict(track.rails)
    if course.rollout.arm is Arm.SHADOW:
        pairs = pairs_of(course.state, cohort)
        if pairs is not None:
            rows = course.policy.dependence.rows_per_unit
            rails |= {
                g.metric: add_pairs(rails.get(g.metric), g, pairs, rows_per_unit=rows)
                for g in guardrails
            }
        return Track(next_ms=cohort.end_ms, rails=rails, split=track.split)
    for guardrail in guardrails:
        both = pair(course.state, cohort, guardrail)
        if both is not None:
            rails[guardrail.metric] = add(
                rails.get(guardrail.metric), guardrail, both, course.policy
            )
    split, share = split_of(track, course.policy.canary), course.rollout.share
    if share is not None and share < 1 and n_canary + n_baseline > 0:
        rows = course.policy.dependence.rows_per_unit
        split.update([n_canary / rows, n_baseline / rows], planned=[share, 1.0 - share])
    return Track(next_ms=cohort.end_ms, rails=rails, split=split.state())


def _decide(
    course: Course, track: Track, cohort: Cohort, guardrails: Sequence[Guardrail]
) -> Decision:
    canary = course.policy.canary
    processes = [processes_of(g, track.rails.get(g.metric)) for g in guardrails]
    weight = 1.0 / len(course.guardrails)
    return decide(
        processes,
        alpha_rollback=canary.alpha_rollback,
        alpha_promote=canary.alpha_promote,
        weights={g.metric: weight for g in guardrails},
        srm_ok=not split_of(track, canary).mismatch,
        n_canary=min((rail.n_canary for rail in track.rails.values()), default=0),
        n_min=canary.min_events,
        elapsed_ms=cohort.end_ms - course.rollout.start_ms,
        min_elapsed_ms=duration_ms(canary.min_duration),
    )


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
        guardrails=evidence(guardrails, track, canary, n_rails=len(course.guardrails)),
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
        guardrails=evidence(course.guardrails, track, canary, n_rails=len(course.guardrails)),
        log_e_share=split.log_e,
        share_ok=not split.mismatch,
        cut=course.cut,
    )


def _policy_at(control: Control, model: str, time_ms: int) -> Policy | None:
    activation = control.active(model, time_ms)
    return None if activation is None else control.policy(activation.policy)
