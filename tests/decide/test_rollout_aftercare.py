"""After full promotion: the version is held to what its predecessor had reached."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.bets import binary
from detectors.bets.grid import K, log_mean_exp
from detectors.quantities import Sums
from detectors.sequential.e_process import log_threshold
from schemas.commands import Executed, Outcome
from schemas.deployments import DeploymentAction
from schemas.predictions import Arm
from schemas.rollouts import Blame, RolloutAction
from streams.decide.rollout import aftercare
from streams.decide.rollout.frozen import increments, level_of
from streams.decide.rollout.plan import rollouts_of
from streams.decide.rollout.records import Frozen

START, PROMOTED = 10, 60
MINUTE = 60_000
VALUES = [i / 50 for i in range(50)]


def promoted(world, *, plan=None, metrics=("error_rate",), **changes):
    """A world in which v2 takes over from v1 after fifty minutes as its canary."""
    rails = [{"metric": metric, "margin": 0.01} for metric in metrics]
    settings = {"labels": {"horizon": "1d", "maturity": "10m", "coverage": 0.8, "lateness": "1m"}}
    there = world(
        profile=True, canary={"guardrails": rails}, plan=plan or {}, **{**settings, **changes}
    )
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.25)
    there.deploy(PROMOTED, "v2", DeploymentAction.PROMOTED, generation=9)
    return there


def beside(story, *, errors=0.08):
    """Both arms, equally good, until the promotion."""
    for minute in range(START, PROMOTED):
        story.at(minute).push(n=750, errors=int(750 * errors), values=VALUES)
        story.at(minute).push(
            n=250, errors=int(250 * errors), values=VALUES, version="v2", arm="canary"
        )
    return story


def alone(story, minutes, *, errors, missing=0.0, version="v2", n=1_000, **rows):
    """The version that took over."""
    for minute in minutes:
        story.at(minute).push(
            n=n,
            errors=int(n * errors),
            missing=int(n * missing),
            values=VALUES,
            version=version,
            **rows,
        )
    return story


def after(story, action=RolloutAction.ROLLBACK_ADVISED):
    """What was said after the promotion."""
    told = story.said.rollouts
    return [one for one in told if one.action is action and one.arm is Arm.BASELINE]


def test_a_version_worse_than_its_predecessor_is_rolled_back_to_it(world):
    """Once, with the level that was frozen, the deployment to change and what it brings."""
    story = beside(promoted(world).story())
    alone(story, range(PROMOTED, 80), errors=0.08)
    alone(story, range(80, 120), errors=0.16)
    story.clock(150)
    [said] = after(story)
    assert (said.canary, said.baseline, said.target_version) == ("v2", "v1", "v1")
    assert (said.generation, said.blame) == (9, Blame.VERSION)
    assert said.reason == "harm after promotion: error_rate"
    [rail] = said.guardrails
    [advice] = [one for one in story.said.rollouts if one.next_share == 1.0]
    assert rail.n_baseline == advice.guardrails[0].n_baseline
    assert rail.mean_baseline == pytest.approx(0.08)
    assert rail.log_e_harm >= rail.threshold_harm
    [benefit] = said.benefit
    assert 0.0 < benefit.low < benefit.value < benefit.high
    assert said.window_start_ms >= 80 * MINUTE
    assert "v2 after v1" in said.summary


def test_windows_before_the_promotion_never_count(world):
    """A canary that was far worse at last: what it did then is no matter of the aftercare."""
    there = promoted(world, metrics=("error_rate",))
    story = there.story()
    beside(story)
    alone(story, range(PROMOTED, 100), errors=0.08)
    story.clock(150)
    [known] = [one for _, one in story.decide._state.aftercare.items()]
    rail = known.rails["error_rate"]
    assert rail.n == 1_000 * 40
    assert after(story) == []


def test_a_version_as_good_as_its_predecessor_is_left_alone(world):
    """Nothing is said, and the watch ends in its time."""
    story = beside(promoted(world, plan={"watch_after": "1h"}).story())
    alone(story, range(PROMOTED, 120), errors=0.085)
    story.clock(140)
    assert after(story) == []
    [known] = [one for _, one in story.decide._state.aftercare.items()]
    assert known.over
    alone(story, range(140, 200), errors=0.3)
    story.clock(300)
    assert after(story) == []


def test_without_a_watch_nothing_is_compared(world):
    """The plan says so."""
    story = beside(promoted(world, plan={"watch_after": None}).story())
    alone(story, range(PROMOTED, 120), errors=0.3)
    story.clock(150)
    assert after(story) == []


def test_broken_inputs_are_not_the_versions_fault(world):
    """A feature stopped coming: hold, and say whom to call."""
    story = beside(promoted(world).story())
    alone(story, range(PROMOTED, 70), errors=0.08)
    alone(story, range(70, 120), errors=0.3, missing=0.5)
    story.clock(150)
    assert after(story) == []
    holds = after(story, RolloutAction.HOLD)
    assert {one.blame for one in holds} == {Blame.INPUTS}
    assert "page the data owner" in holds[0].reason


def test_inputs_that_drifted_are_not_the_versions_fault(world):
    """The same rows as ever, but all in one place of the feature's range."""
    story = beside(promoted(world).story())
    moved = [0.95] * 900
    for minute in range(PROMOTED, 120):
        story.at(minute).push(n=1_000, errors=250, values=moved, version="v2")
    story.clock(150)
    assert after(story) == []
    assert {one.blame for one in after(story, RolloutAction.HOLD)} == {Blame.INPUTS}


