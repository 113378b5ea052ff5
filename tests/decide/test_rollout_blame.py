"""Cause before action: only a version is rolled back, not the data that both arms live on."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from schemas.deployments import DeploymentAction
from schemas.rollouts import Blame, RolloutAction
from streams.decide.rollout.blame import Facts, blame
from streams.decide.state import State

START = 10
VALUES = [i / 50 for i in range(50)]
EVIDENCE = {RolloutAction.ROLLBACK_ADVISED, RolloutAction.HOLD}


def launched(world, *, metrics=("error_rate",), **changes):
    """A world with v1 serving and v2 as canary from minute ten."""
    rails = [{"metric": metric, "margin": 0.01} for metric in metrics]
    there = world(profile=True, canary={"guardrails": rails}, **changes)
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.25)
    return there


def both(story, minutes, *, canary, baseline, missing=(0, 0), labelled=1.0, failed=0.0):
    """Both arms in every minute: rates of errors, and of missing values of each arm."""
    for minute in minutes:
        for version, arm, n, errors, gone in (
            ("v1", "baseline", 750, baseline, missing[1]),
            ("v2", "canary", 250, canary, missing[0]),
        ):
            story.at(minute).push(
                n=n,
                errors=int(n * errors),
                labelled=int(n * labelled),
                failed=int(n * failed) if arm == "canary" else 0,
                missing=int(n * gone),
                values=VALUES,
                version=version,
                arm=arm,
            )
    return story


def ends(story):
    """Rollbacks that were advised."""
    return [one for one in story.said.rollouts if one.action is RolloutAction.ROLLBACK_ADVISED]


def holds(story):
    """Holds for a cause other than the version, by what is to blame."""
    return Counter(
        one.blame
        for one in story.said.rollouts
        if one.action is RolloutAction.HOLD and one.blocked_by
    )


def expected(harmed, labelled, sound, inputs, labels):
    """The truth table in one sentence for each line."""
    if not harmed:
        return Blame.UNKNOWN
    if inputs:
        return Blame.INPUTS
    if labels and labelled:
        return Blame.LABELS
    return Blame.VERSION if sound else Blame.INPUTS


@pytest.mark.parametrize("facts", list(product((False, True), repeat=6)))
def test_the_truth_table_of_blame(facts):
    """Every combination of facts has one answer; only a version goes unblocked, and a held one
    says what to do."""
    harmed, labelled, sound, inputs, labels, own = facts
    found = blame(
        Facts(
            harmed=("g",) if harmed else (),
            sound=("g",) if harmed and sound else (),
            labelled=("g",) if harmed and labelled else (),
            inputs=("missing rate of x",) if inputs else (),
            labels=("flips",) if labels else (),
            canary_inputs=("missing rate of y",) if own else (),
        )
    )
    assert found.blame is expected(harmed, labelled, sound, inputs, labels)
    held = found.blame in (Blame.INPUTS, Blame.LABELS)
    assert bool(found.blocked_by) is held
    assert ("page the data owner" in found.reason) is held
    if found.blame is Blame.VERSION:
        assert ("missing rate of y" in found.reason) is own


def test_label_trouble_says_nothing_against_what_needs_no_labels():
    """Two guardrails are harmed, and one of them waits for nothing."""
    facts = Facts(
        harmed=("error_rate", "latency"),
        sound=("error_rate", "latency"),
        labelled=("error_rate",),
        labels=("flips",),
    )
    assert blame(facts).blame is Blame.VERSION


def test_a_worse_version_on_sound_data_is_rolled_back_with_its_benefit(world):
    """The interval of what a rollback brings is that of the difference."""
    story = both(launched(world).story(), range(START, 60), canary=0.16, baseline=0.08)
    story.clock(100)
    [said] = ends(story)
    assert said.blame is Blame.VERSION
    assert said.blocked_by == []
    [benefit] = said.benefit
    [rail] = said.guardrails
    assert (benefit.metric, benefit.value) == ("error_rate", rail.difference)
    assert 0.0 < benefit.low < benefit.value < benefit.high
    assert not holds(story)


def test_only_harmed_guardrails_have_a_benefit(world):
    """Nothing is promised of a metric in which the version is no worse."""
    there = launched(world, metrics=("error_rate", "service_errors"))
    story = both(there.story(), range(START, 60), canary=0.16, baseline=0.08)
    story.clock(100)
    [said] = ends(story)
    assert [one.metric for one in said.benefit] == ["error_rate"]
    assert len(said.guardrails) == 2


def test_inputs_broken_for_both_hold_and_call_the_data_owner(world):
    """The canary copes worse with a feature that stopped coming: no rollback while it is so."""
    story = launched(world).story()
    both(story, range(START, 60), canary=0.3, baseline=0.1, missing=(0.5, 0.5))
    story.clock(100)
    assert ends(story) == []
    assert holds(story)[Blame.INPUTS] > 10
    last = story.said.rollouts[-1]
    assert last.blocked_by == ["inputs_broken"]
    assert "missing rate of x" in last.reason
    assert "page the data owner" in last.summary


def test_the_same_without_a_contract_that_is_broken_is_rolled_back(world):
    """Control: where the policy allows the values to be missing, nothing else is to blame."""
    there = launched(world, features={"x": {"missing": 0.9}})
    story = both(there.story(), range(START, 60), canary=0.3, baseline=0.1, missing=(0.5, 0.5))
    story.clock(100)
    assert [one.blame for one in ends(story)] == [Blame.VERSION]


def test_inputs_broken_for_the_canary_alone_are_its_own_fault(world):
    """Its own pipeline loses the feature: rolled back, and told why."""
    story = launched(world).story()
    both(story, range(START, 60), canary=0.3, baseline=0.08, missing=(0.5, 0.0))
    story.clock(100)
    [said] = ends(story)
    assert said.blame is Blame.VERSION
    assert "its own inputs are broken (missing rate of x)" in said.reason


def test_harm_from_broken_windows_convicts_nobody_once_they_are_whole_again(world):
    """As good as the baseline before and after the break: held during it, never rolled back."""
    story = launched(world).story()
    both(story, range(START, 20), canary=0.08, baseline=0.08)
    both(story, range(20, 30), canary=0.4, baseline=0.1, missing=(0.5, 0.5))
    both(story, range(30, 120), canary=0.08, baseline=0.08)
    story.clock(200)
    assert ends(story) == []
    assert holds(story)[Blame.INPUTS] > 0


def test_a_rollout_goes_on_when_a_break_is_over(world):
    """The margin is wide: held while the data was broken, promoted on what came after."""
    there = world(profile=True, canary={"guardrails": [{"metric": "error_rate", "margin": 0.05}]})
    there.deploy(0, "v1", DeploymentAction.DEPLOYED)
    there.deploy(START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.25)
    story = there.story()
    both(story, range(START, 16), canary=0.4, baseline=0.1, missing=(0.5, 0.5))
    both(story, range(16, 160), canary=0.08, baseline=0.08)
    story.clock(200)
    assert holds(story)[Blame.INPUTS] > 0
    assert story.said.rollouts[-1].action is RolloutAction.PROMOTION_ADVISED


def test_a_version_that_is_worse_without_the_break_too_is_rolled_back_later(world):
    """Evidence counts from sound windows only, and in the end it suffices."""
    story = launched(world).story()
    both(story, range(START, 20), canary=0.4, baseline=0.1, missing=(0.5, 0.5))
    both(story, range(20, 60), canary=0.16, baseline=0.08)
    story.clock(100)
    [said] = ends(story)
    assert said.blame is Blame.VERSION
    assert said.window_start_ms >= 20 * 60_000


def test_a_break_that_was_there_before_the_rollout_excuses_nobody(world):
    """The baseline lives with it, so the canary has to."""
    story = launched(world).story()
    for minute in range(START):
        story.at(minute).push(n=750, errors=60, missing=375, values=VALUES)
        story.clock(minute + 1)
    both(story, range(START, 60), canary=0.3, baseline=0.1, missing=(0.5, 0.5))
    story.clock(100)
    assert [one.blame for one in ends(story)] == [Blame.VERSION]


def with_label_trouble(world, **rows):
    """The share of labels falls below its floor, and stays above what a comparison needs."""
    there = launched(world, metrics=("error_rate", "service_errors"), floors={"label_rate": 0.97})
    story = both(there.story(), range(START, 60), labelled=0.85, baseline=0.08, **rows)
    story.clock(100)
    return story


def test_label_trouble_holds_what_rests_on_labels(world):
    """Whose labels are missing is not known: hold."""
    story = with_label_trouble(world, canary=0.12)
    assert ends(story) == []
    assert set(holds(story)) == {Blame.LABELS}
    assert story.said.rollouts[-1].blocked_by == ["labels_broken"]


def test_label_trouble_does_not_hold_failing_requests(world):
    """They need no label."""
    story = with_label_trouble(world, canary=0.12, failed=0.2)
    [said] = ends(story)
    assert said.blame is Blame.VERSION
    assert "service_errors" in said.reason


def test_the_pace_and_restarts_change_no_blame(world):
    """Window by window with a restart after each, or all at the end: the same events."""

    def run(step):
        story = launched(world, metrics=("error_rate", "service_errors")).story()
        rows = {}
        for minute in range(START, 60):
            broken = minute in range(20, 35)
            both(
                story,
                [minute],
                canary=0.4 if broken else 0.14,
                baseline=0.08,
                missing=(0.4, 0.4) if broken else (0, 0),
            )
            if step:
                story.clock(minute + 1)
                rows |= story.decide.changed()
                story.decide = story.world.decide()
                story.decide.load({key: row for key, row in rows.items() if row is not None})
        story.clock(100)
        told = (said for said in story.said.rollouts if said.action in EVIDENCE)
        return sorted((s.id, s.action, s.blame, s.reason, s.decided_at_ms) for s in told)

    assert run(step=True) == run(step=False)


def test_alerts_of_baselines_are_remembered_until_they_are_over(world):
    """An alert stands open from its due time on, and not after its end."""
    story = launched(world).story()
    both(story, range(START, 30), canary=0.08, baseline=0.08, missing=(0.5, 0.5))
    both(story, range(30, 90), canary=0.08, baseline=0.08)
    story.clock(120)
    state = State.load({k: v for k, v in story.decide.changed().items() if v is not None})
    known = [one for _, one in state.troubles.items() if one.metric == "missing_rate"]
    assert known
    assert all(one.opened_ms < one.closed_ms for one in known)
