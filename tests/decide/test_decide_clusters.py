"""Rows that depend on each other: evidence is divided, so that ten equal outcomes of one user count
as one."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.alerts import AlertAction, Severity
from schemas.reference import OutcomeReference, ReferenceProfile
from schemas.summaries import Part

USERS, EACH, WINDOWS, SEEDS = 30, 10, 120, 4
HEALTHY = 0.10
"""Exactly the budget, and exactly what scores of .9 say."""


def opened(there, label_sums, *, seed, rate=HEALTHY):
    """Metrics of the alerts that spend from the budget, on users with ten equal rows each."""
    rng = np.random.default_rng(seed)
    story, n = there.story(), USERS * EACH
    for minute in range(WINDOWS):
        truth = np.repeat(rng.random(USERS) >= rate, EACH).astype(float)
        values = np.repeat(rng.random(USERS), EACH).tolist()
        panes = there.deltas(minute, n=n, values=values, labelled=0)
        vector = label_sums(there.whole, np.full(n, 0.9), truth)
        panes.append(there.delta(minute, Part.LABEL, vector))
        story.decide.apply(there.batch(panes, **story.marks))
    story.clock(WINDOWS + 60)
    return {
        alert.metric
        for alert in story.turns
        if alert.action is AlertAction.OPENED and alert.severity is not Severity.WATCH
    }


def worlds(world, **dependence):
    """Tests on errors, calibration and drift, of which every one is fooled by clusters."""
    return world(
        profile=True,
        budgets={"error_rate": 0.1},
        calibration={"tolerance": 0.02},
        dependence=dependence,
        false_alarms={"pages": 1.0, "per": "1d"},
    )


def test_untempered_tests_are_fooled_by_clusters(world, label_sums):
    """The control: nothing is wrong, and all three kinds of test alarm."""
    there = worlds(world)
    found = [opened(there, label_sums, seed=seed) for seed in range(SEEDS)]
    for metric in ("error_rate", "calibration", "tv"):
        assert sum(metric in metrics for metrics in found) >= SEEDS // 2


def test_tempered_tests_hold(world, label_sums):
    """Told how many rows a user has at most, none does, in 480 windows of a budget of 1/3."""
    there = worlds(world, rows_per_unit=EACH)
    found = [opened(there, label_sums, seed=seed) for seed in range(SEEDS)]
    assert found == [set()] * SEEDS


def test_tempered_tests_still_find_what_is_wrong(world, label_sums):
    """Half of the users wrong instead of a tenth."""
    there = worlds(world, rows_per_unit=EACH)
    assert {"error_rate", "calibration"} <= opened(there, label_sums, seed=1, rate=0.5)


@pytest.mark.parametrize(
    ("dependence", "expected"),
    [
        ({}, 7.5),
        ({"rows_per_unit": 4}, 7.5),
        ({"rows_per_unit": 20}, 20.0),
        ({"estimated": False}, 1.0),
        ({"estimated": False, "rows_per_unit": 4}, 4.0),
    ],
)
def test_evidence_is_divided_by_the_larger_of_what_is_said_and_what_was_seen(
    world, dependence, expected
):
    """The reference's dispersion counts only where the policy lets it."""
    known = OutcomeReference(n=5_000, sum=250.0, dispersion=7.5)
    profile = ReferenceProfile(model="m", n=5_000, outcomes={"error_rate": known})
    there = world(profile=profile, dependence=dependence)
    (level,) = there.whole.levels
    assert level.dispersion == expected


def test_windows_of_clusters_show_wider_intervals(world):
    """And a verdict takes as many more events."""
    shown = {}
    for rows in (1, EACH):
        story = world(dependence={"rows_per_unit": rows}).story()
        story.at(0).push(n=400, errors=50)
        story.clock(20)
        (window,) = story.said.windows
        shown[rows] = next(m for m in window.metrics if m.name == "error_rate")
    narrow, wide = shown[1], shown[EACH]
    assert narrow.value == wide.value == 0.125
    assert wide.high - wide.low > 2.5 * (narrow.high - narrow.low)
    assert wide.needed > 5 * narrow.needed
