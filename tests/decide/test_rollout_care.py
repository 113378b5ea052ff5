"""Hyper-care: tighter levels for a while after a version took over, within the same budget."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.bets import binary
from detectors.bets.grid import K, log_mean_exp
from detectors.sequential import e_sr
from schemas.alerts import AlertAction
from schemas.deployments import DeploymentAction, DeploymentEvent
from schemas.policy import Plan
from schemas.reference import OutcomeReference, ReferenceProfile
from schemas.rollout_plan import HyperCare
from streams.decide import budget
from streams.decide.detect import asked_of
from streams.decide.detect.care import DEPLOYMENTS, care_tests, is_care, windows_in_period
from streams.decide.keys import WindowKey
from streams.decide.rollout import care
from streams.decide.subject import subject_of

MINUTE = 60_000
CARE = {"duration": "30m", "tighten": 0.3, "reserve": 0.2}
BUDGET = {"pages": 1.0, "per": "1d"}


def cared(world, *, hyper_care=CARE, at=(60,), **changes):
    """A world in which a new version takes over at some minutes; errors may be ten per cent."""
    there = world(plan={"hyper_care": hyper_care}, **changes)
    for number, minute in enumerate(at, start=1):
        there.deploy(minute, f"v{number}", DeploymentAction.PROMOTED)
    return there


def run(story, minutes, *, errors, version="v1", n=2_000):
    """A version that serves alone."""
    for minute in minutes:
        story.at(minute).push(n=n, errors=int(n * errors), version=version)
    return story


def alerts_of(story, action=AlertAction.OPENED):
    """Alerts of hyper-care."""
    return [one for one in story.said.alerts if one.action is action and is_care(one.detector)]


def share_of(policy, test):
    """What a test of hyper-care may spend in a window of a model with one version."""
    return budget.offered(budget.of_stream(policy, segment=""), test.fraction)


def test_a_tighter_level_is_crossed_in_care_that_would_pass_later(world):
    """Nine per cent of errors, of ten that are allowed: an alert of its own, at seven."""
    story = run(cared(world).story(), range(60, 90), errors=0.09)
    story.clock(105)
    [opened] = alerts_of(story)
    assert (opened.version, opened.detector, opened.metric) == ("v1", "e-sr-care", "error_rate")
    assert opened.budget == pytest.approx(0.07)
    assert all(is_care(one.detector) for one in story.said.alerts)
    later = run(cared(world).story(), range(95, 130), errors=0.09)
    later.clock(150)
    assert later.said.alerts == []


def test_alerts_of_care_retire_at_its_end(world):
    """With a sentence that says so, and not because anything was proven."""
    story = run(cared(world).story(), range(60, 95), errors=0.09)
    story.clock(120)
    [closed] = alerts_of(story, AlertAction.RESOLVED)
    assert closed.window_start_ms == 90 * MINUTE
    assert closed.reason == "care_over"
    assert closed.summary.startswith("Hyper-care of m v1 is over")
    state = story.decide._state
    assert all(one.alert is None for key, one in state.tests.items() if is_care(key.detector))


def test_a_version_that_did_not_just_take_over_is_in_no_care(world):
    """What served before goes on as it was."""
    story = run(cared(world).story(), range(60, 90), errors=0.09, version="v0")
    story.clock(105)
    assert story.said.alerts == []


def test_without_hyper_care_the_whole_budget_is_spent_as_before(world):
    """No tests, no reserve."""
    there = world()
    assert not [one for one in asked_of(there.whole) if is_care(one.test.detector)]
    with_care = cared(world)
    assert budget.of_stream(with_care.policy, segment="") == pytest.approx(
        0.8 * budget.of_stream(there.policy, segment="")
    )


@pytest.mark.parametrize("segments", [[], ["country"]])
def test_one_deployment_spends_its_part_of_the_reserve(world, segments):
    """All windows and tests of a period together, and no more."""
    budgets = {"error_rate": 0.1, "service_errors": 0.05, "brier": 0.3}
    policy = cared(world, budgets=budgets, segments=segments).policy
    tests = care_tests(subject_of(policy, None, whole=True))
    assert len(tests) == 3
    spent = 30 * math.fsum(share_of(policy, one) for one in tests)
    assert spent == pytest.approx(0.2 / DEPLOYMENTS)
    assert windows_in_period(policy) == 30 * DEPLOYMENTS


def test_segments_have_no_tests_of_care(world):
    """The reserve is for the stream of all."""
    policy = cared(world, segments=["country"]).policy
    assert care_tests(subject_of(policy, None, whole=False)) == []


def test_levels_of_the_reference_keep_half_of_what_they_tolerate(world):
    """Never so near to the reference that what was there all along is found."""
    known = {"error_rate": OutcomeReference(n=100_000, sum=30_000.0)}
    profile = ReferenceProfile(model="m", n=100_000, outcomes=known)
    policy = cared(world, hyper_care={**CARE, "tighten": 0.5}, budgets={}).policy
    subject = subject_of(policy, profile, whole=True)
    [ordinary] = [level for level in subject.levels if level.metric == "error_rate"]
    [test] = [one.test for one in care_tests(subject) if one.test.metric == "error_rate"]
    assert 0.31 < test.level.limit == pytest.approx(ordinary.limit - 0.015)


def test_floors_are_drawn_in_upwards(world):
    """A floor of eight tenths, tightened by a tenth."""
    policy = cared(world, hyper_care={**CARE, "tighten": 0.1}, floors={"recall": 0.8}).policy
    tests = care_tests(subject_of(policy, None, whole=True))
    [floor] = [one.test for one in tests if one.test.metric == "recall"]
    assert (floor.detector, round(floor.level.limit, 3)) == ("e-sr-care-low", 0.88)


def deployed(minutes):
    """Versions that take over, in order."""
    return [
        DeploymentEvent(
            model="m", version=f"v{n}", time=minute * MINUTE, action=DeploymentAction.PROMOTED
        )
        for n, minute in enumerate(minutes)
    ]


def test_the_reserve_of_a_period_is_for_so_many_deployments(world):
    """One every hour of a day: the first eight are in care, and the first of the next day."""
    policy = cared(world).policy
    found = care.periods_of(deployed(range(0, 26 * 60, 60)), policy)
    starts = [one.start_ms // (60 * MINUTE) for one in found]
    assert starts == [0, 1, 2, 3, 4, 5, 6, 7, 25]


def test_in_any_period_care_spends_at_most_the_reserve(world):
    """At random times of deployment, in every span of the budget's period."""
    policy = cared(world).policy
    [test] = care_tests(subject_of(policy, None, whole=True))
    rng = np.random.default_rng(3)
    for _ in range(20):
        minutes = sorted(int(m) for m in rng.integers(0, 4 * 1_440, 60))
        spent = np.zeros(5 * 1_440)
        for period in care.periods_of(deployed(minutes), policy):
            first, end = period.start_ms // MINUTE, period.end_ms // MINUTE
            spent[first:end] += share_of(policy, test)
        sums = np.convolve(spent, np.ones(1_440))
        assert sums.max() <= 0.2 + 1e-9


