"""Results wait for alerts and for new windows; nothing is lost of what is put off."""

from __future__ import annotations

import pytest

from streams.decide import pipeline
from streams.decide.outputs import Outputs

HELD = {"horizon": "3h", "maturity": "10m", "coverage": 0.8, "lateness": "1m"}
MINUTES = 60


@pytest.fixture
def slow(monkeypatch):
    """At most a few results in one step."""
    monkeypatch.setattr(pipeline, "WORK_AT_ONCE", 8)


def stormy(there):
    """A story of an hour, and then a correction of each window at once."""
    story = there.story()
    for minute in range(MINUTES):
        story.at(minute).push(n=100, errors=5)
        story.clock(minute + 1)
        drain(story)
    for minute in range(MINUTES - 15):
        story.at(minute).push(labelled=20, errors=20, late=True)
    return story


def drain(story):
    """Tell more until nothing is put off; the steps it takes."""
    steps = 0
    while story.decide.behind:
        story.said.windows.extend(story.decide.more().windows)
        steps += 1
    return steps


def finals(story):
    """The last content of each window."""
    return {window.id: window.content for window in story.said.windows}


def test_a_storm_of_late_labels_delays_no_new_window(world, slow):
    """The window that closes in the storm is told in the first step, before any revision."""
    story = stormy(world(labels=HELD))
    said = len(story.said.windows)
    story.at(MINUTES).push(n=100, errors=5)
    story.clock(MINUTES + 2)
    first = story.said.windows[said:]
    new = [(MINUTES - 1) * 60_000, MINUTES * 60_000]
    assert [w.start_ms for w in first if w.revision == 1] == new
    assert [w.revision for w in first[:2]] == [1, 1]
    assert len(first) < 10
    assert story.decide.behind


def test_alerts_leave_before_the_results_of_many_windows(world, monkeypatch):
    """The first step has all alerts and few results, the next ones have the rest."""
    monkeypatch.setattr(pipeline, "WORK_AT_ONCE", 20)
    monkeypatch.setattr(pipeline, "WORK_BESIDE_TESTS", 4)
    story = world(labels=HELD).story()
    for minute in range(MINUTES):
        story.at(minute).push(n=100, errors=60)
    first = story.clock(MINUTES + 20)
    assert [alert.action for alert in first.alerts] == ["opened"]
    second = story.advance()
    assert 0 < 2 * len(first.windows) < len(second.windows) < MINUTES
    assert second.alerts == []
    drain(story)
    assert len(finals(story)) == MINUTES
    assert story.advance() == Outputs()


def test_in_the_end_all_is_told_as_if_there_were_no_bound(world, monkeypatch):
    """Content, windows and alerts are those of one step."""
    told = []
    for most in (8, 10**9):
        monkeypatch.setattr(pipeline, "WORK_AT_ONCE", most)
        story = stormy(world(labels=HELD))
        story.clock(MINUTES + 1)
        steps = drain(story)
        assert story.decide.advance() == Outputs()
        told.append((finals(story), [alert.id for alert in story.turns], steps))
    assert told[0][:2] == told[1][:2]
    assert told[0][2] > 5 > told[1][2]


def test_what_is_put_off_outlives_a_crash(world, slow):
    """A restart in the middle of the queue goes on with the rest."""
    there = world(labels=HELD)
    story = stormy(there)
    rows = {key: row for key, row in story.decide.changed().items() if row is not None}
    again = there.decide()
    again.load(rows)
    story.clock(MINUTES + 1)
    drain(story)
    whole = finals(story)
    story.said.windows.clear()
    story.decide = again
    story.clock(MINUTES + 1)
    assert again.behind
    rows |= {key: value for key, value in again.changed().items() if value is not None}
    last = there.decide()
    last.load(rows)
    story.decide = last
    drain(story)
    late = {window.id: window.content for window in story.said.windows}
    assert len(late) >= MINUTES - 15
    assert late == {id_: whole[id_] for id_ in late}


def test_a_window_that_is_forgotten_is_told_before(world, slow):
    """The horizon may pass while revisions wait; the last of them is told all the same."""
    story = stormy(world(labels=HELD))
    story.clock(500)
    drain(story)
    late = [w for w in story.said.windows if w.start_ms < (MINUTES - 15) * 60_000]
    last = {w.start_ms: w for w in late}
    assert {w.coverage.labelled for w in last.values()} == {120}
