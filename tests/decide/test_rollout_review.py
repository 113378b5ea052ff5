"""The review at a rollout's end: one for each, with what was expected, happened and was decided."""

from __future__ import annotations

from schemas.commands import Executed, Outcome, Reject
from schemas.deployments import DeploymentAction
from schemas.predictions import Arm
from schemas.rollouts import RolloutAction
from schemas.summaries import Part
from streams.decide.rollout.review import LONGEST, note
from streams.decide.state import State

START, MINUTE = 10, 60_000
RAILS = [{"metric": "error_rate", "margin": 0.05}]
LONG = {"horizon": "1d", "maturity": "10m", "coverage": 0.8, "lateness": "1m"}


def launched(world, *, rails=RAILS, canary=None, **changes):
    """A world with v1 serving and v2 as canary from minute ten."""
    there = world(**{"labels": LONG, "canary": {"guardrails": rails, **(canary or {})}} | changes)
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(
        START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.25, generation=3
    )
    return there


def both(story, minutes, *, canary=80, baseline=80):
    """Both arms in every minute, with errors per thousand."""
    for minute in minutes:
        story.at(minute).push(n=750, errors=750 * baseline // 1_000)
        story.at(minute).push(n=250, errors=250 * canary // 1_000, version="v2", arm="canary")
    return story


def reviews(story):
    """Reviews that were said."""
    return [one for one in story.said.rollouts if one.action is RolloutAction.REVIEWED]


def test_an_undecided_rollout_is_reviewed_when_it_expires(world):
    """The plan, the evidence with its interval, the holds as one line, and no decision."""
    rails = [{"metric": "error_rate", "margin": 0.01}]
    there = launched(world, rails=rails, canary={"watch_for": "30m"})
    story = both(there.story(), range(START, 45), canary=90)
    story.clock(100)
    [said] = reviews(story)
    review = said.review
    assert review.outcome == "expired without a verdict"
    assert (review.started_at_ms, review.ended_at_ms) == (START * MINUTE, 40 * MINUTE)
    assert said.decided_at_ms == review.ended_at_ms
    assert review.expected == [
        "v2 as a canary with 25 % of the traffic",
        "error rate at most 1 % higher than that of v1",
        "a verdict by 1970-01-01 00:40 UTC",
    ]
    assert "error rate 8.8 % of" in review.happened[0]
    assert "(95 %, at any time)" in review.happened[0]
    assert review.happened[1].startswith("traffic split as planned (25 %; log e ")
    assert review.decisions == [
        "1970-01-01 00:22 UTC to 1970-01-01 00:40 UTC: hold, 19 windows (inconclusive: error rate)",
        "1970-01-01 00:40 UTC: expired (inconclusive)",
    ]
    assert review.decision_delay_ms == 30 * MINUTE
    assert review.execution_delay_ms is None
    assert said.summary.startswith("Review: m v2 beside v1")
    assert story.clock(200).rollouts == []


def test_a_rollback_is_reviewed_when_it_is_verified(world):
    """With the delay from the start to the advice, and from the request to its execution."""
    there = launched(world)
    story = there.story()
    for minute in range(START, 60):
        both(story, [minute], canary=240)
        story.clock(minute + 1)
    [request] = [
        one for one in story.said.rollouts if one.action is RolloutAction.ROLLBACK_REQUESTED
    ]
    assert reviews(story) == []
    done = Executed(
        kind="executed",
        id="e1",
        model="m",
        time=60 * MINUTE,
        by="executor",
        rollback_id=request.rollback_id,
        idempotency_key=request.idempotency_key,
        executor="http",
        outcome=Outcome.APPLIED,
        generation=4,
    )
    story.decide.command(done, 60 * MINUTE)
    there.deploy(60, "v2", DeploymentAction.CANARY_STOPPED)
    for minute in range(60, 130):
        story.at(minute).push(n=1_000, errors=80)
        story.clock(minute + 1)
    [said] = reviews(story)
    review = said.review
    assert review.outcome == "rolled back, and the metric came back"
    order = [one.split(": ")[1].split(" ")[0] for one in review.decisions]
    assert order[-4:] == [
        "rollback.approved",
        "rollback.requested",
        "rollback.applied",
        "rollback.verified",
    ]
    advised = next(
        one for one in story.said.rollouts if one.action is RolloutAction.ROLLBACK_ADVISED
    )
    assert review.decision_delay_ms == advised.decided_at_ms - START * MINUTE
    assert review.execution_delay_ms is not None
    assert review.execution_delay_ms >= 0


def test_a_rejected_rollback_ends_the_release(world):
    """A person decided against it."""
    there = launched(world, rollback={"risk": "high"})
    story = both(there.story(), range(START, 50), canary=240)
    story.clock(70)
    [advised] = [one for one in story.said.rollouts if one.action is RolloutAction.ROLLBACK_ADVISED]
    assert reviews(story) == []
    no = Reject(
        kind="reject",
        id="r1",
        model="m",
        time=71 * MINUTE,
        by="ann",
        rollback_id=advised.rollback_id,
    )
    story.decide.command(no, 71 * MINUTE)
    story.clock(72)
    [said] = reviews(story)
    assert said.review.outcome == "rollback rejected"


def test_a_step_and_a_promotion_are_reviewed_apart(world):
    """The first ends with the next share; the second when the watch after promotion is over."""
    plan = {"shares": [0.25, 0.5], "watch_after": "1h", "preconditions": ["no_open_page"]}
    there = launched(world, plan=plan)
    there.deploy(60, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.5)
    there.deploy(110, "v2", DeploymentAction.PROMOTED, generation=5)
    story = both(there.story(), range(START, 60))
    for minute in range(60, 110):
        story.at(minute).push(n=500, errors=40)
        story.at(minute).push(n=500, errors=40, version="v2", arm="canary")
    for minute in range(110, 200):
        story.at(minute).push(n=1_000, errors=80, version="v2")
    story.clock(215)
    first, second = (one.review for one in reviews(story))
    assert first.outcome == "went on as a canary with 50 % of the traffic"
    assert first.expected[0] == "v2 as a canary with 25 % of the traffic, then 50 %"
    assert first.expected[-1] == "before a step: no open page"
    assert "step.advised" in first.decisions[-1]
    assert second.outcome == "promoted, and as good as its predecessor"
    assert second.ended_at_ms == 170 * MINUTE
    assert second.happened[-1].startswith("after promotion: error rate 8 % of 60,000 against 8 %")


def test_a_version_rolled_back_after_promotion_is_reviewed_then(world):
    """Not at the promotion, but at the end of that rollback."""
    there = launched(world)
    there.deploy(60, "v2", DeploymentAction.PROMOTED, generation=5)
    story = both(there.story(), range(START, 60))
    for minute in range(60, 110):
        story.at(minute).push(n=1_000, errors=240, version="v2")
    story.clock(130)
    assert reviews(story) == []
    story.clock(300)
    [said] = reviews(story)
    assert said.review.outcome == "rollback expired"
    assert any("harm after promotion" in one for one in said.review.decisions)
    assert any(one.startswith("after promotion: ") for one in said.review.happened)


def test_what_people_end_is_said_so(world):
    """Stopped, or replaced by another version; without any window that was compared, too."""
    for action, version, outcome in (
        (DeploymentAction.CANARY_STOPPED, "v2", "stopped by people"),
        (DeploymentAction.DEPLOYED, "v3", "replaced by v3"),
        (DeploymentAction.ROLLED_BACK, "v1", "rolled back by people"),
    ):
        there = launched(world)
        there.deploy(30, version, action)
        story = there.story()
        story.at(5).push(n=100)
        story.clock(60)
        [said] = reviews(story)
        assert said.review.outcome == outcome
        assert said.review.ended_at_ms == 30 * MINUTE
        assert said.review.happened == ["no window could be compared"]


def test_advice_that_nobody_followed_ends_at_the_deadline(world):
    """Promotion was advised, and the canary went on as one."""
    story = both(launched(world, canary={"watch_for": "60m"}).story(), range(START, 60))
    story.clock(69)
    assert reviews(story) == []
    story.clock(80)
    [said] = reviews(story)
    assert said.review.outcome == "advised to go on, and nothing followed"


def test_windows_held_for_a_cause_are_counted(world):
    """The reference that the plan wants never came."""
    plan = {"preconditions": ["reference"]}
    there = launched(world, plan=plan, canary={"watch_for": "60m"})
    story = both(there.story(), range(START, 80))
    story.clock(100)
    [said] = reviews(story)
    assert any(one.endswith("windows held: reference") for one in said.review.happened)


def test_an_ab_plan_is_reviewed_as_one(world):
    """It was to be better."""
    there = launched(world, plan={"kind": "ab", "shares": [0.25]}, canary={"watch_for": "60m"})
    story = both(there.story(), range(START, 80))
    story.clock(100)
    [said] = reviews(story)
    assert said.review.expected[:2] == [
        "v2 as an A/B comparison with 25 % of the traffic",
        "error rate lower than that of v1",
    ]


def test_the_pace_and_restarts_change_no_review(world):
    """Window by window with a restart after each, or all at the end: the same reviews."""

    def told(step):
        there = launched(world, plan={"watch_after": "30m"})
        there.deploy(60, "v2", DeploymentAction.PROMOTED, generation=5)
        story = there.story()
        rows = {}
        for minute in range(START, 120):
            if minute < 60:
                both(story, [minute])
            else:
                story.at(minute).push(n=1_000, errors=80, version="v2")
            if step:
                story.clock(minute + 1)
                rows |= story.decide.changed()
                story.decide = story.world.decide()
                story.decide.load({key: row for key, row in rows.items() if row is not None})
        story.clock(140)
        return [(one.id, one.review) for one in reviews(story)]

    assert told(step=True) == told(step=False) != []


def test_notes_stay_small_however_long_a_rollout_holds(world):
    """Holds in a row are one; where reasons alternate for ever, they are too in the end."""
    story = both(launched(world, canary={"watch_for": "60m"}).story(), range(START, 40))
    story.clock(60)
    hold = next(one for one in story.said.rollouts if one.action is RolloutAction.HOLD)
    state = State()
    for number in range(5 * LONGEST):
        note(state, [hold.model_copy(update={"reason": f"reason {number % 2}"})])
    known = state.reviews.get(hold.rollout_id)
    assert len(known.told) == LONGEST
    assert sum(one.count for one in known.told) == 5 * LONGEST


def test_a_shadow_is_reviewed_at_its_verdict(world):
    """It has no traffic, and its guardrails are those of pairs."""
    there = world(canary={"guardrails": RAILS})
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(START, "v2", DeploymentAction.DEPLOYED, role="shadow")
    story = there.story()
    layout = there.whole.labels
    for minute in range(START, 40):
        story.at(minute).push(n=1_000, errors=40)
        story.at(minute).push(n=1_000, labelled=0, version="v2", arm="shadow")
        vector = layout.zeros()
        for name, count in (("n", 1_000), ("pair_n", 1_000), ("pair_10", 10), ("pair_01", 10)):
            vector[layout.slices[name]] = count
        delta = there.delta(minute, Part.LABEL, vector, version="v2", arm="shadow")
        story.decide.apply(there.batch([delta], **story.marks))
    story.clock(100)
    [said] = reviews(story)
    assert said.arm is Arm.SHADOW
    assert said.review.outcome == "shadow passed"
    assert said.review.expected[0] == "v2 answers in the shadow of v1"
