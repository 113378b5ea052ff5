"""Alerts: what opens them, what may not, and how they end."""

from __future__ import annotations

import numpy as np

from schemas.alerts import AlertAction, Severity
from schemas.policy import PolicyRecord
from streams.decide.measure.histograms import SCORE
from streams.decide.state import State


def steady(story, minutes, **rows):
    """The same pane in every minute."""
    for minute in minutes:
        story.at(minute).push(**rows)
    return story


def test_errors_above_budget_open_an_alert_and_recovery_resolves_it(world):
    """One alert, from its first firing window to proof that the rate is back."""
    story = world(owner="risk", runbook="https://runbook").story()
    steady(story, range(5), n=200, errors=10)
    steady(story, range(5, 10), n=200, errors=50)
    steady(story, range(10, 20), n=200, errors=10)
    story.clock(60)
    opened, resolved = story.turns
    assert (opened.action, resolved.action) == (AlertAction.OPENED, AlertAction.RESOLVED)
    assert opened.alert_id == resolved.alert_id
    assert opened.id != resolved.id
    assert (opened.metric, opened.detector, opened.severity) == (
        "error_rate",
        "e-sr",
        Severity.PAGE,
    )
    assert 5 * 60_000 <= opened.window_start_ms < 10 * 60_000 <= resolved.window_start_ms
    assert opened.opened_at_ms == opened.window_end_ms + 11 * 60_000 == resolved.opened_at_ms
    assert opened.log_e >= 0
    assert opened.low < 0.25 < opened.high
    assert (opened.owner, opened.runbook) == ("risk", "https://runbook")
    assert opened.summary.startswith("The error rate of m v1 rose from 5 % to 25 % (95 %: 20 %")
    assert "budget 10 %" in opened.summary


def test_an_open_alert_is_not_opened_again(world):
    """An hour of trouble is one alert."""
    story = steady(world().story(), range(60), n=200, errors=60)
    story.clock(100)
    assert len(story.turns) == 1


def test_labels_are_never_bet_on_before_they_are_mature(world):
    """A minute before maturity nothing has been bet, whatever the labels say."""
    story = steady(world().story(), range(5), n=500, errors=400)
    story.clock(100, labels=11.9)
    assert story.turns == []
    assert [k for k in story.decide.changed() if k.startswith("test:")] == [
        'test:["m","v1","baseline","","contract","strays",""]'
    ]


def test_below_the_coverage_floor_no_bet_is_made_and_nothing_is_spent(world):
    """Half of the labels, all of them wrong: cannot tell."""
    story = steady(world().story(), range(20), n=500, errors=250, labelled=250)
    story.clock(100)
    assert story.turns == []
    assert not any("error_rate" in key for key in story.decide.changed())


def test_below_the_coverage_floor_an_open_alert_does_not_resolve(world):
    """ "Cannot tell" never resolves."""
    story = steady(world().story(), range(5), n=500, errors=200)
    steady(story, range(5, 40), n=500, errors=0, labelled=300)
    story.clock(100)
    own = [alert.action for alert in story.turns if alert.metric == "error_rate"]
    assert own == [AlertAction.OPENED]


def test_late_rows_change_windows_but_no_bet(world):
    """Late labels, all wrong, revise every window and open nothing."""
    calm = steady(world().story(), range(20), n=200, errors=10)
    calm.clock(100)
    stirred = steady(world().story(), range(20), n=200, errors=10)
    steady(stirred, range(20), n=200, errors=200, late=True)
    stirred.clock(100)
    assert stirred.said.alerts == calm.said.alerts == []
    assert stirred.said.windows[0].predictions == 400

    def bets(story):
        rows = {k: v for k, v in story.decide.changed().items() if v is not None}
        return [(key, known.memory, known.spent) for key, known in State.load(rows).tests.items()]

    assert bets(stirred) == bets(calm)


def test_service_errors_latency_and_missing_values_are_tested_on_closing(world):
    """No label is needed; a missing feature is a ticket, not a page."""
    changes = {"budgets": {"service_errors": 0.02, "latency": {"limit_ms": 100.0, "rate": 0.05}}}
    story = world(profile=True, **changes).story()
    values = [i / 500 for i in range(500)]
    for minute in range(10):
        story.at(minute).push(n=500, failed=50, slow=100, missing=100, values=values, labelled=0)
    story.clock(20, labels=0)
    found = {(alert.metric, alert.feature): alert for alert in story.turns}
    assert set(found) == {("service_errors", ""), ("latency_over", ""), ("missing_rate", "x")}
    assert found["missing_rate", "x"].severity is Severity.TICKET
    assert found["service_errors", ""].severity is Severity.PAGE


def test_drift_opens_a_ticket_and_its_end_resolves_it(world):
    """The feature moves to the upper half, and comes back."""
    story = world(profile=True).story()
    rng = np.random.default_rng(3)
    for minute in range(40):
        moved = 10 <= minute < 20
        values = rng.uniform(0.5 if moved else 0.0, 1.0, 500).tolist()
        story.at(minute).push(n=500, values=values, labelled=0)
    story.clock(60, labels=0)
    opened, resolved = [alert for alert in story.turns if alert.metric == "tv"]
    assert (opened.metric, opened.feature, opened.severity) == ("tv", "x", Severity.TICKET)
    assert 10 * 60_000 <= opened.window_start_ms < 20 * 60_000
    assert resolved.action is AlertAction.RESOLVED
    assert resolved.window_start_ms >= 20 * 60_000
    assert opened.feature != SCORE


