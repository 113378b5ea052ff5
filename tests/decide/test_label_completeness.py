"""How complete labels are by their age, learned from windows that are old enough to tell."""

from __future__ import annotations

import pytest

from detectors.outcomes.contract import DELAYS_MS
from schemas.summaries import Part
from schemas.windows import WindowResult

MINUTE = 60_000
HORIZON = 60
N = 100


@pytest.fixture
def tell(world):
    """Windows of a hundred predictions; labels come in the delay buckets that are told."""

    def run(
        by_maturity: dict[int, int], later: dict[int, int], *, windows: int, until: float, **changes
    ):
        there = world(**changes)
        story = there.story()
        for minute in range(windows):
            panes = there.deltas(minute, n=N, labelled=0)
            for part, labels in ((Part.LABEL, by_maturity), (Part.LATE_LABEL, later)):
                vector = there.whole.labels.zeros()
                vector[there.whole.labels.slices["n"]] = sum(labels.values())
                for minutes, count in labels.items():
                    place = DELAYS_MS.index(minutes * MINUTE)
                    vector[there.whole.labels.start("delay") + place] = count
                panes.append(there.delta(minute, part, vector))
            story.decide.apply(there.batch(panes, **story.marks))
        story.clock(until)
        return story

    return run


def last(story, minute: int) -> WindowResult:
    """The newest result of a window."""
    return [found for found in story.said.windows if found.start_ms == minute * MINUTE][-1]


def test_a_young_stream_knows_nothing(tell) -> None:
    """Before any window is mature there is nothing to expect labels by."""
    coverage = last(tell({1: 40}, {}, windows=3, until=5), 0).coverage
    assert (coverage.expected_share, coverage.complete_ms) == (None, None)


def test_mature_windows_tell_what_to_expect_at_an_age(tell) -> None:
    """Labels of 40 and 30 of a hundred by one and five minutes; the window at hand is of that
    age, or younger and expects less."""
    story = tell({1: 40, 5: 30}, {}, windows=1, until=13)
    assert last(story, 0).coverage.expected_share == pytest.approx(0.7)
    there = story.world
    story.decide.apply(there.batch(there.deltas(12, n=N, labelled=0), **story.marks))
    story.decide.apply(there.batch(predictions=15, labels=14.5))
    coverage = story.advance().windows[-1].coverage
    assert coverage.expected_share == pytest.approx(0.4)
    assert coverage.complete_ms is None


def test_labels_after_maturity_count_once_the_horizon_is_over(tell) -> None:
    """26 more come within the hour; then the delay of 95 % is known, and it is beyond maturity."""
    story = tell({1: 40, 5: 30}, {60: 26}, windows=1, until=13)
    assert last(story, 0).coverage.complete_ms is None
    story.clock(70)
    there = story.world
    story.decide.apply(there.batch(there.deltas(70, n=N, labelled=0), **story.marks))
    story.clock(73)
    coverage = last(story, 70).coverage
    assert coverage.complete_ms == 60 * MINUTE > there.policy.maturity_ms
    assert coverage.expected_share == pytest.approx(0.4)


def test_windows_that_are_young_do_not_make_labels_look_rare(tell) -> None:
    """Of twenty windows ten are mature: the share is that of those, not of all."""
    story = tell({1: 40, 5: 30}, {}, windows=20, until=21)
    assert last(story, 8).coverage.expected_share == pytest.approx(0.7)


def test_the_content_of_a_window_is_its_own(tell) -> None:
    """What other windows let expect depends on when it is asked, so the hash leaves it out."""
    found = last(tell({1: 40}, {}, windows=1, until=13), 0)
    unknown = {"expected_share": None, "complete_ms": None}
    without = found.model_copy(update={"coverage": found.coverage.model_copy(update=unknown)})
    assert found.coverage.expected_share is not None
    assert found.content == without.content


def test_more_labels_than_predictions_are_left_out(tell) -> None:
    """Predictions of a stream may have been lost; a share above 1 would mean nothing."""
    coverage = last(tell({1: 140}, {}, windows=1, until=13), 0).coverage
    assert coverage.expected_share is None


def test_delays_survive_a_restart(tell) -> None:
    """A fresh process goes on with what windows have shown."""
    story = tell({1: 40, 5: 30}, {}, windows=1, until=13)
    rows = {key: value for key, value in story.decide.changed().items() if value is not None}
    resumed, there = story.world.decide(), story.world
    resumed.load(rows)
    resumed.apply(there.batch(there.deltas(12, n=N, labelled=0), **story.marks))
    resumed.apply(there.batch(predictions=15, labels=15))
    assert resumed.advance().windows[-1].coverage.expected_share == pytest.approx(0.4)


def test_an_age_that_nothing_has_shown_expects_what_the_last_one_did(tell) -> None:
    """Windows count to their maturity of ten minutes; one of half an hour has at least as many."""
    story = tell({1: 22, 5: 49}, {}, windows=5, until=35)
    assert last(story, 4).coverage.expected_share == pytest.approx(0.71)
