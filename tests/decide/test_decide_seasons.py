"""Budgets by hour of the week: what is usual at this hour is no alarm, what is not still is one."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.alerts import AlertAction
from schemas.errors import ConfigurationError
from schemas.policy import Budgets, Fairness, FalseAlarms, Policy, Task
from schemas.reference import HourReference, OutcomeReference, ReferenceProfile
from streams.runtime.announce import check_seasons, check_weights

HOURS = 168
ROWS = 300
LABELS = {"horizon": "2h", "maturity": "1h", "coverage": 0.8, "lateness": "1m"}
SEASONAL = {"pane": "1h", "labels": LABELS, "budgets": {}, "false_alarms": {"per": "30d"}}


def rate(hour):
    """Nights are five times as bad as days; both weeks and days begin at hour 0."""
    return np.where(np.asarray(hour) % 24 < 6, 0.20, 0.04)


def reference(*, weeks=6, hours=True, metric="error_rate"):
    """What a few weeks of such a model looked like."""
    rng = np.random.default_rng(8)
    n = np.full(HOURS, weeks * ROWS)
    errors = rng.binomial(n, rate(np.arange(HOURS)))
    slots = [HourReference(n=int(a), sum=float(b)) for a, b in zip(n, errors, strict=True)]
    known = OutcomeReference(
        n=int(n.sum()), sum=float(errors.sum()), hours=slots if hours else None
    )
    return ReferenceProfile(model="m", n=int(n.sum()), outcomes={metric: known})


def run(there, *, seed, weeks=2, more=0.0):
    """The same season, week after week, in panes of an hour."""
    rng = np.random.default_rng(seed)
    story = there.story()
    for hour in range(weeks * HOURS):
        errors = int(rng.binomial(ROWS, rate(hour) + more))
        story.at(60 * hour).push(n=ROWS, errors=errors)
    story.clock(60 * (weeks * HOURS + 5))
    opened = [a for a in story.turns if a.action is AlertAction.OPENED]
    return story, [alert.metric for alert in opened]


def test_a_flat_budget_alarms_on_every_season(world):
    """The control: nothing is wrong, and every night is above the mean of the week."""
    for seed in range(3):
        there = world(profile=reference(), alerting={"clear": 0.0}, **SEASONAL)
        _, opened = run(there, seed=seed, weeks=1)
        assert opened.count("error_rate") >= 1


def test_a_seasonal_budget_is_silent_on_its_season(world):
    """Four runs of two weeks, 1,344 windows, in which the budget allows the test 0.9 alarms."""
    there = world(profile=reference(), seasonal=["error_rate"], **SEASONAL)
    opened = [metric for seed in range(4) for metric in run(there, seed=seed)[1]]
    assert opened.count("error_rate") == 0


def test_a_rise_above_the_season_still_alarms(world):
    """Six in a hundred more at every hour, within two days, by night or by day."""
    there = world(profile=reference(), seasonal=["error_rate"], **SEASONAL)
    for seed in range(3):
        story, opened = run(there, seed=seed, weeks=1, more=0.06)
        assert opened.count("error_rate") == 1
        first = next(a for a in story.turns if a.metric == "error_rate")
        assert first.window_start_ms < 48 * 3_600_000


def test_a_stated_budget_moves_with_the_hour_too(world):
    """Budget .10 with a usual mean of .08: .02 above what is usual at each hour."""
    stated = SEASONAL | {"budgets": {"error_rate": 0.10}}
    there = world(profile=reference(), seasonal=["error_rate"], **stated)
    story, opened = run(there, seed=1, weeks=1)
    assert opened.count("error_rate") == 0
    budgets = {
        window.start_ms // 3_600_000: metric.budget
        for window in story.said.windows
        for metric in window.metrics
        if metric.name == "error_rate"
    }
    assert budgets[3] == pytest.approx(0.22, abs=0.02)
    assert budgets[12] == pytest.approx(0.06, abs=0.02)
    assert np.mean(list(budgets.values())) == pytest.approx(0.10, abs=0.002)


def test_alerts_name_the_level_of_their_window(world):
    """Not the one of the whole week."""
    there = world(profile=reference(), seasonal=["error_rate"], **SEASONAL)
    story, _ = run(there, seed=2, weeks=1, more=0.06)
    (alert,) = (a for a in story.turns if a.metric == "error_rate")
    level = next(lv for lv in there.whole.levels if lv.metric == "error_rate")
    assert alert.budget == level.at(alert.window_start_ms, 3_600_000) != level.limit


def test_without_hours_in_the_reference_the_level_is_flat(world):
    """DECIDE goes on with what it has."""
    there = world(profile=reference(hours=False), seasonal=["error_rate"], **SEASONAL)
    (level,) = there.whole.levels
    assert level.season is None
    assert level.at(0, 3_600_000) == level.limit


@pytest.mark.parametrize(
    "profile",
    [None, reference(hours=False), reference(metric="mae")],
    ids=["no reference", "no hours", "another metric"],
)
def test_a_season_that_nobody_knows_is_refused_before_it_is_in_force(profile):
    """With the metric and what to do."""
    policy = Policy(model="m", task=Task.BINARY, seasonal=["error_rate"])
    with pytest.raises(ConfigurationError, match=r"seasonal names error_rate.*labelled rows"):
        check_seasons(policy, profile)
    stated = policy.model_copy(update={"budgets": Budgets(error_rate=0.1)})
    check_seasons(stated, reference())


def test_a_weight_of_no_test_is_refused_before_it_is_in_force():
    """A slip of the pen would leave the metric at weight 1."""
    weights = FalseAlarms(weights={"eror_rate": 0})
    policy = Policy(model="m", task=Task.BINARY, false_alarms=weights)
    with pytest.raises(ConfigurationError, match=r"names eror_rate.*choose of calibration"):
        check_weights(policy, None)
    grouped = policy.model_copy(update={"fairness": Fairness(groups=["sex"])})
    fair = FalseAlarms(weights={"selection_ratio": 2})
    check_weights(grouped.model_copy(update={"false_alarms": fair}), None)
    good = FalseAlarms(weights={"calibration": 0})
    check_weights(policy.model_copy(update={"false_alarms": good}), None)
