"""Alerts of what serves no more end when nothing can change them, and not before."""

from __future__ import annotations

import pytest

from schemas.alerts import AlertAction

MINUTE = 60_000
HORIZON = 120


@pytest.fixture
def place(world):
    """Labels mature at once and may change for two hours."""
    labels = {"horizon": "2h", "maturity": "0s", "coverage": 0.8, "lateness": "0s"}
    return world(labels=labels, lateness="0s", alerting={"flap": "10m"})


def ends(story):
    """Version and segment of what was resolved, and the minute of its window's end."""
    return [
        (one.version, one.segment, one.window_end_ms // MINUTE)
        for one in story.said.alerts
        if one.action is AlertAction.RESOLVED
    ]


def test_a_version_that_was_replaced_leaves_no_alert_open(place):
    """It stands while labels may still amend it; then it ends, and its story with it."""
    story = place.story()
    for minute in range(12 + HORIZON + 10):
        bad = 5 <= minute < 12
        rows = {"n": 200, "errors": 80 if bad else 5}
        story.at(minute).push(version="v1" if minute < 12 else "v2", **rows)
        story.clock(minute + 1)
        if minute == 12 + HORIZON - 5:
            assert ends(story) == []
    (opened, ended) = story.turns
    assert ends(story) == [("v1", "", 12)]
    assert (opened.alert_id, opened.incident_id) == (ended.alert_id, ended.incident_id)
    assert "closed without a verdict" in ended.summary
    state = story.decide._state
    assert len(state.standing) == 0
    assert state.tests.open() == []
    assert [one.open for _, one in state.incidents.items()] == [[]]


def test_a_segment_that_nobody_is_in_leaves_no_alert_open(place):
    """Its version goes on; what comes again later is judged anew."""
    story = place.story()
    for minute in range(12 + HORIZON + 20):
        story.at(minute).push(n=200, errors=5)
        if minute < 12 or minute > HORIZON + 20:
            bad = minute >= 5
            story.push(n=200, errors=80 if bad else 5, segment="k=v")
        story.clock(minute + 1)
    assert ends(story) == [("v1", "k=v", 12)]
    opened = [one for one in story.turns if one.action is AlertAction.OPENED]
    assert [one.segment for one in opened] == ["k=v", "k=v"]
    assert opened[0].alert_id != opened[1].alert_id


def test_a_gap_within_the_horizon_ends_nothing(place):
    """A version that comes back finds its alert open: nothing was proven meanwhile."""
    story = place.story()
    for minute in range(100):
        story.at(minute).push(n=200, errors=5, version="v2")
        if minute < 12 or minute >= 90:
            story.push(n=200, errors=80 if minute >= 5 else 5)
        story.clock(minute + 1)
    assert ends(story) == []
    assert len(story.turns) == 1
