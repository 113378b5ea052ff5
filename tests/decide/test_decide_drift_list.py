"""Lists of drifted features: those of one window, and those of all windows so far."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.alerts import AlertAction, Severity
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from schemas.summaries import Part
from streams.decide.detect import asked_of

NAMES = [f"f{place}" for place in range(8)]
N = 400


def profile() -> ReferenceProfile:
    """Eight features, each uniform on [0, 1), of 10,000 rows."""
    values = ((np.arange(10_000) + 0.5) / 10_000).tolist()
    return build("m", dict.fromkeys(NAMES, values), source="test")


@pytest.fixture
def vector(input_sums):
    """Builds an input pane; a moved feature has lost the lower third of its range."""

    def build(world, rng, *, moved=(), n=N):
        rows = {name: rng.uniform(1 / 3 if name in moved else 0.0, 1.0, n) for name in NAMES}
        return input_sums(world.whole, n, {name: rows[name].tolist() for name in NAMES})

    return build


@pytest.fixture
def told(world, vector):
    """Runs windows, of which some are moved; gives the world's story."""

    def run(moved, *, windows, until=None, seed=1):
        place = world(profile=profile(), budgets={})
        story, rng = place.story(), np.random.default_rng(seed)
        for minute in range(windows):
            names = moved if 5 <= minute < (until or windows) else ()
            delta = place.delta(minute, Part.INPUT, vector(place, rng, moved=names))
            story.decide.apply(place.batch([delta], **story.marks))
            story.clock(minute + 2, labels=0)
        return story

    return run


def lists(story):
    """Alerts on the list."""
    return [alert for alert in story.turns if alert.metric == "drift_list"]


def test_two_drifted_features_are_named_at_once_and_six_empty_lists_end_it(told):
    """A watch that costs nothing, with the names in the alert, the sentence and the window."""
    story = told(("f2", "f5"), windows=25, until=10)
    opened, resolved = lists(story)
    assert (opened.action, opened.severity) == (AlertAction.OPENED, Severity.WATCH)
    assert (opened.share, opened.spent, opened.log_e) == (0.0, 0.0, 0.0)
    assert opened.features == ["f2", "f5"]
    assert "differs from the reference in f2, f5 over 400 predictions" in opened.summary
    assert opened.window_start_ms == 5 * 60_000
    assert (resolved.action, resolved.window_start_ms) == (AlertAction.RESOLVED, 15 * 60_000)
    shown = [set(window.drifted) for window in story.said.windows]
    assert shown[5:10] == [{"f2", "f5"}] * 5
    assert not any(shown[:5] + shown[10:])


def test_a_healthy_stream_names_nothing(told):
    """Sixty windows of eight features: no list of one window, none of all windows."""
    story = told((), windows=60, seed=4)
    assert lists(story) == []
    assert not any(window.drifted or window.drifted_so_far for window in story.said.windows)


def test_evidence_of_all_windows_names_what_drifted_and_stays_with_the_window(told):
    """The names come some windows later, are those of the drifted ones, and revisions keep them."""
    story = told(("f2", "f5"), windows=20)
    named = [set(window.drifted_so_far) for window in story.said.windows]
    assert named[:6] == [set()] * 6
    assert named[-1] == {"f2", "f5"}
    assert all(names <= {"f2", "f5"} for names in named)
    late = story.world.deltas(19, n=1, labelled=0, late=True)
    story.decide.apply(story.world.batch(late, **story.marks))
    (revised,) = story.advance().windows
    assert revised.revision == 2
    assert revised.drifted_so_far == ["f2", "f5"]


def test_a_small_drift_that_does_not_matter_is_not_listed(world, vector):
    """Significant at many rows, but nearer than the tolerated distance."""
    place = world(profile=profile(), budgets={}, drift={"features": 0.4})
    rng = np.random.default_rng(2)
    story = place.story()
    delta = place.delta(0, Part.INPUT, vector(place, rng, moved=("f1",), n=5_000))
    story.decide.apply(place.batch([delta]))
    (window,) = story.clock(2, labels=0).windows
    (shown,) = [m for m in window.metrics if (m.name, m.feature) == ("tv", "f1")]
    assert 0.25 < shown.value < 0.4
    assert window.drifted == []


def test_too_few_rows_say_nothing(world, vector):
    """Nine rows fill no bins: the list stays empty, whatever they are."""
    place = world(profile=profile(), budgets={})
    delta = place.delta(0, Part.INPUT, vector(place, np.random.default_rng(0), moved=NAMES, n=9))
    story = place.story()
    story.decide.apply(place.batch([delta]))
    (window,) = story.clock(2, labels=0).windows
    assert window.drifted == []


def test_false_discoveries_stay_below_the_promise(told):
    """Twenty streams with two drifted features: at most 10 % of the names are false, on average."""
    found = [told(("f0", "f1"), windows=15, seed=seed).said.windows[-1] for seed in range(100, 120)]
    lists = [set(window.drifted_so_far) for window in found]
    false = np.array([len(names - {"f0", "f1"}) / max(len(names), 1) for names in lists])
    assert false.mean() <= 0.1 + 3 * false.std() / len(false) ** 0.5
    assert np.mean([names >= {"f0", "f1"} for names in lists]) > 0.8


def test_the_list_spends_nothing_and_takes_nothing_from_the_tests(world):
    """With it, the parts of the budget still add up to one; a weight of 0 leaves it out."""
    place = world(profile=profile(), budgets={})
    asked = asked_of(place.whole)
    assert [one.fraction for one in asked if one.test.metric == "drift_list"] == [0.0]
    assert sum(one.fraction for one in asked) == pytest.approx(1.0)
    without = world(profile=profile(), budgets={}, false_alarms={"weights": {"drift_list": 0}})
    assert "drift_list" not in {one.test.metric for one in asked_of(without.whole)}