def test_labels_that_stop_coming_hold(world):
    """The share of labels falls below its floor: what they say is not to be trusted."""
    story = beside(promoted(world, floors={"label_rate": 0.97}).story())
    alone(story, range(PROMOTED, 120), errors=0.14, labelled=850)
    story.clock(150)
    assert after(story) == []
    assert {one.blame for one in after(story, RolloutAction.HOLD)} == {Blame.LABELS}


def test_failing_requests_need_no_labels(world):
    """Service errors are judged when a window closes, and however the labels are."""
    metrics = ("error_rate", "service_errors")
    story = beside(promoted(world, metrics=metrics).story())
    alone(story, range(PROMOTED, 90), errors=0.0, labelled=0, failed=100)
    story.clock(95, labels=61)
    [said] = after(story)
    assert said.reason == "harm after promotion: service_errors"
    story.clock(150)
    assert len(after(story)) == 1


def test_the_watch_ends_when_another_version_takes_over(world):
    """It is no matter of the first one any more."""
    there = promoted(world)
    there.deploy(70, "v3", DeploymentAction.DEPLOYED)
    story = beside(there.story())
    alone(story, range(PROMOTED, 70), errors=0.08)
    alone(story, range(70, 120), errors=0.3)
    story.clock(150)
    assert after(story) == []


def test_a_promotion_is_what_ends_a_canary_by_taking_over(world):
    """Deployed as the baseline, too; stopped or replaced by another, not."""

    def came_of(action, version):
        there = world()
        there.deploy(0, "v1", DeploymentAction.DEPLOYED)
        there.deploy(10, "v2", DeploymentAction.CANARY_STARTED, role="canary")
        there.deploy(20, version, action, generation=3)
        there.deploy(30, "v2", DeploymentAction.DEPLOYED)
        there.deploy(40, "v1", DeploymentAction.ROLLED_BACK)
        return rollouts_of(there.control.deployments("m"))[0].promoted

    for action in (DeploymentAction.PROMOTED, DeploymentAction.DEPLOYED):
        found = came_of(action, "v2")
        assert (found.start_ms, found.stop_ms) == (20 * MINUTE, 40 * MINUTE)
        assert found.generation == 3
        assert came_of(action, "v3") is None
    assert came_of(DeploymentAction.CANARY_STOPPED, "v2") is None


def test_a_rollback_after_promotion_is_verified_on_the_predecessor(world):
    """The whole way: requested by the policy, applied, and the metric came back."""
    there = promoted(world, rollback={"verify_within": "1d"})
    story = beside(there.story())
    for minute in range(PROMOTED, 120):
        alone(story, [minute], errors=0.08 if minute < 80 else 0.2)
        story.clock(minute + 1)
    [request] = after(story, RolloutAction.ROLLBACK_REQUESTED)
    assert (request.target_version, request.generation) == ("v1", 9)
    applied = Executed(
        kind="executed",
        id="e1",
        model="m",
        time=120 * MINUTE,
        by="executor",
        rollback_id=request.rollback_id,
        idempotency_key=request.idempotency_key,
        executor="mlflow",
        outcome=Outcome.APPLIED,
        generation=10,
    )
    story.decide.command(applied, 120 * MINUTE)
    there.deploy(120, "v1", DeploymentAction.ROLLED_BACK, generation=10)
    for minute in range(121, 200):
        alone(story, [minute], errors=0.08, version="v1")
        story.clock(minute + 1)
    assert len(after(story, RolloutAction.ROLLBACK_APPLIED)) == 1
    assert len(after(story, RolloutAction.ROLLBACK_VERIFIED)) == 1
    assert len(after(story)) == 1


