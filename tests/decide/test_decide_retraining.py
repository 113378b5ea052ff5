"""Requests to train again: on harmful drift, schedule, labels and demand, debounced and merged."""

from __future__ import annotations

import json
from itertools import count

import numpy as np
import pytest

from schemas.commands import read_command
from schemas.retraining import RetrainReason

MINUTE = 60_000
WALL_MS = 1_790_000_000_000
NUMBERS = count()
PROMPT = {"horizon": "4h", "maturity": "2m", "coverage": 0.8, "lateness": "0s"}
SAME = np.random.default_rng(5).uniform(0.0, 1.0, 200).tolist()
MOVED = np.random.default_rng(6).uniform(0.5, 1.0, 200).tolist()


def served(story, minutes, *, values=SAME, **rows):
    """One pane a minute of 200 rows, and the clock with it; what was said on the way."""
    said = []
    for minute in minutes:
        labels = {"n": 200, "errors": 5, **rows}
        story.at(minute).push(values=values, **labels)
        said += story.clock(minute + 1).retraining
    return said


def act(story, kind, **fields):
    """Give a command; what is said next."""
    body = {"kind": kind, "id": f"{kind}-{next(NUMBERS)}", "model": "m", "time": 0, "by": "ada"}
    story.decide.command(read_command(json.dumps({**body, **fields}).encode()), WALL_MS)
    return story.advance().retraining


@pytest.fixture
def build(world):
    """A world with one feature, whose labels mature after two minutes."""

    def make(**rules):
        rules = {"debounce": "10m", "history": "30m", **rules}
        return world(profile=True, labels=PROMPT, lateness="0s", retraining=rules)

    return make


def test_drift_alone_and_errors_alone_ask_for_nothing(build):
    """Drift that does no harm is no reason; nor is harm without drift."""
    drifted = build().story()
    assert served(drifted, range(5)) + served(drifted, range(5, 40), values=MOVED) == []
    assert "tv" in {alert.metric for alert in drifted.said.alerts}
    wrong = build().story()
    assert served(wrong, range(5)) + served(wrong, range(5, 40), errors=80) == []
    assert "error_rate" in {alert.metric for alert in wrong.said.alerts}


def test_drift_that_hurts_asks_once_with_its_evidence_and_the_range_of_data(build):
    """The alerts, the features, and matured data of the stated history."""
    story = build().story()
    served(story, range(5))
    [request] = served(story, range(5, 40), values=MOVED, errors=80)
    assert request.reasons == [RetrainReason.HARMFUL_DRIFT]
    assert request.features == ["x"]
    by_id = {alert.alert_id: alert.metric for alert in story.said.alerts}
    assert {by_id[one] for one in request.evidence} >= {"tv", "error_rate"}
    assert (request.model, request.version) == ("m", "v1")
    assert request.decided_at_ms - request.to_ms == 2 * MINUTE
    assert request.from_ms == max(request.to_ms - 30 * MINUTE, 0)
    assert request.labels == 200 * (request.decided_at_ms // MINUTE)
    assert "drifted: x" in request.summary


def test_alerts_that_come_again_in_the_same_story_ask_for_nothing(build):
    """The same data would be asked for; a flap is no news."""
    story = build().story()
    served(story, range(5))
    assert len(served(story, range(5, 25), values=MOVED, errors=80)) == 1
    assert served(story, range(25, 70)) == []
    assert served(story, range(70, 90), values=MOVED, errors=80) == []
    opened = [alert for alert in story.turns if alert.action == "opened"]
    assert len({alert.alert_id for alert in opened if alert.metric == "error_rate"}) == 2
    assert len({alert.incident_id for alert in opened}) == 1


def test_drift_may_be_left_out(build):
    """``on_drift: false``."""
    story = build(on_drift=False).story()
    served(story, range(5))
    assert served(story, range(5, 40), values=MOVED, errors=80) == []


def test_a_schedule_counts_from_the_first_window_and_then_from_its_last_request(build):
    """In event time with predictions: a quiet model has nothing new to learn."""
    story = build(every="20m").story()
    asked = served(story, range(50))
    assert [one.decided_at_ms // MINUTE for one in asked] == [20, 40]
    assert {tuple(one.reasons) for one in asked} == {(RetrainReason.SCHEDULE,)}
    assert story.clock(50_000).retraining == []


def test_so_many_new_labels_ask_and_are_counted_anew(build):
    """Also after word that a training is done, and when a new version serves."""
    story = build(labels=3_000).story()
    [first] = served(story, range(20))
    assert (first.reasons, first.labels) == ([RetrainReason.LABELS], 3_000)
    assert first.decided_at_ms == 15 * MINUTE
    assert act(story, "trained") == []
    assert served(story, range(20, 34)) == []
    [second] = served(story, range(34, 36))
    assert (second.decided_at_ms, second.labels) == (35 * MINUTE, 3_000)
    assert served(story, range(36, 46)) == []
    assert served(story, range(46, 60), version="v2") == []
    [third] = served(story, range(60, 62), version="v2")
    assert (third.version, third.labels) == ("v2", 3_000)


def test_reasons_wait_for_the_debounce_and_are_said_together(build):
    """A schedule asked for by command waits with labels that came meanwhile; it is one request."""
    story = build(labels=400).story()
    [first] = served(story, range(2))
    assert first.reasons == [RetrainReason.LABELS]
    assert act(story, "retrain", reason="schedule") == []
    assert served(story, range(2, 11)) == []
    [second] = served(story, range(11, 12))
    assert second.reasons == [RetrainReason.SCHEDULE, RetrainReason.LABELS]
    assert second.decided_at_ms - first.decided_at_ms == 10 * MINUTE
    assert second.id != first.id


def test_a_person_does_not_wait_and_is_heard_once(build):
    """The debounce holds for machines; a command read twice counts once."""
    story = build().story()
    served(story, range(5))
    [first] = act(story, "retrain", id="once")
    assert first.reasons == [RetrainReason.PERSON]
    assert act(story, "retrain", id="once") == []
    [second] = act(story, "retrain", id="twice")
    assert second.id != first.id
    assert act(story, "retrain", model="nobody") == []


def test_requests_are_the_same_after_a_restart_at_every_step(build):
    """The state says all; ids and bytes are equal."""
    there = build(labels=2_000, every="15m")
    steady, rows = there.story(), {}
    whole = []
    for minute in range(40):
        resumed = there.decide()
        resumed.load(rows)
        bad = {"values": MOVED, "errors": 80} if minute >= 5 else {"values": SAME, "errors": 5}
        panes = there.deltas(minute, n=200, **bad)
        batch = there.batch(panes, predictions=minute + 1, labels=minute + 1)
        for decide in (steady.decide, resumed):
            decide.apply(batch)
        said = resumed.advance()
        assert steady.decide.advance().retraining == said.retraining
        for key, value in resumed.changed().items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        steady.decide.changed()
        whole += said.retraining
    assert {reason for one in whole for reason in one.reasons} == {
        RetrainReason.HARMFUL_DRIFT,
        RetrainReason.SCHEDULE,
        RetrainReason.LABELS,
    }
    assert len({one.id for one in whole}) == len(whole)
