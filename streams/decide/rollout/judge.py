"""What a rollout is judged by, and what one more window of it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from detectors.canary.three_way import Decision, decide
from detectors.canary.three_way import Verdict as Choice
from schemas.policy import Guardrail, Policy, duration_ms
from schemas.predictions import Arm
from schemas.rollouts import RolloutAction
from streams.control import Control
from streams.decide.rollout.arms import Cohort, in_part, pair, served
from streams.decide.rollout.blame import Facts, Finding, blame
from streams.decide.rollout.facts import broken, counted, distrusted, facts_of
from streams.decide.rollout.plan import Rollout
from streams.decide.rollout.rails import METRICS, add, needs_labels, processes_of, split_of
from streams.decide.rollout.records import Rail, Track
from streams.decide.rollout.shadow import add_pairs, pairs_of
from streams.decide.rollout.steps import preconditions, stages
from streams.decide.state import State, Watermarks
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
    def n_tests(self) -> int:
        """Tests that share the level of a rollback: guardrails, in every step of the plan."""
        steps = 1 if self.rollout.arm is Arm.SHADOW else stages(self.policy.plan)
        return len(self.guardrails) * steps

    @property
    def patient(self) -> bool:
        """Whether the full track keeps pace with labels: a precondition may have to know them."""
        return self.waits or bool(preconditions(self.policy.plan, self.rollout.arm))

    @property
    def way_out(self) -> RolloutAction:
        """What is said of a version that is worse; a shadow has no traffic to be taken away."""
        if self.rollout.arm is Arm.SHADOW:
            return RolloutAction.STOP_ADVISED
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


def policy_at(control: Control, model: str, time_ms: int) -> Policy | None:
    """The policy of a model in effect at an event time; None where none is known."""
    activation = control.active(model, time_ms)
    return None if activation is None else control.policy(activation.policy)


def guardrails_of(policy: Policy) -> tuple[Guardrail, ...]:
    """Guardrails of a policy, each metric once; of two the stricter holds."""
    strictest: dict[str, Guardrail] = {}
    for guardrail in sorted(policy.guardrails, key=lambda g: g.margin):
        strictest.setdefault(guardrail.metric, guardrail)
    return tuple(strictest[metric] for metric in METRICS if metric in strictest)


def observe(course: Course, track: Track, cohort: Cohort, guardrails: Sequence[Guardrail]) -> Track:
    """A track after one more window; bets only where both arms are fit to be compared."""
    n_canary, n_baseline = served(course.state, cohort)
    rails: dict[str, Rail] = dict(track.rails)
    faults = broken(course.state, course.rollout, cohort)
    after = Track(
        next_ms=cohort.end_ms,
        own_faults=counted(track.own_faults, faults.own),
        shared_faults=counted(track.shared_faults, faults.shared),
    )
    whole = not faults.shared
    sound = {
        g.metric: whole
        and not (needs_labels(g) and distrusted(course.state, course.rollout, cohort))
        for g in guardrails
    }
    if course.rollout.arm is Arm.SHADOW:
        pairs = None if in_part(course.state, cohort) else pairs_of(course.state, cohort)
        if pairs is not None:
            rows = course.policy.dependence.rows_per_unit
            rails |= {
                g.metric: add_pairs(
                    rails.get(g.metric), g, pairs, rows_per_unit=rows, sound=sound[g.metric]
                )
                for g in guardrails
            }
        return msgspec.structs.replace(after, rails=rails, split=track.split)
    for guardrail in guardrails:
        both = pair(course.state, cohort, guardrail)
        if both is not None:
            rails[guardrail.metric] = add(
                rails.get(guardrail.metric),
                guardrail,
                both,
                course.policy,
                sound=sound[guardrail.metric],
            )
    split, share = split_of(track, course.policy.canary), course.rollout.share
    if share is not None and share < 1 and n_canary + n_baseline > 0:
        rows = course.policy.dependence.rows_per_unit
        split.update([n_canary / rows, n_baseline / rows], planned=[share, 1.0 - share])
    return msgspec.structs.replace(after, rails=rails, split=split.state())


def judge(
    course: Course, track: Track, cohort: Cohort, guardrails: Sequence[Guardrail]
) -> tuple[Decision, Finding]:
    """What to do after a window, and what is at fault if it is a rollback.

    Harm that shows only in windows that were broken for both arms says nothing once they are whole
    again.
    """
    choice = _decide(course, track, cohort, guardrails)
    if choice.verdict is not Choice.ROLLBACK:
        return choice, blame(Facts(harmed=()))
    facts = facts_of(
        course.state,
        course.rollout,
        cohort,
        track,
        guardrails,
        choice,
        course.policy.canary,
        n_tests=course.n_tests,
    )
    finding = blame(facts)
    if finding.blocked_by and not facts.inputs and not facts.labels:
        return _decide(course, track, cohort, guardrails, sound=True), blame(Facts(harmed=()))
    return choice, finding


def _decide(
    course: Course,
    track: Track,
    cohort: Cohort,
    guardrails: Sequence[Guardrail],
    *,
    sound: bool = False,
) -> Decision:
    """What the evidence says; that of harm from all windows, or from ``sound`` ones alone."""
    canary = course.policy.canary
    processes = [processes_of(g, track.rails.get(g.metric), sound=sound) for g in guardrails]
    weight = 1.0 / course.n_tests
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
