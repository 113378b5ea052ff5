"""Missing predictions and missing labels are alerts of their own; silence is never health."""

from __future__ import annotations

import json
from itertools import count

import pytest

from schemas.alerts import AlertAction, Layer, Severity
from schemas.commands import read_command
from schemas.policy import PolicyRecord

MINUTE = 60_000
WALL_MS = 1_790_000_000_000
NUMBERS = count()
PROMPT = {"horizon": "2h", "maturity": "0s", "coverage": 0.8, "lateness": "0s"}


def tick(decide, minute):
    """A tick of the clock, so many minutes after the first."""
    body = {"kind": "tick", "id": f"t{next(NUMBERS)}", "model": "kittiwake", "time": 0, "by": "act"}
    decide.command(read_command(json.dumps(body).encode()), WALL_MS + int(minute * MINUTE))


def served(story, minutes, *, ticks=True, **rows):
    """One pane a minute; clock and wall clock go with it."""
    for minute in minutes:
        story.at(minute).push(**{"n": 100, "errors": 2, **rows})
        if ticks:
            tick(story.decide, minute + 1)
        story.clock(minute + 1)
    return story


def told(story, metric):
    """What was said of a metric."""
    return [(a.action, a.summary) for a in story.said.alerts if a.metric == metric]


@pytest.fixture
def build(world):
    """A world whose labels mature at once, so that one clock drives all."""
    return lambda **changes: world(labels=PROMPT, lateness="0s", **changes)


def test_a_model_without_predictions_for_three_windows_pages_until_they_come_again(build):
    """Event time stands still and only ticks go on; all shards are idle."""
    there = build(owner="risk")
    story = served(there.story(), range(5))
    story.decide.apply(there.batch(idle=True, **story.marks))
    for minute in (6, 7):
        tick(story.decide, minute)
        assert story.advance().alerts == []
    tick(story.decide, 8)
    [opened] = story.advance().alerts
    assert (opened.metric, opened.severity, opened.owner) == ("no_traffic", Severity.PAGE, "risk")
    assert (opened.version, opened.layer) == ("v1", Layer.SERVICE)
    assert (opened.window_start_ms, opened.opened_at_ms) == (5 * MINUTE, 8 * MINUTE)
    assert (opened.share, opened.spent) == (0.0, 0.0)
    assert opened.summary == (
        "No prediction of m v1 came since 1970-01-01 00:05 UTC (3 min; 3 min are allowed); "
        "all shards are idle"
    )
    tick(story.decide, 30)
    assert story.advance().alerts == []
    served(story, range(30, 32))
    [resolved] = [a for a in story.said.alerts if a.action is AlertAction.RESOLVED]
    assert resolved.alert_id == opened.alert_id
    assert resolved.summary.startswith("Predictions of m v1 come again")


def test_a_dead_worker_does_not_look_like_a_quiet_model(build):
    """A shard that is busy and does not go on is named."""
    there = build(shards=2)
    story = there.story()
    for minute in range(5):
        story.at(minute).push(n=50)
        for shard in (0, 1):
            story.decide.apply(there.batch(shard=shard, predictions=minute + 1, labels=minute + 1))
        tick(story.decide, minute + 1)
        story.advance()
    for minute in range(5, 15):
        story.decide.apply(there.batch(shard=0, predictions=minute + 1, labels=minute + 1))
        tick(story.decide, minute + 1)
        story.advance()
    [(action, summary)] = told(story, "no_traffic")
    assert action is AlertAction.OPENED
    assert summary.endswith("shard 1 holds event time back: its worker may be dead")


def test_a_model_that_stops_while_others_go_on_is_missed(build):
    """Event time moves without it."""
    there = build()
    story = served(there.story(), range(5))
    for minute in range(6, 12):
        tick(story.decide, minute)
        story.clock(minute)
    [(_, summary)] = told(story, "no_traffic")
    assert summary.endswith("every shard that is not idle goes on, with other events")


