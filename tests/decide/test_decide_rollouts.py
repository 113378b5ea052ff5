"""Rollouts: promote, hold, roll back, expire; once each, and for a reason."""

from __future__ import annotations

from collections import Counter

import numpy as np

from schemas.deployments import DeploymentAction
from schemas.policy import Activation
from schemas.rollouts import RolloutAction

START = 10
MINUTE = 60_000
SHARE = 0.25
ASKED = [
    RolloutAction.ROLLBACK_ADVISED,
    RolloutAction.ROLLBACK_APPROVED,
    RolloutAction.ROLLBACK_REQUESTED,
]
"""What is said of a rollback that nobody has to approve."""


def launched(world, **changes):
    """A world with v1 serving and v2 as canary from minute ten."""
    there = world(**changes)
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(
        START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=SHARE, generation=7
    )
    return there


def both(story, minutes, *, canary, baseline, n=1_000, **rows):
    """Both arms in every minute, with errors per thousand."""
    n_canary = int(n * SHARE)
    for minute in minutes:
        story.at(minute).push(n=n - n_canary, errors=(n - n_canary) * baseline // 1_000, **rows)
        story.at(minute).push(
            n=n_canary, errors=n_canary * canary // 1_000, version="v2", arm="canary", **rows
        )
    return story


def judged(story):
    """All that was said, but for the review at the end."""
    return [one for one in story.said.rollouts if one.action is not RolloutAction.REVIEWED]


def actions(story):
    """How often each action was said."""
    return Counter(said.action for said in judged(story))


def canary(**changes):
    """The canary section of a policy."""
    return {"guardrails": [{"metric": "error_rate", "margin": 0.01}], **changes}


def test_a_worse_canary_is_rolled_back_once_on_evidence(world):
    """Half as many errors again: holds, then one request that carries all an executor needs."""
    story = launched(world, canary=canary()).story()
    both(story, range(START, 60), canary=120, baseline=80)
    story.clock(100)
    assert actions(story)[RolloutAction.ROLLBACK_REQUESTED] == 1
    last = judged(story)[-1]
    assert last.action is RolloutAction.ROLLBACK_REQUESTED
    assert set(actions(story)) == {RolloutAction.HOLD, *ASKED}
    assert (last.canary, last.baseline, last.target_version) == ("v2", "v1", "v1")
    assert (last.generation, last.policy) == (7, story.world.policy.hash)
    assert {said.idempotency_key for said in judged(story)[-3:]} == {last.idempotency_key}
    assert last.decided_at_ms == last.window_end_ms + 11 * 60_000
    assert last.expires_at_ms == 100 * MINUTE + 3_600_000
    assert last.assumption == "assumes independent requests"
    [rail] = last.guardrails
    assert rail.log_e_harm >= rail.threshold_harm
    assert rail.low <= rail.difference <= rail.high
    assert rail.mean_canary == 0.12
    assert last.reason == "harm: error_rate"
    ends = [RolloutAction.ROLLBACK_EXPIRED, RolloutAction.REVIEWED]
    assert [said.action for said in story.clock(200).rollouts] == ends


def test_advice_instead_of_a_request_where_the_policy_says_so(world):
    """A model of high risk: a person decides; the rollback and its key are the same."""
    asked = both(launched(world, canary=canary()).story(), range(10, 60), canary=160, baseline=80)
    told = launched(world, canary=canary(), rollback={"risk": "high"}).story()
    both(told, range(10, 60), canary=160, baseline=80)
    asked.clock(100), told.clock(100)
    assert judged(told)[-1].action is RolloutAction.ROLLBACK_ADVISED
    assert judged(told)[-1].rollback_id == judged(asked)[-1].rollback_id
    assert judged(told)[-1].idempotency_key == judged(asked)[-1].idempotency_key


def test_a_canary_as_good_is_promoted_and_the_rollout_is_over(world):
    """Enough evidence that it is not worse than the margin."""
    story = launched(world, canary=canary(guardrails=[{"metric": "error_rate", "margin": 0.05}]))
    story = both(story.story(), range(START, 60), canary=80, baseline=80)
    story.clock(100)
    assert actions(story)[RolloutAction.PROMOTION_ADVISED] == 1
    assert judged(story)[-1].action is RolloutAction.PROMOTION_ADVISED
    assert judged(story)[-1].expires_at_ms is None


def test_a_split_other_than_planned_blocks_promotion_but_not_rollback(world):
    """A tenth of the traffic where a quarter was planned."""
    margin = {"guardrails": [{"metric": "error_rate", "margin": 0.05}]}
    for errors, expected in ((8, RolloutAction.HOLD), (40, RolloutAction.ROLLBACK_REQUESTED)):
        story = launched(world, canary=canary(**margin)).story()
        for minute in range(START, 60):
            story.at(minute).push(n=900, errors=72)
            story.at(minute).push(n=100, errors=errors, version="v2", arm="canary")
        story.clock(100)
        assert judged(story)[-1].action is expected
        assert not judged(story)[-1].share_ok
        assert RolloutAction.PROMOTION_ADVISED not in actions(story)
    planned = launched(world, canary=canary(**margin)).story()
    both(planned, range(START, 60), canary=80, baseline=80)
    planned.clock(100)
    assert judged(planned)[-1].share_ok
    assert judged(planned)[-1].action is RolloutAction.PROMOTION_ADVISED


def test_no_decision_on_immature_or_uncovered_labels(world):
    """The canary is bad, but half of the labels are missing: hold, and say so every window."""
    story = launched(world, canary=canary()).story()
    for minute in range(START, 40):
        story.at(minute).push(n=750, errors=30, labelled=300)
        story.at(minute).push(n=250, errors=90, labelled=100, version="v2", arm="canary")
    story.clock(100, labels=20.9)
    assert judged(story) == []
    story.clock(100)
    assert set(actions(story)) == {RolloutAction.HOLD}
    assert judged(story)[-1].guardrails == []
    assert actions(story)[RolloutAction.HOLD] == 30


def test_arms_that_are_covered_unequally_are_not_compared(world):
    """Labels of the canary come slower: what has come is no fair sample of it."""
    story = launched(world, canary=canary()).story()
    for minute in range(START, 40):
        story.at(minute).push(n=750, errors=30)
        story.at(minute).push(n=250, errors=90, labelled=205, version="v2", arm="canary")
    story.clock(100)
    assert set(actions(story)) == {RolloutAction.HOLD}


def test_failing_requests_roll_back_without_waiting_for_labels(world):
    """The early track needs no label, and the label track then adds nothing."""
    rails = [{"metric": "error_rate", "margin": 0.01}, {"metric": "service_errors", "margin": 0.01}]
    story = launched(world, canary=canary(guardrails=rails)).story()
    for minute in range(START, 40):
        story.at(minute).push(n=750, failed=5, errors=30)
        story.at(minute).push(n=250, failed=60, errors=10, version="v2", arm="canary")
    *_, said = told = story.clock(40, labels=0).rollouts
    assert [one.action for one in told] == ASKED
    assert [rail.metric for rail in said.guardrails] == ["service_errors"]
    assert story.clock(99).rollouts == []


def test_an_undecided_rollout_expires_and_is_no_verdict(world):
    """At the deadline: inconclusive, once."""
    story = launched(world, canary=canary(watch_for="30m")).story()
    both(story, range(START, 60), canary=90, baseline=80)
    story.clock(100)
    last = judged(story)[-1]
    assert (last.action, last.reason) == (RolloutAction.EXPIRED, "inconclusive")
    assert last.decided_at_ms == (START + 30) * 60_000
    assert set(actions(story)) == {RolloutAction.HOLD, RolloutAction.EXPIRED}
    assert actions(story)[RolloutAction.EXPIRED] == 1
    assert story.clock(200).rollouts == []


def test_a_rollout_ends_after_a_restart_though_its_windows_are_forgotten(world):
    """A model that fell silent before the deadline is told of all the same."""
    story = launched(world, canary=canary(watch_for="10h")).story()
    both(story, range(START, START + 5), canary=90, baseline=80)
    story.clock(300)
    assert len(story.decide._state.windows) == 0
    rows = {k: v for k, v in story.decide.changed().items() if v is not None}
    resumed = story.world.decide()
    resumed.load(rows)
    resumed.apply(story.world.batch(predictions=START + 700, labels=START + 700))
    said, _ = resumed.advance().rollouts
    straight, _ = story.clock(START + 700).rollouts
    assert said.action is RolloutAction.EXPIRED
    assert said.model_copy(update={"cut": straight.cut}) == straight


def test_a_reference_that_never_came_holds_no_rollout_up(world):
    """An activation by hand may name one: the rollout is inconclusive at its deadline."""
    there = launched(world, canary=canary(watch_for="30m"))
    start = Activation(
        model="m", policy=there.policy.hash, reference="0" * 64, effective_at_ms=9 * MINUTE
    )
    there.control.apply("policies", start.model_dump_json().encode())
    story = there.story()
    story.at(5).push(n=100)
    story.clock(100)
    assert [one.action for one in judged(story)] == [RolloutAction.EXPIRED]


def test_a_canary_that_was_stopped_is_judged_no_more(world):
    """Nothing is said of it after the stop, not even that it expired."""
    there = launched(world, canary=canary(watch_for="40m"))
    there.deploy(30, "v2", DeploymentAction.CANARY_STOPPED)
    story = both(there.story(), range(START, 30), canary=80, baseline=80)
    story.clock(100)
    assert set(actions(story)) == {RolloutAction.HOLD}
    assert max(said.decided_at_ms for said in judged(story)) < 30 * 60_000


def test_panes_before_the_start_do_not_count(world):
    """A canary started in the middle of a window is judged from its first whole pane on."""
    there = world(window="5m", canary=canary())
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(11.5, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=SHARE)
    story = there.story()
    both(story, range(10, 20), canary=80, baseline=80)
    story.clock(100)
    assert [said.guardrails[0].n_canary for said in judged(story)] == [750, 2_000]


def test_a_deployment_told_late_gives_the_same_events(world):
    """The windows are still there, and are judged as if it had been known at once."""
    early = launched(world, canary=canary()).story()
    late = world(canary=canary()).story()
    for story in (early, late):
        both(story, range(START, 30), canary=160, baseline=80)
        story.clock(45)
    late.world.deploy(0, "v1", DeploymentAction.DEPLOYED)
    late.world.deploy(
        START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=SHARE, generation=7
    )
    late.clock(45)
    assert judged(late) == [
        said.model_copy(update={"cut": again.cut})
        for said, again in zip(judged(early), judged(late), strict=True)
    ]


def test_a_canary_within_its_margin_is_rarely_rolled_back(world):
    """Equal arms at a swinging level: no rollback in 40 rollouts (level 5 %)."""
    rng = np.random.default_rng(5)
    rolled_back = 0
    for _ in range(40):
        story = launched(world, canary=canary(watch_for="40m")).story()
        for minute in range(START, 40):
            rate = 0.05 + 0.04 * np.sin(minute / 5)
            story.at(minute).push(n=150, errors=int(rng.binomial(150, rate)))
            errors = int(rng.binomial(50, rate))
            story.at(minute).push(n=50, errors=errors, version="v2", arm="canary")
        story.clock(100)
        rolled_back += actions(story)[RolloutAction.ROLLBACK_REQUESTED]
    assert rolled_back <= 40 * 0.05 + 3 * (40 * 0.05 * 0.95) ** 0.5


def test_the_pace_of_the_two_watermarks_changes_no_id(world):
    """Labels that keep up, and labels that all come at the end, give the same events."""
    rails = [{"metric": "error_rate", "margin": 0.05}, {"metric": "service_errors", "margin": 0.02}]

    def told(keep_up):
        story = launched(world, canary=canary(guardrails=rails)).story()
        for minute in range(START, 60):
            failed = 3 if minute < 35 else 100
            story.at(minute).push(n=750, failed=9, errors=60)
            story.at(minute).push(n=250, failed=failed, errors=20, version="v2", arm="canary")
            story.clock(minute + 1, labels=minute + 1 if keep_up else 0)
        story.clock(100)
        return story

    steady, stalled = told(keep_up=True), told(keep_up=False)
    assert {s.id for s in judged(steady)} == {s.id for s in judged(stalled)}
    assert len(judged(steady)) == len(judged(stalled))
    for story in (steady, stalled):
        requests = [s for s in judged(story) if s.action is RolloutAction.ROLLBACK_REQUESTED]
        assert len(requests) == 1
        assert requests[0].reason == "harm: service_errors"
    assert [said.action for said in judged(stalled)[:3]] == ASKED


def test_a_start_told_twice_in_other_words_is_one_rollout(world):
    """The share was forgotten and told again for the same time: the canary is still judged."""
    there = world(canary=canary())
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    for share in (None, SHARE):
        there.deploy(
            START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=share, generation=7
        )
    story = both(there.story(), range(START, 60), canary=160, baseline=80)
    story.clock(100)
    assert actions(story)[RolloutAction.ROLLBACK_REQUESTED] == 1


def test_users_with_many_requests_weaken_the_evidence(world):
    """Ten requests of a user are one: the same windows roll back, but later, and say so."""
    asked = both(
        launched(world, canary=canary()).story(), range(START, 60), canary=120, baseline=80
    )
    told = launched(world, canary=canary(), dependence={"rows_per_unit": 10}).story()
    both(told, range(START, 60), canary=120, baseline=80)
    asked.clock(100), told.clock(100)
    alone, clustered = judged(asked)[-1], judged(told)[-1]
    assert alone.action is clustered.action is RolloutAction.ROLLBACK_REQUESTED
    assert clustered.window_end_ms > alone.window_end_ms
    assert clustered.guardrails[0].n_canary > 3 * alone.guardrails[0].n_canary
    assert (
        clustered.assumption == "assumes that at most 10 requests of one user depend on each other"
    )