def test_a_version_told_twice_is_in_care_once(world):
    """Deployed, and promoted: it serves since the first of them."""
    policy = cared(world).policy
    again = [event.model_copy(update={"version": "v1"}) for event in deployed([10, 20])]
    assert len(care.periods_of(again, policy)) == 1


def test_a_window_is_in_care_by_the_version_it_is_of(world):
    """From the window in which it took over, for as many as the duration fills."""
    policy = cared(world).policy
    [period] = care.periods_of(deployed([60]), policy)

    def at(minute, version="v0"):
        key = WindowKey("m", version, "baseline", "", policy.hash, "", minute * MINUTE)
        return care.current([period], key) is not None

    assert [at(minute) for minute in (59, 60, 89, 90)] == [False, True, True, False]
    assert not at(70, "v9")


def test_the_ledger_stays_within_the_budget_through_many_deployments(world):
    """A day with ten deployments, each with errors at its level: what is promised and what was
    spent are within the budget of the day."""
    at = tuple(range(60, 1_260, 120))
    there = cared(world, at=at, window="10m", budgets={"error_rate": 0.1, "service_errors": 0.1})
    story = there.story()
    promised = []
    for number, minute in enumerate(at, start=1):
        for start in range(minute, minute + 120, 10):
            story.at(start).push(n=500, errors=35, failed=35, version=f"v{number}")
        story.clock(minute + 40)
        [account] = story.decide.ledger()
        promised.append(account.promised)
    story.clock(1_440)
    [account] = story.decide.ledger()
    assert max(promised) <= account.budget + 1e-9
    assert account.spent_in_period <= account.budget
    cared_for = [one for one in account.entries if is_care(one.detector)]
    assert math.fsum(one.spent for one in cared_for) <= 0.2 + 1e-9
    assert len({one.version for one in cared_for}) == DEPLOYMENTS


