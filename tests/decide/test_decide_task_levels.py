"""Levels that only some tasks have: each alerts when it should, and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detectors.answers import with_answers
from detectors.inputs import add_features
from detectors.outcomes import outcome_of
from detectors.summary import CellBuilder, scatter
from schemas.alerts import AlertAction
from schemas.policy import Task
from schemas.predictions import Output
from schemas.reference import CategoricalReference, OutcomeReference, ReferenceProfile

LABELS = {"maturity": "1m", "horizon": "1h", "lateness": "1m", "coverage": 0.5, "scale": 4.0}
HEALTHY = 15
"""Windows before the trouble; the trouble lasts as long, and so does the time after it."""

CLASSES = ReferenceProfile(
    model="m",
    n=1_000,
    classes=CategoricalReference(
        n=1_000, missing=0, categories=["cat", "dog"], counts=[600, 400, 0]
    ),
)
BIASED = ReferenceProfile(
    model="m", n=4_000, outcomes={"under_rate": OutcomeReference(n=4_000, sum=1_200.0)}
)
QUANTILES = ReferenceProfile(model="m", n=1_000, quantiles=[0.1, 0.5, 0.9])


def label_pane(subject, answers: Sequence[Output], truth: np.ndarray) -> np.ndarray:
    """Vector of a label pane of any task."""
    outcome = outcome_of(subject.policy, subject.reference)
    build = CellBuilder(subject.labels)
    rows = np.arange(len(answers))
    build.ones("n", rows)
    outcome.add(build, outcome.pack(answers), truth)
    return scatter(build.build(), rows * 0, rows * 0 + 1, 1, subject.labels.size)[0]


def told(there, make, *, n: int = 200, windows: int = 3 * HEALTHY):
    """Windows whose answers and truths ``make`` draws; those of the middle third are in trouble."""
    rng = np.random.default_rng(5)
    story = there.story()
    for minute in range(windows):
        bad = HEALTHY <= minute < 2 * HEALTHY
        answers, truth = make(rng, n, bad)
        vector = label_pane(there.whole, answers, truth)
        panes = [*there.deltas(minute, n=n, labelled=0), there.delta(minute, "label", vector)]
        story.decide.apply(there.batch(panes, **story.marks))
        story.clock(minute + 1)
    story.clock(windows + 5)
    return story


def opened(story) -> list[tuple[str, str, int]]:
    """Metric, feature and window of each alert."""
    return [
        (alert.metric, alert.feature, alert.window_start_ms // 60_000)
        for alert in story.turns
        if alert.action is AlertAction.OPENED
    ]


def resolved(story) -> list[tuple[str, str]]:
    """Metric and feature of each alert that ended."""
    return [
        (alert.metric, alert.feature)
        for alert in story.turns
        if alert.action is AlertAction.RESOLVED
    ]


def test_a_floor_on_recall_holds_for_each_class(world):
    """Dogs are taken for cats: their recall alerts and recovers, that of cats does not."""
    there = world(
        task=Task.MULTICLASS,
        labels=LABELS,
        profile=CLASSES,
        budgets={"from_reference": {"off": True}},
        floors={"recall": 0.8},
        false_alarms={"pages": 1.0, "per": "1d", "weights": {"calibration": 0}},
    )

    def make(rng, n, bad):
        truth = np.where(rng.random(n) < 0.6, "cat", "dog")
        missed = rng.random(n) < np.where(truth == "dog", 0.6 if bad else 0.05, 0.05)
        said = np.where(missed, np.where(truth == "cat", "dog", "cat"), truth)
        outcome = outcome_of(there.policy, there.profile)
        numbers = [outcome.truth(Output(label=str(name))) for name in truth]
        return [Output(label=str(name), score=0.9) for name in said], np.array(numbers, np.float64)

    story = told(there, make)
    assert opened(story) == [("recall", "dog", HEALTHY)]
    assert resolved(story) == [("recall", "dog")]
    shown = [m for m in story.said.windows[-1].metrics if m.name == "recall"]
    assert [(m.feature, m.floor) for m in shown] == [("cat", 0.8), ("dog", 0.8)]


def residuals(bias: float, healthy: float = 0.0):
    """Forecasts of 0 and truths around ``healthy``, in trouble around ``bias``."""

    def make(rng, n, bad):
        return [Output(value=0.0)] * n, rng.normal(bias if bad else healthy, 1.0, n)

    return make


@pytest.mark.parametrize(("bias", "worse"), [(0.8, "above"), (-0.8, "below")])
def test_a_forecast_that_leaves_the_middle_is_biased(world, bias, worse):
    """Either way, without a reference; over once it is back."""
    there = world(task=Task.REGRESSION, labels=LABELS, budgets={}, alerting={"clear": 0.0})
    story = told(there, residuals(bias))
    assert [kind[:2] for kind in opened(story)] == [("under_rate", "")]
    assert opened(story)[0][2] >= HEALTHY
    assert story.turns[0].worse == worse
    assert resolved(story) == [("under_rate", "")]


def test_bias_is_judged_against_the_references_own(world):
    """Three in ten forecasts were too low when all was well: that stays fine, one half is not."""
    there = world(task=Task.REGRESSION, labels=LABELS, budgets={}, profile=BIASED)
    usual = -0.5244
    story = told(there, residuals(0.0, healthy=usual))
    assert [kind[:2] for kind in opened(story)] == [("under_rate", "")]
    assert opened(story)[0][2] >= HEALTHY
    switched_off = world(
        task=Task.REGRESSION,
        labels=LABELS,
        profile=BIASED,
        budgets={"from_reference": {"off": True}},
    )
    assert opened(told(switched_off, residuals(0.0, healthy=usual))) == []


def test_quantiles_that_are_too_narrow_alert_and_recover(world):
    """Truths are spread twice as far as forecast; half are still too low, so it is no bias."""
    there = world(
        task=Task.REGRESSION,
        labels=LABELS,
        budgets={},
        profile=QUANTILES,
        calibration={"tolerance": 0.1},
    )
    answer = Output(value=0.0, quantiles={"0.1": -1.2816, "0.5": 0.0, "0.9": 1.2816})

    def make(rng, n, bad):
        return [answer] * n, rng.normal(0.0, 2.0 if bad else 1.0, n)

    story = told(there, make, n=400)
    assert [kind[:2] for kind in opened(story)] == [("pit", "")]
    assert HEALTHY <= opened(story)[0][2] <= HEALTHY + 3
    assert resolved(story) == [("pit", "")]
    summary = story.turns[0].summary
    assert summary.startswith("The deviation of forecast quantiles (total variation) of m v1")


def input_pane(there, n: int, values: np.ndarray) -> np.ndarray:
    """Vector of an input pane of a chat whose signal takes some values."""
    layout = there.whole.inputs
    build = CellBuilder(layout)
    features = there.whole.features
    add_features(build, layout, features, [values.tolist() for _ in features])
    rows = np.zeros(n, np.int64)
    vector = scatter(build.build(), rows, rows + 1, 1, layout.size)[0]
    vector[layout.slices["n"]] += n
    return vector


@pytest.mark.parametrize(
    ("level", "bad_mean", "worse"),
    [({"max_mean": 0.12}, 0.3, "above"), ({"min_mean": 0.07}, 0.02, "below")],
)
def test_a_mean_beyond_its_level_is_a_ticket(world, level, bad_mean, worse):
    """The toxicity of a chat leaves its level and comes back; a wild value counts as the end."""
    there = world(
        task=Task.CHAT,
        budgets={},
        features={"toxicity": {"min": 0, "max": 1, **level}},
        alerting={"clear": 0.0},
    )
    rng, story = np.random.default_rng(3), there.story()
    for minute in range(3 * HEALTHY):
        mean = bad_mean if HEALTHY <= minute < 2 * HEALTHY else 0.1
        values = rng.beta(20 * mean, 20 * (1 - mean), 200)
        pane = there.delta(minute, "input", input_pane(there, 200, values))
        story.decide.apply(there.batch([pane], **story.marks))
        story.clock(minute + 1)
    story.clock(3 * HEALTHY + 5)
    assert [kind[:2] for kind in opened(story)] == [("mean", "toxicity")]
    first = story.turns[0]
    assert (first.severity, first.worse) == ("ticket", worse)
    assert first.value == pytest.approx(bad_mean, abs=0.03)
    assert resolved(story) == [("mean", "toxicity")]
    shown = [m for m in story.said.windows[0].metrics if m.name == "mean"]
    assert [(m.feature, m.verdict) for m in shown] == [("toxicity", "healthy")]


def test_a_mean_is_judged_in_its_own_units(world):
    """Tokens from 0 to 4,000: n, level, value and what a verdict needs are in tokens and events."""
    there = world(
        task=Task.CHAT,
        budgets={},
        features={"tokens": {"min": 0, "max": 4_000, "max_mean": 320}},
    )
    story = there.story()
    values = np.array([100.0, 300.0, 500.0, 9_000.0, 100.0])
    story.decide.apply(there.batch([there.delta(0, "input", input_pane(there, 5, values))]))
    [window] = story.clock(60).windows
    [shown] = [m for m in window.metrics if m.name == "mean"]
    assert (shown.n, shown.budget) == (5, 320)
    assert shown.value == pytest.approx(1_000.0, abs=0.01)
    assert shown.verdict == "cannot_tell"
    assert shown.needed is not None
    assert shown.needed > 0


def test_empty_lists_are_judged_in_every_segment(world):
    """A stated budget holds for segments too; one in five lists of one segment is empty."""
    there = world(task=Task.RANKING, budgets={"zero_results": 0.05}, segments=["k"], max_segments=2)
    story = there.story()
    for minute in range(10):
        panes = []
        for segment, empty in (("", 8), ("k=v", 40)):
            subject = there.segment if segment else there.whole
            vector = subject.inputs.zeros()
            vector[subject.inputs.slices["n"]] = 200
            vector[subject.inputs.slices["n_empty"]] = empty
            panes.append(there.delta(minute, "input", vector, segment=segment))
        story.decide.apply(there.batch(panes, **story.marks))
        story.clock(minute + 1)
    alerts = [alert for alert in story.turns if alert.action is AlertAction.OPENED]
    assert {(alert.metric, alert.segment) for alert in alerts} == {("zero_results", "k=v")}


def test_items_of_lists_are_counted_and_their_favourites_shown(world):
    """Twenty items for each list of two: about forty in all, spread as in the reference."""
    lists = [Output(items=[f"i{k % 40}", f"i{(k + 1) % 40}"]) for k in range(400)]
    profile = with_answers(ReferenceProfile(model="m", n=400), lists)
    there = world(task=Task.RANKING, budgets={}, profile=profile)
    layout = there.whole.inputs
    weights = np.round(np.array(profile.items.shares) * 400 * 2_520).astype(np.int64)
    vector = layout.zeros()
    vector[layout.slices["n"]] = 400
    vector[layout.slices["items"]] = weights
    story = there.story()
    story.decide.apply(there.batch([there.delta(0, "input", vector)]))
    [window] = story.clock(60).windows
    shown = {(m.name, m.feature): m for m in window.metrics}
    items = shown["distinct_items", ""]
    assert items.low <= 40 <= items.high
    assert items.value == pytest.approx(40, abs=5)
    popular = shown["popular_share", ""]
    assert popular.n == 400
    assert popular.value == pytest.approx(sum(sorted(profile.items.shares)[-3:]), abs=1e-6)
    assert shown["tv", "<items>"].value == 0.0


def test_a_task_without_classes_in_its_reference_has_no_test_on_them(world):
    """A floor on recall waits until the reference names the classes."""
    there = world(task=Task.MULTICLASS, labels=LABELS, budgets={}, floors={"recall": 0.5})
    assert [level.metric for level in there.whole.levels] == []
    named = world(
        task=Task.MULTICLASS, labels=LABELS, budgets={}, floors={"recall": 0.5}, profile=CLASSES
    )
    assert [(level.metric, level.feature) for level in named.whole.levels] == [
        ("recall", "cat"),
        ("recall", "dog"),
    ]
