"""Staged and A/B plans: what is advised next, and what must hold before it is."""

from __future__ import annotations

import pytest

from schemas.deployments import DeploymentAction
from schemas.policy import Plan
from schemas.rollouts import Blame, RolloutAction
from schemas.summaries import Part

START = 10
RAILS = [{"metric": "error_rate", "margin": 0.05}]
LEADS = {
    RolloutAction.STEP_ADVISED,
    RolloutAction.PROMOTION_ADVISED,
    RolloutAction.CANARY_ADVISED,
}


def launched(world, *, plan, share=0.25, rails=RAILS, profile=False, **changes):
    """A world with v1 serving and v2 as canary from minute ten, under a plan."""
    there = world(profile=profile, canary={"guardrails": rails}, plan=plan, **changes)
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=share)
    return there


def both(story, minutes, *, canary=80, baseline=80, share=0.25, n=1_000, **rows):
    """Both arms in every minute, with errors per thousand."""
    n_canary = int(n * share)
    for minute in minutes:
        story.at(minute).push(n=n - n_canary, errors=(n - n_canary) * baseline // 1_000, **rows)
        story.at(minute).push(
            n=n_canary, errors=n_canary * canary // 1_000, version="v2", arm="canary", **rows
        )
    return story


def advised(story):
    """What was advised, and the share that goes with it."""
    return [(one.action, one.next_share) for one in story.said.rollouts if one.action in LEADS]


def blocked(story):
    """What blocked an advice, window by window."""
    return [tuple(one.blocked_by) for one in story.said.rollouts if one.blocked_by]


def test_a_plan_goes_from_share_to_share_and_then_to_all(world):
    """Each deployment of a share is compared anew; the last one leads to promotion."""
    there = world(canary={"guardrails": RAILS}, plan={"shares": [0.25, 0.5]})
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.25)
    there.deploy(70, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.5, generation=1)
    story = there.story()
    both(story, range(START, 70))
    both(story, range(70, 130), share=0.5)
    story.clock(200)
    assert advised(story) == [
        (RolloutAction.STEP_ADVISED, 0.5),
        (RolloutAction.PROMOTION_ADVISED, 1.0),
    ]
    step = next(one for one in story.said.rollouts if one.action is RolloutAction.STEP_ADVISED)
    assert step.summary.startswith("The next step is advised: m v2 beside v1")
    assert step.blame is Blame.UNKNOWN


def test_steps_of_a_plan_share_the_level_of_a_rollback(world):
    """Of three steps, each may roll back a third as often by mistake."""
    alone = both(launched(world, plan={}).story(), range(START, 30))
    staged = both(launched(world, plan={"shares": [0.1, 0.25, 0.5]}).story(), range(START, 30))
    alone.clock(60), staged.clock(60)
    first, second = (story.said.rollouts[0].guardrails[0] for story in (alone, staged))
    assert second.threshold_harm == pytest.approx(first.threshold_harm + 1.0986, abs=1e-4)
    assert second.threshold_benefit == first.threshold_benefit


def test_an_ab_plan_promotes_only_what_is_better(world):
    """Equal arms hold to the deadline and expire; a better one is promoted."""
    equal = launched(world, plan={"kind": "ab"}).story()
    both(equal, range(START, 100), canary=100, baseline=100)
    better = launched(world, plan={"kind": "ab"}).story()
    both(better, range(START, 100), canary=40, baseline=100)
    equal.clock(150), better.clock(150)
    assert advised(equal) == []
    assert advised(better) == [(RolloutAction.PROMOTION_ADVISED, 1.0)]
    assert better.said.rollouts[-1].reason == "better: error_rate"


def test_an_ab_plan_wants_to_be_better_in_every_guardrail(world):
    """Fewer errors and as many service errors: not promoted."""
    rails = [*RAILS, {"metric": "service_errors", "margin": 0.05}]
    story = launched(world, plan={"kind": "ab"}, rails=rails).story()
    both(story, range(START, 100), canary=40, baseline=100)
    story.clock(150)
    assert advised(story) == []
    assert "service_errors" in story.said.rollouts[-1].reason


def test_an_ab_plan_keeps_its_margin_on_the_side_of_harm(world):
    """Worse by less than the margin is no reason to roll back."""
    story = launched(world, plan={"kind": "ab"}).story()
    both(story, range(START, 60), canary=110, baseline=80)
    story.clock(100)
    assert {one.action for one in story.said.rollouts} == {RolloutAction.HOLD}


