"""Windows are kept while anything can change them, and no longer."""

from __future__ import annotations

LATE = {"horizon": "1h", "maturity": "10m", "coverage": 0.8, "lateness": "30m"}


def test_feedback_that_is_read_long_after_its_predictions_still_changes_windows(world):
    """However far predictions are ahead: what is told of a window is the same in the end."""
    said = []
    for ahead in (45, 500):
        story = world(labels=LATE).story()
        story.at(0).push(n=100, labelled=90, errors=9)
        story.clock(ahead, 45)
        story.at(0).push(labelled=10, errors=10, late=True)
        story.clock(500)
        said.append({w.id: (w.coverage.labelled, w.predictions) for w in story.said.windows})
    assert said[0] == said[1]
    assert list(said[0].values()) == [(100, 100)]


def test_a_label_as_late_as_the_policy_allows_is_counted(world):
    """Told at the horizon, read half an hour later: the window is still there."""
    story = world(labels=LATE).story()
    story.at(0).push(n=100, labelled=90)
    story.clock(91.5)
    story.at(0).push(labelled=1, late=True)
    assert [w.coverage.labelled for w in story.advance().windows] == [91]


def test_windows_that_nothing_can_change_are_forgotten(world):
    """Their panes too; what is left does not grow with the number of windows."""
    story = world(labels=LATE).story()
    for minute in range(300):
        story.at(minute).push(n=10)
        story.clock(minute + 1)
    decide = story.decide
    story.clock(1_000)
    kept = [name for name, value in decide.changed().items() if value is not None]
    assert not [name for name in kept if name.startswith(("pane:", "window:"))]
