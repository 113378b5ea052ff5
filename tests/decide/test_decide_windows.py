"""Windows: when they are said, what they hold, what changes them."""

from __future__ import annotations

from schemas.windows import Verdict


def metric(window, name, feature=""):
    """The metric of a window by name."""
    [found] = [m for m in window.metrics if (m.name, m.feature) == (name, feature)]
    return found


def test_a_window_is_said_when_it_closes_and_again_when_its_labels_mature(world):
    """Nothing before the end and the lateness; matured after maturity and label lateness."""
    story = world().story()
    story.at(0).push(n=100, errors=5, labelled=90)
    assert story.clock(1.9).windows == []
    [closed] = story.clock(2).windows
    assert (closed.start_ms, closed.end_ms, closed.predictions) == (0, 60_000, 100)
    assert (closed.revision, closed.coverage.matured, closed.coverage.share) == (1, False, 0.9)
    assert metric(closed, "error_rate").verdict is Verdict.CANNOT_TELL
    assert story.clock(11.9).windows == []
    [matured] = story.clock(12).windows
    assert (matured.revision, matured.coverage.matured, matured.id) == (2, True, closed.id)
    assert metric(matured, "error_rate").verdict is Verdict.CANNOT_TELL
    assert metric(matured, "error_rate").n == 90


def test_verdicts_follow_from_interval_and_budget(world):
    """Far below the budget is healthy, far above is degraded, and the worst metric counts."""
    story = world().story()
    story.at(0).push(n=1_000, errors=20)
    story.at(1).push(n=1_000, errors=300)
    by_start = {w.start_ms: w for w in story.clock(30).windows}
    assert by_start[0].verdict is Verdict.HEALTHY
    assert metric(by_start[0], "error_rate").needed is None
    assert by_start[60_000].verdict is Verdict.DEGRADED
    low, high = (getattr(metric(by_start[0], "error_rate"), end) for end in ("low", "high"))
    assert low < 0.02 < high < 0.1


def test_below_the_coverage_floor_nothing_can_be_told_of_labels(world):
    """The interval would say degraded; half of the labels cannot."""
    story = world().story()
    story.at(0).push(n=1_000, errors=300, labelled=500)
    [window] = story.clock(30).windows
    assert metric(window, "error_rate").verdict is Verdict.CANNOT_TELL
    assert metric(window, "error_rate").needed == 300
    assert window.verdict is Verdict.CANNOT_TELL


def test_late_rows_revise_a_window(world):
    """A late prediction and its late label count in the window, with a new revision."""
    story = world().story()
    story.at(0).push(n=100, errors=5)
    [before] = story.clock(12).windows
    story.at(0).push(n=10, errors=10, late=True)
    [after] = story.advance().windows
    assert (after.id, after.revision, after.late) == (before.id, before.revision + 1, 10)
    assert metric(after, "error_rate").value == 15 / 110
    assert after.content != before.content
    assert story.advance().windows == []


def test_new_windows_come_before_revisions(world):
    """Old news never holds up new news."""
    story = world().story()
    story.at(0).push(n=100)
    story.clock(12)
    story.at(0).push(n=1, late=True)
    story.at(11).push(n=50)
    starts = [w.start_ms for w in story.clock(13).windows]
    assert starts == [11 * 60_000, 0]


def test_a_window_of_several_panes_is_their_sum(world):
    """Three panes of a minute make a window of three."""
    story = world(window="3m").story()
    for minute in range(3):
        story.at(minute).push(n=100, errors=minute)
    [window] = story.clock(30).windows
    assert (window.start_ms, window.end_ms, window.predictions) == (0, 180_000, 300)
    assert metric(window, "error_rate").value == 3 / 300


def test_drift_and_contract_metrics_of_features(world):
    """A histogram like the reference is near 0; one bin of ten is far; missing is counted."""
    story = world(profile=True).story()
    spread = [(i % 100) / 100 for i in range(2_000)]
    story.at(0).push(n=2_000, values=spread)
    story.at(1).push(n=2_000, values=[0.05] * 1_900, missing=100)
    calm, moved = story.clock(30, labels=0).windows
    assert metric(calm, "psi", "x").value < 0.01
    assert metric(calm, "tv", "x").value == 0.0
    assert metric(moved, "tv", "x").value > 0.8
    assert metric(moved, "tv", "x").verdict is Verdict.DEGRADED
    assert metric(moved, "psi", "x").value > metric(moved, "psi", "x").budget
    assert metric(moved, "missing_rate", "x").value == 0.05


def test_reliability_bins_and_calibration_metrics(world):
    """Scores of 0.9 with a tenth of negatives are calibrated."""
    story = world().story()
    story.at(0).push(n=1_000, errors=100)
    [window] = story.clock(30).windows
    [point] = window.reliability
    assert (point.lower, point.upper, point.n, point.rate) == (0.9, 1.0, 1_000, 0.9)
    assert abs(metric(window, "observed_expected").value - 1.0) < 1e-6
    assert metric(window, "ece").value == 0.0
    assert metric(window, "ece_noise_floor").value > 0


def test_an_old_window_is_forgotten_and_does_not_come_back(world):
    """After the horizon a straggler cannot publish a window of one row."""
    story = world().story()
    story.at(0).push(n=100)
    story.clock(12)
    story.at(100).push(n=1)
    story.clock(120)
    encoded = story.decide.changed()
    assert [k for k, v in encoded.items() if k.startswith("pane:") and v is not None] == [
        next(k for k in encoded if k.startswith("pane:") and k.endswith(f",{100 * 60_000}]"))
    ]
    story.at(0).push(n=1, late=True)
    assert story.advance().windows == []


def test_the_cut_names_the_offsets_read(world):
    """One entry for each topic of each shard."""
    story = world().story()
    story.at(0).push(n=100)
    [window] = story.clock(12).windows
    assert window.cut == {"0/predictions": 2}
