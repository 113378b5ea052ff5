"""Shadows: paired answers decide in three ways, on few events, and nothing but advice is said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from schemas.deployments import DeploymentAction
from schemas.predictions import Arm
from schemas.rollouts import RolloutAction
from schemas.summaries import Part
from streams.decide.rollout.plan import rollouts_of

START = 10
N = 1_000


def launched(world, **changes):
    """A world with v1 serving and v2 as its shadow from minute ten."""
    there = world(
        **{"canary": {"guardrails": [{"metric": "error_rate", "margin": 0.01}]}} | changes
    )
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(START, "v2", DeploymentAction.DEPLOYED, role="shadow", generation=7)
    return there


def paired(story, minute, *, shadow_only, served_only, both=30, n=N, labelled=None, pairs=None):
    """A pane in which v1 serves and v2 stands beside it."""
    there = story.world
    errors = served_only + both
    labelled = n if labelled is None else labelled
    story.at(minute).push(n=n, errors=errors, labelled=labelled)
    story.at(minute).push(n=n, labelled=0, version="v2", arm="shadow")
    layout = there.whole.labels
    vector = layout.zeros()
    pairs = labelled if pairs is None else pairs
    for name, count in (
        ("n", pairs),
        ("pair_n", pairs),
        ("pair_10", shadow_only),
        ("pair_01", served_only),
        ("pair_both", both),
    ):
        vector[layout.slices[name]] = count
    delta = there.delta(minute, Part.LABEL, vector, version="v2", arm="shadow")
    story.decide.apply(there.batch([delta], **story.marks))
    return story


def told(world, minutes=range(START, 50), **rows):
    """A story of equal minutes, told to its end."""
    story = launched(world).story()
    for minute in minutes:
        paired(story, minute, **rows)
    story.clock(100)
    return story


def judged(story):
    """All that was said, but for the review at the end."""
    return [one for one in story.said.rollouts if one.action is not RolloutAction.REVIEWED]


def actions(story):
    """How often each action was said."""
    return Counter(said.action for said in judged(story))


def test_a_worse_shadow_is_to_stop(world):
    """Once, on evidence, as advice: no traffic is to be rolled back."""
    story = told(world, shadow_only=60, served_only=10)
    last = judged(story)[-1]
    assert last.action is RolloutAction.STOP_ADVISED
    assert set(actions(story)) <= {RolloutAction.HOLD, RolloutAction.STOP_ADVISED}
    assert actions(story)[RolloutAction.STOP_ADVISED] == 1
    assert (last.arm, last.canary, last.baseline) == (Arm.SHADOW, "v2", "v1")
    assert (last.target_version, last.expires_at_ms, last.generation) == (None, None, 7)
    [rail] = last.guardrails
    assert rail.n_canary == rail.n_baseline
    assert (rail.mean_canary, rail.mean_baseline) == (0.09, 0.04)
    assert rail.log_e_harm >= rail.threshold_harm
    assert 0.01 < rail.low <= rail.difference <= rail.high
    assert story.clock(200).rollouts == []


@pytest.mark.parametrize(("shadow_only", "served_only"), [(10, 10), (5, 20)])
def test_a_shadow_as_good_or_better_may_go_on_as_a_canary(world, shadow_only, served_only):
    """Advice of its own kind, so that no executor takes it for a promotion."""
    story = told(world, shadow_only=shadow_only, served_only=served_only)
    assert actions(story)[RolloutAction.CANARY_ADVISED] == 1
    assert judged(story)[-1].action is RolloutAction.CANARY_ADVISED
    assert RolloutAction.PROMOTION_ADVISED not in actions(story)


def test_too_little_cannot_tell_and_expires(world):
    """A few pairs hold, window by window; at the deadline the watch ends without a verdict."""
    there = launched(world, canary={"watch_for": "30m"})
    story = there.story()
    for minute in range(START, START + 3):
        paired(story, minute, shadow_only=1, served_only=1, both=2, n=100)
    story.clock(100)
    assert actions(story) == {RolloutAction.HOLD: 3, RolloutAction.EXPIRED: 1}


def test_pairs_without_enough_labels_say_nothing(world):
    """The shadow is far worse among the few labels that are there: hold."""
    story = told(world, shadow_only=100, served_only=0, labelled=500)
    assert set(actions(story)) == {RolloutAction.HOLD}
    assert judged(story)[-1].guardrails == []


def test_a_shadow_may_stand_beside_a_part_of_the_traffic(world):
    """A tenth of the answers in pairs is less evidence, not none."""
    story = told(world, shadow_only=15, served_only=1, both=3, pairs=100)
    assert judged(story)[-1].action is RolloutAction.STOP_ADVISED
    assert judged(story)[-1].guardrails[0].n_canary < 1_000


def test_pairs_need_far_fewer_events_than_two_arms(world):
    """Errors of .05 and .10 that overlap: at most a third of a canary's, over seeds."""
    ratios = []
    for seed in range(3):
        random = np.random.default_rng(seed)
        shadow = launched(world).story()
        canary = world(canary={"guardrails": [{"metric": "error_rate", "margin": 0.01}]})
        canary.deploy(0, "v1", DeploymentAction.DEPLOYED)
        canary.deploy(START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.5)
        arms = canary.story()
        n = 50
        for minute in range(START, 130):
            only, other, both, _ = random.multinomial(n, [0.055, 0.005, 0.045, 0.895])
            paired(shadow, minute, shadow_only=only, served_only=other, both=both, n=n)
            arms.at(minute).push(n=n // 2, errors=random.binomial(n // 2, 0.05))
            arms.at(minute).push(
                n=n // 2, errors=random.binomial(n // 2, 0.10), version="v2", arm="canary"
            )
        shadow.clock(250), arms.clock(250)
        stop, back = judged(shadow)[-1], judged(arms)[-1]
        assert stop.action is RolloutAction.STOP_ADVISED
        assert back.action is RolloutAction.ROLLBACK_REQUESTED
        both_arms = back.guardrails[0].n_canary + back.guardrails[0].n_baseline
        ratios.append(stop.guardrails[0].n_canary / both_arms)
    assert max(ratios) < 1 / 3, ratios


def test_equal_shadows_are_seldom_stopped(world):
    """At the margin itself, looked at in every window, at most as often as the policy says."""
    stopped, runs = 0, 40
    for seed in range(runs):
        random = np.random.default_rng(1_000 + seed)
        story = launched(world).story()
        for minute in range(START, START + 15):
            only, other, both, _ = random.multinomial(200, [0.02, 0.01, 0.03, 0.94])
            paired(story, minute, shadow_only=only, served_only=other, both=both, n=200)
        story.clock(60)
        stopped += RolloutAction.STOP_ADVISED in actions(story)
    assert stopped / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


def test_a_shadow_ends_when_its_role_or_the_baseline_changes(world):
    """A canary beside it does not end it; it needs a baseline before it."""
    there = world()
    there.deploy(0, "v2", DeploymentAction.DEPLOYED, role="shadow")
    there.deploy(1, "v1", DeploymentAction.DEPLOYED)
    for minute, version in ((2, "v2"), (3, "v3")):
        there.deploy(minute, version, DeploymentAction.DEPLOYED, role="shadow")
    there.deploy(4, "v4", DeploymentAction.CANARY_STARTED, role="canary")
    there.deploy(5, "v2", DeploymentAction.CANARY_STARTED, role="canary")
    there.deploy(6, "v5", DeploymentAction.DEPLOYED)
    found = rollouts_of(there.control.deployments("m"))
    spans = {(r.canary, r.arm.value): (r.start_ms, r.stop_ms) for r in found}
    minute = 60_000
    assert spans == {
        ("v2", "shadow"): (2 * minute, 5 * minute),
        ("v3", "shadow"): (3 * minute, 6 * minute),
        ("v4", "canary"): (4 * minute, 5 * minute),
        ("v2", "canary"): (5 * minute, 6 * minute),
    }
    assert len({r.id for r in found}) == 4


def test_the_pace_and_a_restart_change_no_decision(world):
    """Window by window with a restart after each, or all at the end: the same events."""

    def run(step):
        story = launched(world).story()
        rows = {}
        for minute in range(START, 40):
            paired(story, minute, shadow_only=25, served_only=8)
            if step:
                story.clock(minute + 1)
                rows |= story.decide.changed()
                story.decide = story.world.decide()
                story.decide.load({key: row for key, row in rows.items() if row is not None})
        story.clock(100)
        return [(said.id, said.action) for said in judged(story)]

    assert run(step=True) == run(step=False)