def alarms(rng, *, share, rate=0.07, level=0.07, runs=1_000, windows=30, n=500):
    """Mean number of alarms of a period of care, at its very level, with a new start after each."""
    wealth, found = np.full((runs, K), -np.inf), 0
    for bad in rng.binomial(n, rate, (windows, runs)):
        step = binary.increments(n=n, s=bad, m=level)
        wealth = e_sr.step(wealth, step, log_share=e_sr.log_share_of(share))
        alarm = log_mean_exp(wealth) >= 0.0
        found += int(alarm.sum())
        wealth[alarm] = -np.inf
    return found / runs


def test_care_alarms_as_seldom_as_it_promises(world):
    """1,000 periods at the tightened level: false alarms within its part of the reserve."""
    policy = cared(world).policy
    [test] = care_tests(subject_of(policy, None, whole=True))
    promised = 0.2 / DEPLOYMENTS
    found = alarms(np.random.default_rng(11), share=share_of(policy, test))
    assert found <= promised + 3 * (promised / 1_000) ** 0.5


def test_a_share_in_every_window_would_alarm_too_often(world):
    """Negative control: what one period may spend, spent in each of its windows."""
    promised = 0.2 / DEPLOYMENTS
    found = alarms(np.random.default_rng(11), share=promised)
    assert found > promised + 3 * (promised / 1_000) ** 0.5


def test_care_finds_what_is_well_beyond_its_level(world):
    """Twice the tightened level, within the period."""
    policy = cared(world).policy
    [test] = care_tests(subject_of(policy, None, whole=True))
    found = alarms(np.random.default_rng(11), share=share_of(policy, test), rate=0.14, runs=200)
    assert found >= 1.0


def test_restarts_and_pace_change_no_alert_of_care(world):
    """Window by window with a restart after each, or all at the end."""

    def told(step):
        story = cared(world).story()
        rows = {}
        for minute in range(60, 110):
            run(story, [minute], errors=0.09)
            if step:
                story.clock(minute + 1)
                rows |= story.decide.changed()
                story.decide = story.world.decide()
                story.decide.load({key: row for key, row in rows.items() if row is not None})
        story.clock(130)
        return [(one.id, one.action, one.spent) for one in story.said.alerts if not one.step > 1]

    assert told(step=True) == told(step=False) != []


def test_late_labels_withdraw_an_alert_of_care(world):
    """It is judged again like any other."""
    story = run(cared(world).story(), range(60, 75), errors=0.2)
    story.clock(86)
    assert len(alerts_of(story)) == 1
    for minute in range(60, 75):
        [label] = story.world.deltas(minute, n=20_000, version="v1", late=True)[1:]
        story.decide.apply(story.world.batch([label], **story.marks))
    story.clock(88)
    assert len(alerts_of(story, AlertAction.WITHDRAWN)) == 1


def test_the_defaults_are_a_day_and_a_fifth_of_the_budget():
    """As the handbook has it."""
    rule = Plan(hyper_care=HyperCare()).hyper_care
    assert (rule.duration, rule.reserve) == ("1d", 0.2)
