"""Second opinions of river: a watch on the error rate, and nothing else."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from schemas.alerts import AlertAction, Severity
from schemas.windows import Verdict
from streams.decide.detect import Evidence, asked_of
from streams.decide.detect.opinion import OpinionTest

N = 200


def fed(story, minutes, rate, *, seed=0):
    """Windows with errors at a rate, drawn with a seed for each minute."""
    for minute in minutes:
        errors = int(np.random.default_rng((seed, minute)).binomial(N, rate))
        story.at(minute).push(n=N, errors=errors)
    return story


def opinions(story):
    """Alerts of opinions."""
    return [alert for alert in story.turns if alert.metric == "opinion"]


@pytest.mark.parametrize("name", ["adwin", "page_hinkley", "ddm"])
def test_a_change_raises_a_watch_that_six_quiet_windows_end(world, name):
    """From 5 to 20 per cent errors, within a budget of 40; no share, no evidence, no level."""
    story = world(budgets={"error_rate": 0.4}, opinions=[name]).story()
    fed(story, range(30), 0.05)
    fed(story, range(30, 70), 0.2)
    story.clock(90)
    opened, resolved = opinions(story)[:2]
    assert (opened.action, opened.severity) == (AlertAction.OPENED, Severity.WATCH)
    assert (opened.feature, opened.detector) == (name, "river")
    assert (opened.share, opened.spent, opened.budget) == (0.0, 0.0, None)
    assert 30 <= opened.window_start_ms // 60_000 <= 45
    assert "second opinion" in opened.summary
    assert "no bound" in opened.summary
    assert resolved.action is AlertAction.RESOLVED
    assert resolved.window_start_ms >= opened.window_start_ms + 6 * 60_000
    assert resolved.alert_id == opened.alert_id
    assert {alert.metric for alert in story.turns} == {"opinion"}


def test_a_healthy_stream_raises_none_of_the_careful_ones(world):
    """Eighty windows at one rate."""
    story = world(opinions=["adwin", "page_hinkley"]).story()
    fed(story, range(80), 0.05, seed=3)
    story.clock(100)
    assert story.turns == []


def test_an_opinion_never_changes_a_verdict_or_a_share(world):
    """The same windows with and without: equal verdicts, equal alerts of tests, equal spending."""
    told = []
    for names in ([], ["adwin", "ddm", "eddm", "hddm_a", "hddm_w", "kswin", "page_hinkley"]):
        place = world(budgets={"error_rate": 0.1}, opinions=names)
        story = place.story()
        fed(story, range(10), 0.05)
        fed(story, range(10, 25), 0.25)
        story.clock(45)
        others = [a for a in story.turns if a.metric != "opinion"]
        told.append(
            (
                [window.verdict for window in story.said.windows],
                [(a.metric, a.action, a.window_start_ms, a.share, a.spent) for a in others],
                [one.fraction for one in asked_of(place.whole) if one.test.metric != "opinion"],
            )
        )
    assert told[0] == told[1]
    assert Verdict.DEGRADED in told[0][0]


def test_a_replay_cut_elsewhere_says_the_same(world):
    """Windows one by one, or all at the end; with a checkpoint and a new start between."""
    place = world(opinions=["adwin", "ddm"], budgets={"error_rate": 0.4})
    once = place.story()
    fed(fed(once, range(20), 0.05), range(20, 50), 0.2)
    once.clock(70)
    steps = place.story()
    rows: dict[str, bytes] = {}
    for minute in range(50):
        fed(steps, [minute], 0.05 if minute < 20 else 0.2)
        steps.clock(minute + 1)
        if minute % 10 == 9:
            rows |= {key: value for key, value in steps.decide.changed().items() if value}
            steps.decide = place.decide()
            steps.decide.load(rows)
    steps.clock(70)
    said = [[(a.id, a.summary) for a in opinions(story)] for story in (once, steps)]
    assert said[0] == said[1] != []


def test_a_state_of_another_river_starts_the_detector_anew(world):
    """The windows so far stay known; the detector that nobody can read does not stop the stream."""
    place = world(opinions=["adwin"])
    test = OpinionTest("adwin")
    _, label = place.deltas(0, n=N, errors=10)
    vector = place.whole.labels.zeros()
    vector[label.index] = label.values
    seen = Evidence(place.whole, vector, 0)
    first = test.bet(b"", seen, share=0.0)
    n, errors, state = msgspec.msgpack.decode(first.memory)
    broken = msgspec.msgpack.encode((n, errors, b"kittiwake-opinion-1|adwin|0.1.0|" + state[:40]))
    second = test.bet(broken, seen, share=0.0)
    assert msgspec.msgpack.decode(second.memory)[:2] == [2 * N, 20]
    assert (second.alarm, second.spent) == (False, 0.0)


def test_a_task_without_an_error_rate_has_no_opinions(world):
    """A regression has errors of every size; a segment has none of its own either."""
    regression = world(task="regression", budgets={}, opinions=["adwin"])
    assert not [one for one in asked_of(regression.whole) if one.test.metric == "opinion"]
    sliced = world(opinions=["adwin"], segments=["k"])
    assert not [one for one in asked_of(sliced.segment) if one.test.metric == "opinion"]
