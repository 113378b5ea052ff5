"""Values of a segment that have no stream of their own are told of, whatever was the reason."""

from __future__ import annotations

import pytest

from schemas.alerts import AlertAction, Severity
from schemas.summaries import Part


@pytest.fixture
def push(input_sums):
    """A pane of the stream of all, with counts by field."""

    def pushed(story, minute, n, **counts):
        vector = input_sums(story.world.whole, n, counts=counts)
        delta = story.world.delta(minute, Part.INPUT, vector)
        story.decide.apply(story.world.batch([delta], **story.marks))

    return pushed


@pytest.mark.parametrize(
    ("field", "metric"), [("capped", "capped_segments"), ("long", "long_segments")]
)
def test_any_row_without_a_stream_opens_a_ticket_until_a_window_has_none(
    world, push, field, metric
):
    """It names the key and the number of rows, and costs nothing of the budget."""
    story = world(segments=["country", "city"]).story()
    push(story, 0, 100)
    push(story, 1, 100, **{field: [0, 7]})
    push(story, 2, 100, **{field: [0, 1]})
    push(story, 4, 100)
    story.clock(10, labels=0)
    opened, resolved = story.turns
    assert (opened.metric, opened.feature, opened.value) == (metric, "city", 7)
    assert (opened.severity, opened.share, opened.spent) == (Severity.TICKET, 0, 0)
    assert (resolved.window_start_ms, resolved.action) == (4 * 60_000, AlertAction.RESOLVED)


def test_each_key_has_an_alert_of_its_own(world, push):
    """Whoever owns one of them need not read about the other."""
    story = world(segments=["country"], fairness={"groups": ["sex"]}).story()
    push(story, 0, 100, capped=[5, 6], long=[0, 2])
    story.clock(10, labels=0)
    assert {(alert.metric, alert.feature, alert.value) for alert in story.turns} == {
        ("capped_segments", "country", 5),
        ("capped_segments", "sex", 6),
        ("long_segments", "sex", 2),
    }


def test_a_window_without_rows_ends_no_alert(world, push):
    """Rows on the wrong partition say nothing of segments."""
    story = world(segments=["country"]).story()
    push(story, 0, 100, capped=[5])
    push(story, 1, 0, n_stray=[1])
    story.clock(10, labels=0)
    assert [alert.metric for alert in story.turns] == ["capped_segments", "strays"]


def test_a_policy_without_segments_does_not_ask(world, push):
    """Nor do its panes count such rows."""
    there = world()
    assert "capped" not in there.whole.inputs
    story = there.story()
    push(story, 0, 100)
    story.clock(10, labels=0)
    assert story.turns == []