def test_an_open_page_of_the_baseline_blocks_a_step_until_it_is_over(world):
    """The canary is good enough throughout; the page is about what serves."""
    plan = {"shares": [0.25, 0.5], "preconditions": ["no_open_page"]}
    story = launched(world, plan=plan, budgets={"service_errors": 0.02}).story()
    both(story, range(START, 45), failed=60)
    both(story, range(45, 120))
    story.clock(200)
    waits = blocked(story)
    assert set(waits) == {("no_open_page",)}
    assert len(waits) > 3
    assert advised(story) == [(RolloutAction.STEP_ADVISED, 0.5)]
    hold = next(one for one in story.said.rollouts if one.blocked_by)
    assert hold.action is RolloutAction.HOLD
    assert hold.reason == "preconditions: no_open_page"


def test_a_plan_without_its_reference_waits_for_one(world):
    """There is none: held at every window, to the deadline."""
    plan = {"preconditions": ["reference"]}
    story = both(launched(world, plan=plan).story(), range(START, 60))
    story.clock(100)
    assert advised(story) == []
    assert set(blocked(story)) == {("reference",)}
    known = both(launched(world, plan=plan, profile=True).story(), range(START, 60))
    known.clock(100)
    assert advised(known) == [(RolloutAction.PROMOTION_ADVISED, 1.0)]


def test_a_step_waits_for_labels_to_arrive(world):
    """Failing requests need no labels, but the plan wants some to be there."""
    rails = [{"metric": "service_errors", "margin": 0.05}]
    plan = {"preconditions": ["labels_arrive"]}
    without = launched(world, plan=plan, rails=rails).story()
    both(without, range(START, 60), labelled=0, canary=0, baseline=0)
    without.clock(100)
    assert advised(without) == []
    assert set(blocked(without)) == {("labels_arrive",)}
    there = both(launched(world, plan=plan, rails=rails).story(), range(START, 60))
    there.clock(100)
    assert advised(there) == [(RolloutAction.PROMOTION_ADVISED, 1.0)]


def shadowed(world, *, shadow_only):
    """A shadow for thirty minutes, then a canary."""
    there = world(canary={"guardrails": RAILS}, plan={"shadow": True, "shares": [0.25]})
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(START, "v2", DeploymentAction.DEPLOYED, role="shadow")
    there.deploy(60, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.25)
    story = there.story()
    layout = there.whole.labels
    for minute in range(START, 45):
        story.at(minute).push(n=1_000, errors=40)
        story.at(minute).push(n=1_000, labelled=0, version="v2", arm="shadow")
        vector = layout.zeros()
        for name, count in (
            ("n", 1_000),
            ("pair_n", 1_000),
            ("pair_10", shadow_only),
            ("pair_01", 10),
            ("pair_both", 30),
        ):
            vector[layout.slices[name]] = count
        delta = there.delta(minute, Part.LABEL, vector, version="v2", arm="shadow")
        story.decide.apply(there.batch([delta], **story.marks))
    both(story, range(60, 120))
    story.clock(200)
    return story


def test_a_shadow_that_passed_leads_to_the_first_share_and_on(world):
    """The plan's shadow, then its canary, then all."""
    assert advised(shadowed(world, shadow_only=10)) == [
        (RolloutAction.CANARY_ADVISED, 0.25),
        (RolloutAction.PROMOTION_ADVISED, 1.0),
    ]


def test_a_canary_whose_shadow_was_to_stop_goes_no_further(world):
    """The plan wants the shadow passed, so the canary is held though it looks as good."""
    story = shadowed(world, shadow_only=120)
    assert advised(story) == []
    assert set(blocked(story)) == {("shadow_passed",)}


def test_the_pace_of_the_watermarks_changes_no_step(world):
    """Preconditions are asked as of the window, not of what is known when it is looked at."""
    plan = {"shares": [0.25, 0.5], "preconditions": ["no_open_page", "labels_arrive"]}
    rails = [{"metric": "service_errors", "margin": 0.05}]

    def told(pace):
        budgets = {"error_rate": 0.1}
        story = launched(world, plan=plan, rails=rails, budgets=budgets).story()
        for minute in range(START, 120):
            bad = 300 if minute < 30 else 60
            both(story, [minute], canary=bad, baseline=bad)
            if pace == "steady":
                story.clock(minute + 1, labels=minute + 1)
            elif pace == "labels last":
                story.clock(minute + 1, labels=0)
        story.clock(200)
        return [(s.id, s.action, s.decided_at_ms, s.blocked_by) for s in story.said.rollouts]

    assert told("steady") == told("labels last") == told("at the end")


def test_shares_that_fall_are_refused():
    """A plan goes up."""
    with pytest.raises(ValueError, match="do not rise"):
        Plan(shares=[0.5, 0.25])