def test_without_ticks_nobody_misses_anything(build):
    """A replay that moves time past its end raises nothing."""
    story = served(build().story(), range(5), ticks=False)
    story.clock(60 * 24 * 40)
    assert told(story, "no_traffic") == []


def test_the_policy_says_how_long_is_too_long_but_never_less_than_a_pane_takes(build):
    """A pane's rows are heard of when it closes, so two panes is the least."""
    first = {}
    for allowed in ("1s", "20m"):
        there = build(alerting={"no_traffic": allowed})
        story = served(there.story(), range(5))
        for minute in range(6, 40):
            tick(story.decide, minute)
            if story.advance().alerts:
                first[allowed] = minute
                break
    assert first == {"1s": 7, "20m": 25}


def test_a_restart_remembers_what_is_missed(build):
    """The state that was saved opens no second alert, and resolves the first."""
    there = build()
    story = served(there.story(), range(5))
    tick(story.decide, 20)
    [opened] = story.advance().alerts
    again = there.decide()
    again.load({k: v for k, v in story.decide.changed().items() if v is not None})
    assert again.open_alerts() == [(opened.alert_id, "m", "page")]
    tick(again, 30)
    assert again.advance().alerts == []
    story.decide = again
    served(story, range(30, 32))
    assert [action for action, _ in told(story, "no_traffic")] == [
        AlertAction.OPENED,
        AlertAction.RESOLVED,
    ]


def test_a_canary_alone_is_no_traffic_of_the_model(build):
    """Only baselines answer for the model."""
    there = build()
    story = served(there.story(), range(5))
    for minute in range(5, 12):
        story.at(minute).push(n=100, version="v2", arm="canary")
        tick(story.decide, minute + 1)
        story.clock(minute + 1)
    assert [action for action, _ in told(story, "no_traffic")] == [AlertAction.OPENED]


def test_three_windows_without_enough_labels_are_a_ticket_and_one_with_enough_its_end(build):
    """Below the coverage, three in a row; two in a row are not enough."""
    story = served(build().story(), range(3))
    served(story, range(3, 5), labelled=50)
    served(story, range(5, 6))
    served(story, range(6, 8), labelled=50)
    assert told(story, "no_labels") == []
    served(story, range(8, 9), labelled=50)
    [opened] = story.said.alerts
    assert (opened.metric, opened.severity, opened.layer) == (
        "no_labels",
        Severity.TICKET,
        Layer.LABELS,
    )
    assert (opened.value, opened.budget, opened.worse, opened.n) == (0.5, 0.8, "below", 100)
    assert (opened.share, opened.spent) == (0.0, 0.0)
    assert "is below its floor: 50 % over 100 predictions" in opened.summary
    served(story, range(9, 12), labelled=0)
    assert len(told(story, "no_labels")) == 1
    served(story, range(12, 13))
    assert [action for action, _ in told(story, "no_labels")] == [
        AlertAction.OPENED,
        AlertAction.RESOLVED,
    ]


def test_labels_that_never_came_are_not_missed(build):
    """Where no window ever had enough of them, nothing has stopped."""
    assert told(served(build().story(), range(20), labelled=10), "no_labels") == []


def test_a_policy_may_not_ask_for_labels(build):
    """``no_labels: 0`` never; a policy that asks no longer closes what is open."""
    never = build(alerting={"no_labels": 0})
    story = served(never.story(), range(3))
    served(story, range(3, 20), labelled=10)
    assert told(story, "no_labels") == []
    there = build()
    record = PolicyRecord(hash=never.policy.hash, policy=never.policy)
    there.control.apply("policies", record.model_dump_json().encode())
    story = served(there.story(), range(3))
    served(story, range(3, 7), labelled=10)
    panes = never.deltas(7, n=100, labelled=10)
    story.decide.apply(there.batch(panes, **story.marks))
    story.clock(8)
    assert [action for action, _ in told(story, "no_labels")] == [
        AlertAction.OPENED,
        AlertAction.RESOLVED,
    ]
