"""After promotion: nobody stands beside the version, so it is compared with its predecessor.

The predecessor's level is frozen when the rollout ends: an upper bound of what it reached beside
the canary, and the margin of the guardrail. An e-process bets that the version is above that; it
never sees a window that began before the promotion. Where inputs, their distribution or labels
have changed since, that is at fault and not the version.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from detectors.sequential.e_process import EProcess
from schemas.policy import Guardrail
from schemas.predictions import Arm
from schemas.rollouts import RolloutAction, RolloutEvent
from streams.control import Control
from streams.decide import merge
from streams.decide.clock import watermarks
from streams.decide.rollout.arms import cohort_at, first_pane
from streams.decide.rollout.blame import Facts, Finding, blame
from streams.decide.rollout.events import Look, event
from streams.decide.rollout.frozen import increments, level_of
from streams.decide.rollout.judge import policy_at
from streams.decide.rollout.plan import Rollout
from streams.decide.rollout.rails import needs_labels
from streams.decide.rollout.records import Aftercare, AfterRail
from streams.decide.rollout.watch import Seen, Watch, due, evidence, see, sums_in
from streams.decide.state import State, Watermarks
from streams.decide.subject import Subjects

TRACK = "after"
"""Part of the ids of what is said after a promotion."""


def advance(
    state: State,
    control: Control,
    subjects: Subjects,
    rollout: Rollout,
    now: Watermarks,
    cut: dict[str, int],
) -> list[RolloutEvent]:
    """Bring the watch over a promoted version up to the watermarks; what is to be said, in order.

    A rollback is advised at most once, to the predecessor. Of a rollout that was not promoted, or
    under a plan that does not watch, nothing is said.
    """
    policy = policy_at(control, rollout.model, rollout.start_ms)
    known, ended = state.aftercare.get(rollout.id) or Aftercare(), state.rollouts.get(rollout.id)
    if policy is None or rollout.promoted is None or policy.plan.watch_after is None:
        return []
    if known.over or ended is None or not ended.over:
        return []
    watch = Watch(
        state, control, subjects, rollout, rollout.promoted, policy, ended.frozen, now, cut
    )
    after, events = known, list[RolloutEvent]()
    for guardrail in watch.guardrails:
        after, said = _follow(watch, after, guardrail)
        events += said
    told = known.rollback_at_ms is not None
    after = msgspec.structs.replace(after, over=_is_over(watch, after))
    if after != known:
        state.aftercare.put(rollout.id, after)
    return _in_order(events, after.rollback_at_ms, told=told)


def stands(
    state: State,
    control: Control,
    subjects: Subjects,
    rollout: Rollout,
    advice: RolloutEvent,
    *,
    left: float,
) -> bool:
    """Whether the windows after the promotion still speak of harm, now that more is known.

    Parameters
    ----------
    left
        Part of the evidence that was needed, as a logarithm, with which an advice still stands.

    Returns
    -------
    True, too, where a window is forgotten: nothing can be said against it.
    """
    policy, ended = control.policy(advice.policy), state.rollouts.get(rollout.id)
    if policy is None or rollout.promoted is None or ended is None:
        return True
    rows, labels_ms = policy.dependence.rows_per_unit, watermarks(state).labels_ms
    start_ms = first_pane(rollout.promoted.start_ms, policy.pane_ms)
    for rail in advice.guardrails:
        if rail.log_e_harm < rail.threshold_harm or rail.metric not in ended.frozen:
            continue
        limit, time_ms = level_of(ended.frozen[rail.metric], rail.margin, rows), start_ms
        process = EProcess()
        while time_ms < advice.window_end_ms:
            cohort = cohort_at(control, subjects, rollout, time_ms, labels=False)
            if cohort is None:
                return True
            cohort = cohort._replace(from_ms=start_ms)
            key = cohort.canary._replace(arm=Arm.BASELINE)
            if labels_ms is not None and merge.expired(key, cohort.subject, labels_ms):
                return True
            sums = sums_in(state, cohort, key, rail.metric, late=True)
            if sums is not None and sums.n > 0:
                process.update(increments(sums, limit, rows))
            time_ms = cohort.end_ms
        if process.highest_log_e >= left * rail.threshold_harm:
            return True
    return False


def _follow(
    watch: Watch, known: Aftercare, guardrail: Guardrail
) -> tuple[Aftercare, list[RolloutEvent]]:
    """One guardrail, window by window, until it convicts the version or the watch ends."""
    metric, events = guardrail.metric, list[RolloutEvent]()
    limit = level_of(watch.frozen[metric], guardrail.margin, watch.rows)
    start_ms = first_pane(watch.promoted.start_ms, watch.policy.pane_ms)
    rail = known.rails.get(metric) or AfterRail(start_ms, EProcess().state())
    for cohort in due(watch, rail.next_ms, labels=needs_labels(guardrail)):
        if known.rollback_at_ms is not None and cohort.due_ms >= known.rollback_at_ms:
            break
        seen = see(watch, cohort, guardrail)
        rail = _bet(rail, seen, limit, watch.rows)
        known = msgspec.structs.replace(known, rails=known.rails | {metric: rail})
        if rail.harm[-1] < watch.threshold:
            continue
        finding = blame(_facts(watch, rail, guardrail, seen))
        if finding.blocked_by and not seen.inputs and not seen.labels:
            # Harm that shows only in broken windows says nothing once they are whole again.
            continue
        events.append(_said(watch, known, seen, finding, guardrail))
        if not finding.blocked_by:
            first = min(cohort.due_ms, known.rollback_at_ms or cohort.due_ms)
            known = msgspec.structs.replace(known, rollback_at_ms=first)
            break
    return known, events


def _bet(rail: AfterRail, seen: Seen, limit: float, rows_per_unit: int) -> AfterRail:
    """A guardrail after one more window; one without evidence only passes."""
    passed = msgspec.structs.replace(rail, next_ms=seen.cohort.end_ms)
    if seen.sums is None or seen.sums.n <= 0 or limit >= 1.0:
        return passed
    step = increments(seen.sums, limit, rows_per_unit)
    harm = EProcess.restore(rail.harm)
    harm.update(step)
    sound = rail.sound
    if seen.inputs or seen.labels:
        sound = rail.harm if sound is None else sound
    elif sound is not None:
        process = EProcess.restore(sound)
        process.update(step)
        sound = process.state()
    q = seen.sums.q
    return msgspec.structs.replace(
        passed,
        harm=harm.state(),
        sound=sound,
        n=rail.n + seen.sums.n,
        s=rail.s + seen.sums.s,
        q=rail.q if q is None else (rail.q or 0.0) + q,
    )


def _facts(watch: Watch, rail: AfterRail, guardrail: Guardrail, seen: Seen) -> Facts:
    name = (guardrail.metric,)
    sound = rail.harm if rail.sound is None else rail.sound
    return Facts(
        harmed=name,
        sound=name if sound[-1] >= watch.threshold else (),
        labelled=name if needs_labels(guardrail) else (),
        inputs=seen.inputs,
        labels=seen.labels,
    )


def _said(
    watch: Watch, known: Aftercare, seen: Seen, finding: Finding, guardrail: Guardrail
) -> RolloutEvent:
    """A rollback to the predecessor, or a hold that says what else is at fault."""
    cohort = seen.cohort
    look = Look(
        rollout=replace(watch.rollout, arm=Arm.BASELINE, generation=watch.promoted.generation),
        subject=cohort.subject,
        start_ms=cohort.start_ms,
        end_ms=cohort.end_ms,
        due_ms=cohort.due_ms,
        # What others have shown by now depends on how far their watermark has come.
        guardrails=[evidence(watch, guardrail, known.rails[guardrail.metric])],
        log_e_share=0.0,
        share_ok=True,
        cut=watch.cut,
    )
    reason = f"harm after promotion: {guardrail.metric}"
    reason += f"; {finding.reason}" if finding.reason else ""
    if not finding.blocked_by:
        action = RolloutAction.ROLLBACK_ADVISED
        return event(look, action, reason, blame=finding.blame, track=TRACK)
    return event(
        look,
        RolloutAction.HOLD,
        reason,
        blame=finding.blame,
        blocked_by=(finding.blocked_by,),
        track=f"{TRACK}/{guardrail.metric}",
    )


def _is_over(watch: Watch, after: Aftercare) -> bool:
    """Whether no window can say more; labels of the last one come late."""
    if after.rollback_at_ms is not None:
        marks = (watch.now.labels_ms, watch.now.predictions_ms)
        return all(mark is not None and mark >= after.rollback_at_ms for mark in marks)
    labels = any(needs_labels(guardrail) for guardrail in watch.guardrails)
    last = cohort_at(watch.control, watch.subjects, watch.rollout, watch.end_ms - 1, labels=labels)
    mark = watch.now.labels_ms if labels else watch.now.predictions_ms
    return last is not None and mark is not None and last.due_ms <= mark


def _in_order(
    events: list[RolloutEvent], rollback_at_ms: int | None, *, told: bool
) -> list[RolloutEvent]:
    """Events up to the first rollback, which is told once."""
    ordered = sorted(events, key=lambda said: said.decided_at_ms)
    said: list[RolloutEvent] = []
    for one in ordered:
        ends = one.action is RolloutAction.ROLLBACK_ADVISED
        if not ends and (rollback_at_ms is None or one.decided_at_ms < rollback_at_ms):
            said.append(one)
        elif ends and not told:
            return [*said, one]
    return said