def test_late_labels_that_clear_the_version_withdraw_the_rollback(world):
    """Most of the errors were corrected: what is left is no evidence."""
    story = beside(promoted(world, rollback={"risk": "high", "approve_within": "1d"}).story())
    alone(story, range(PROMOTED, 80), errors=0.25)
    story.clock(105)
    [said] = after(story)
    for minute in range(PROMOTED, 80):
        story.at(minute).push(n=0, version="v2")
        corrections = story.world.deltas(minute, n=2_000, errors=0, version="v2", late=True)
        story.decide.apply(story.world.batch(corrections[1:], **story.marks))
    story.clock(110)
    [gone] = after(story, RolloutAction.ROLLBACK_WITHDRAWN)
    assert gone.rollback_id == said.rollback_id


def test_the_pace_and_restarts_change_nothing(world):
    """Window by window with a restart after each, or all at the end: the same advice."""

    def run(step):
        story = beside(promoted(world, metrics=("error_rate", "service_errors")).story())
        rows = {}
        for minute in range(PROMOTED, 120):
            alone(story, [minute], errors=0.08 if minute < 80 else 0.15)
            if step:
                story.clock(minute + 1)
                rows |= story.decide.changed()
                story.decide = story.world.decide()
                story.decide.load({key: row for key, row in rows.items() if row is not None})
        story.clock(150)
        return [(s.id, s.decided_at_ms, s.blame, s.guardrails) for s in after(story)]

    assert run(step=True) == run(step=False) != []


def alarms(rng, *, n_frozen, level, rate, runs=1_000, windows=60, n=200, alpha=0.05):
    """Share of runs that ever alarm, looked at after every window."""
    limits = [level(Frozen(n_frozen, float(s))) for s in rng.binomial(n_frozen, rate[0], runs)]
    bad = rng.binomial(n, rate[1], (windows, runs))
    wealth, highest = np.zeros((runs, K)), np.zeros(runs)
    for seen in bad:
        wealth += binary.increments(n=n, s=seen, m=np.minimum(limits, 0.99))
        highest = np.maximum(highest, log_mean_exp(wealth))
    return float((highest >= log_threshold(alpha)).mean())


def test_the_simulated_bet_is_the_one_that_is_made():
    """One window, one bet."""
    made = increments(Sums(200, 30.0), 0.06)
    assert np.array_equal(made, binary.increments(n=200, s=30.0, m=0.06))


@pytest.mark.parametrize("n_frozen", [3_000, 3_000_000])
def test_a_version_at_its_margin_is_rarely_rolled_back(n_frozen):
    """1,000 runs of 60 looks at the very boundary: at most the level, and that of the bound."""
    rng = np.random.default_rng(7)
    share = alarms(
        rng, n_frozen=n_frozen, level=lambda frozen: level_of(frozen, 0.01), rate=(0.05, 0.06)
    )
    assert share <= 0.06 + 3 * (0.06 * 0.94 / 1_000) ** 0.5


def test_a_level_frozen_without_its_uncertainty_would_alarm_far_too_often():
    """Negative control: the mean of a small rollout is no level to hold anybody to."""
    rng = np.random.default_rng(7)
    share = alarms(
        rng, n_frozen=300, level=lambda frozen: frozen.s / frozen.n + 0.01, rate=(0.05, 0.06)
    )
    assert share > 0.2


def test_a_version_beyond_its_margin_is_found():
    """Twice the predecessor's errors, in nearly every run."""
    rng = np.random.default_rng(7)
    share = alarms(
        rng,
        n_frozen=3_000,
        level=lambda frozen: level_of(frozen, 0.01),
        rate=(0.05, 0.10),
        runs=200,
    )
    assert share > 0.95


def test_rows_of_one_user_weaken_the_level_and_the_evidence():
    """Ten rows of a user are one: the bound is wider, and a window says a tenth."""
    frozen = Frozen(3_000, 150.0)
    assert level_of(frozen, 0.01, 10) > level_of(frozen, 0.01)
    once, tenth = (increments(Sums(200, 30.0), 0.06, rows) for rows in (1, 10))
    assert np.allclose(tenth * 10, once)


def test_aftercare_of_an_unknown_rollout_says_nothing(world):
    """Nothing is known of it yet."""
    there = promoted(world)
    story = there.story()
    [rollout] = rollouts_of(there.control.deployments("m"))
    now = story.decide._state.clock.get("all")
    state = story.decide._state
    assert aftercare.advance(state, there.control, story.decide._subjects, rollout, now, {}) == []