def test_miscalibration_opens_a_page_and_is_resolved_when_scores_hold_again(world):
    """Scores of 0.9 with half of the labels positive, then with nine in ten."""
    story = world(calibration={"tolerance": 0.05}, budgets={}).story()
    steady(story, range(5), n=1_000, errors=500)
    steady(story, range(5, 40), n=1_000, errors=100)
    story.clock(90)
    opened, resolved = story.turns
    assert (opened.metric, opened.severity) == ("calibration", Severity.PAGE)
    assert abs(opened.value - 0.4) < 1e-6
    assert resolved.window_start_ms >= 5 * 60_000


def test_segments_have_tests_of_their_own(world):
    """One segment fails while the whole stays within budget."""
    story = world(segments=["k"], max_segments=2).story()
    for minute in range(30):
        story.at(minute).push(n=1_000, errors=40)
        story.at(minute).push(n=100, errors=35, segment="k=v")
    story.clock(90)
    assert {(alert.segment, alert.metric) for alert in story.turns} == {("k=v", "error_rate")}


def test_canaries_and_shadows_are_not_tested_against_budgets(world):
    """They are judged beside the baseline, or not at all."""
    story = world().story()
    for minute in range(10):
        story.at(minute).push(n=500, errors=400, arm="canary", version="v2")
        story.at(minute).push(n=500, errors=400, arm="shadow", version="v3")
    story.clock(60)
    assert story.turns == []
    assert len(story.said.windows) == 20


def test_any_stray_row_opens_a_contract_alert_until_a_window_has_none(world):
    """A producer with another partitioner is no matter of chance."""
    story = world().story()
    story.at(0).push(n=100, strays=0)
    story.at(1).push(n=100, strays=3)
    story.at(2).push(n=100, strays=1)
    story.at(4).push(n=100)
    story.clock(10, labels=0)
    opened, resolved = story.turns
    assert (opened.detector, opened.metric, opened.value) == ("contract", "strays", 3)
    assert opened.share == opened.spent == 0
    assert (resolved.window_start_ms, resolved.action) == (4 * 60_000, AlertAction.RESOLVED)


def test_another_policy_closes_the_alerts_of_the_one_before(world):
    """Its evidence speaks of another budget; the alert does not stay open for ever."""
    first = world(budgets={"error_rate": 0.1})
    story = steady(first.story(), range(5), n=500, errors=200)
    story.clock(30)
    second = world(budgets={"error_rate": 0.6})
    record = PolicyRecord(hash=second.policy.hash, policy=second.policy)
    first.control.apply("policies", record.model_dump_json().encode())
    for delta in second.deltas(40, n=500, errors=200):
        story.decide.apply(first.batch([delta], **story.marks))
    story.clock(60)
    opened, closed = story.turns
    assert closed.alert_id == opened.alert_id
    assert closed.action is AlertAction.RESOLVED
    assert closed.policy == opened.policy == first.policy.hash
    assert "another policy" in closed.summary


def test_a_healthy_model_stays_within_its_false_alarm_budget(world, label_sums):
    """Five hundred windows at the edge of health, several tests: expected alarms at most 1/3.

    The rate stands exactly at its budget, scores are exact, the feature is the reference; the
    windows are 500 minutes and the budget is one page a day, so about 0.35 false alarms.
    """
    there = world(
        profile=True,
        budgets={"error_rate": 0.1, "brier": 0.2},
        calibration={"tolerance": 0.02},
    )
    story, rng = there.story(), np.random.default_rng(11)
    for minute in range(500):
        scores = rng.choice([0.1, 0.9], size=200)
        truth = (rng.uniform(size=200) < scores).astype(float)
        values = rng.uniform(size=200).tolist()
        panes = there.deltas(minute, n=200, labelled=0, values=values)
        panes += [there.delta(minute, "label", label_sums(there.whole, scores, truth))]
        story.decide.apply(there.batch(panes))
    story.clock(600)
    assert {alert.severity for alert in story.turns} <= {Severity.WATCH}
    spent = spent_of(story)
    assert 0.2 < sum(spent) <= 500 / 1_440
    assert len(spent) == 10


def spent_of(story):
    """What each test has spent, from the state alone."""
    rows = {k: v for k, v in story.decide.changed().items() if v is not None}
    return [known.spent for _, known in State.load(rows).tests.items()]


def test_two_baseline_versions_share_one_budget(world):
    """While a deployment moves from one version to the next, the budget does not double."""
    alone = steady(world().story(), range(10), n=200, errors=10)
    alone.clock(60)
    both = steady(world().story(), range(10), n=200, errors=10)
    steady(both, range(10), n=200, errors=10, version="v2")
    both.clock(60)
    assert abs(sum(spent_of(alone)) - sum(spent_of(both))) < 1e-12
