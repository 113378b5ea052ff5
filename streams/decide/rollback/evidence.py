"""Whether the evidence for a rollback still stands, now that more of the truth is known."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.policy import Guardrail, Policy
from schemas.predictions import Arm
from schemas.rollouts import GuardrailEvidence, RolloutEvent
from streams.decide import clock, merge
from streams.decide.rollback.facts import View, harmed, rollout_of
from streams.decide.rollout import aftercare
from streams.decide.rollout.arms import cohort_at, first_pane, pair
from streams.decide.rollout.plan import Rollout
from streams.decide.rollout.rails import add, evidence, processes_of
from streams.decide.rollout.records import Rail, Track

LEFT = 0.5
"""Part of the evidence that was needed, as a logarithm, with which an advice still stands.

A few labels more or less never withdraw what only just sufficed.
"""


def stands(view: View, advice: RolloutEvent) -> bool:
    """Whether the windows that the advice rests on still speak of harm.

    The guardrails bet again on the same windows, with labels that came late and were corrected
    since. Where a window is forgotten, or the rollout unknown, nothing can be said against it.
    """
    rollout, metrics = rollout_of(view, advice), {rail.metric for rail in harmed(advice)}
    policy = view.control.policy(advice.policy)
    if rollout is None or policy is None:
        return True
    if rollout.promoted is not None and advice.arm is Arm.BASELINE:
        return aftercare.stands(view.state, view.control, view.subjects, rollout, advice, left=LEFT)
    guardrails = [one for one in _guardrails(advice) if one.metric in metrics]
    rails = _again(view, advice, rollout, policy, guardrails)
    thresholds = {rail.metric: rail.threshold_harm for rail in advice.guardrails}
    return rails is None or any(
        processes_of(one, rails.get(one.metric)).harm.highest_log_e >= LEFT * thresholds[one.metric]
        for one in guardrails
    )


def revised(view: View, advice: RolloutEvent) -> list[GuardrailEvidence]:
    """The guardrails of an advice with what is known of them now; as they were told where their
    windows cannot be looked at again, or were compared with a level that is frozen."""
    rollout, policy = rollout_of(view, advice), view.control.policy(advice.policy)
    if rollout is None or policy is None or advice.arm is Arm.BASELINE:
        return advice.guardrails
    guardrails = _guardrails(advice)
    rails = _again(view, advice, rollout, policy, guardrails)
    if rails is None:
        return advice.guardrails
    track = Track(next_ms=advice.window_end_ms, rails=rails)
    now = {one.metric: one for one in evidence(guardrails, track, policy.canary, n_tests=1)}
    return [
        now[told.metric].model_copy(
            update={
                "threshold_harm": told.threshold_harm,
                "threshold_benefit": told.threshold_benefit,
            }
        )
        for told in advice.guardrails
        if told.metric in now
    ]


def _guardrails(advice: RolloutEvent) -> list[Guardrail]:
    return [Guardrail(metric=rail.metric, margin=rail.margin) for rail in advice.guardrails]


def _again(
    view: View,
    advice: RolloutEvent,
    rollout: Rollout,
    policy: Policy,
    guardrails: Sequence[Guardrail],
) -> dict[str, Rail] | None:
    """Guardrails after all windows up to the advice; None where one of them is forgotten."""
    rails: dict[str, Rail] = {}
    labels_ms = clock.watermarks(view.state).labels_ms
    time_ms = first_pane(rollout.start_ms, policy.pane_ms)
    while time_ms < advice.window_end_ms:
        cohort = cohort_at(view.control, view.subjects, rollout, time_ms, labels=False)
        if cohort is None:
            return None
        if labels_ms is not None and merge.expired(cohort.canary, cohort.subject, labels_ms):
            return None
        for guardrail in guardrails:
            both = pair(view.state, cohort, guardrail, late=True)
            if both is not None:
                rails[guardrail.metric] = add(rails.get(guardrail.metric), guardrail, both, policy)
        time_ms = cohort.end_ms
    return rails
