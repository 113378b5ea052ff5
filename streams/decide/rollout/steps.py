"""Staged plans: what is advised of a version that is not worse, and what must hold before it is.

Each step of a plan is a rollout of its own, with evidence of its own: a deployment event with the
next share of the traffic begins it. The steps share the level at which a version is rolled back,
so the chance to roll back one that is within its margins holds for the plan as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schemas.alerts import Severity
from schemas.policy import Plan
from schemas.predictions import Arm
from schemas.rollout_plan import Precondition
from schemas.rollouts import RolloutAction
from streams.control import Control
from streams.decide.rollout import trouble
from streams.decide.rollout.arms import Cohort, cohort_at, enough_labels
from streams.decide.rollout.plan import Rollout, rollouts_of
from streams.decide.state import State
from streams.decide.subject import Subjects


@dataclass(frozen=True, slots=True)
class Step:
    """What is advised next, and the share of the traffic that it means."""

    action: RolloutAction
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rollout stands: what is known, and the window at whose end a step is thought of."""

    state: State
    control: Control
    subjects: Subjects
    rollout: Rollout
    cohort: Cohort


def next_step(plan: Plan, arm: Arm, share: float | None) -> Step:
    """What to advise of a version that is not worse.

    Parameters
    ----------
    share
        Planned share of the traffic now; where it was not told, the plan begins.

    Examples
    --------
    >>> plan = Plan(shares=[0.05, 0.25])
    >>> next_step(plan, Arm.SHADOW, None)
    Step(action=<RolloutAction.CANARY_ADVISED: 'canary.advised'>, share=0.05)
    >>> next_step(plan, Arm.CANARY, 0.05)
    Step(action=<RolloutAction.STEP_ADVISED: 'step.advised'>, share=0.25)
    >>> next_step(plan, Arm.CANARY, 0.25)
    Step(action=<RolloutAction.PROMOTION_ADVISED: 'promotion.advised'>, share=1.0)
    """
    if arm is Arm.SHADOW:
        return Step(RolloutAction.CANARY_ADVISED, plan.shares[0] if plan.shares else None)
    after = [one for one in plan.shares if share is None or one > share]
    if after:
        return Step(RolloutAction.STEP_ADVISED, after[0])
    return Step(RolloutAction.PROMOTION_ADVISED, 1.0)


def stages(plan: Plan) -> int:
    """Rollouts in which a version is compared on its way to all of the traffic.

    Examples
    --------
    >>> stages(Plan()), stages(Plan(shares=[0.01, 0.05, 0.25]))
    (1, 3)
    """
    return max(len(plan.shares), 1)


def preconditions(plan: Plan, arm: Arm) -> tuple[Precondition, ...]:
    """What must hold before a rollout's next step; a plan with a shadow wants it passed.

    Examples
    --------
    >>> preconditions(Plan(shadow=True), Arm.CANARY), preconditions(Plan(shadow=True), Arm.SHADOW)
    ((<Precondition.SHADOW_PASSED: 'shadow_passed'>,), ())
    """
    wanted = {*plan.preconditions}
    if plan.shadow:
        wanted.add(Precondition.SHADOW_PASSED)
    if arm is Arm.SHADOW:
        wanted.discard(Precondition.SHADOW_PASSED)
    return tuple(one for one in Precondition if one in wanted)


def unmet(place: Place, plan: Plan) -> tuple[str, ...]:
    """Names of the preconditions that do not hold when a window is looked at."""
    wanted = preconditions(plan, place.rollout.arm)
    return tuple(one.value for one in wanted if not _HOLDS[one](place))


def _no_open_page(place: Place) -> bool:
    open_ = trouble.standing(
        place.state, place.rollout.model, place.rollout.baseline, place.cohort.due_ms
    )
    return all(one.severity != Severity.PAGE for one in open_)


def _shadow_passed(place: Place) -> bool:
    """Whether the version, as a shadow of any baseline, was advised to go on by then."""
    shadows = [
        rollout
        for rollout in rollouts_of(place.control.deployments(place.rollout.model))
        if rollout.arm is Arm.SHADOW and rollout.canary == place.rollout.canary
    ]
    known = [place.state.rollouts.get(shadow.id) for shadow in shadows]
    return any(
        one is not None
        and one.promoted_at_ms is not None
        and one.promoted_at_ms <= place.cohort.due_ms
        for one in known
    )


def _reference(place: Place) -> bool:
    return place.cohort.subject.reference is not None


def _labels_arrive(place: Place) -> bool:
    """Whether the newest window of the baseline with mature labels has enough of them."""
    latest_ms = place.cohort.due_ms - place.cohort.subject.label_delay_ms - 1
    mature = cohort_at(place.control, place.subjects, place.rollout, latest_ms, labels=True)
    if mature is not None and mature.due_ms > place.cohort.due_ms:
        earlier_ms = mature.start_ms - 1
        mature = cohort_at(place.control, place.subjects, place.rollout, earlier_ms, labels=True)
    return mature is not None and enough_labels(
        place.state, mature._replace(from_ms=mature.start_ms), mature.baseline
    )


_HOLDS: dict[Precondition, Callable[[Place], bool]] = {
    Precondition.NO_OPEN_PAGE: _no_open_page,
    Precondition.SHADOW_PASSED: _shadow_passed,
    Precondition.REFERENCE: _reference,
    Precondition.LABELS_ARRIVE: _labels_arrive,
}
