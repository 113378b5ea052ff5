"""Stuck models, rows unlike any known, repeated inputs, and embeddings that moved."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.embeddings.columns import EmbeddingColumn, columns_of, with_embeddings
from detectors.summary import CellBuilder, scatter
from schemas.alerts import AlertAction, Severity
from schemas.profiling import build
from schemas.reference import CategoricalReference
from schemas.summaries import Part
from schemas.windows import Verdict
from streams.decide.detect import asked_of
from streams.decide.detect import tests_of as asked_tests

N = 400


def profile():
    """A feature, a category and a score, of 10,000 rows."""
    values = ((np.arange(10_000) + 0.5) / 10_000).tolist()
    columns = {"x": values, "country": ["DE", "FR"] * 5_000}
    return build("m", columns, score=values, source="test")


@pytest.fixture
def told(world, input_sums):
    """Runs windows whose rows and counts follow from the minute."""

    def run(place, rows, *, windows):
        story = place.story()
        for minute in range(windows):
            n, columns, counts = rows(minute)
            delta = place.delta(minute, Part.INPUT, input_sums(place.whole, n, columns, counts))
            story.decide.apply(place.batch([delta], **story.marks))
            story.clock(minute + 2, labels=0)
        return story

    return run


def steps(story, metric):
    """What was said on a metric: action, feature, severity and minute."""
    return [
        (alert.action, alert.feature, alert.severity, alert.window_start_ms // 60_000)
        for alert in story.turns
        if alert.metric == metric
    ]


def shown(window, metric):
    """A metric of a window."""
    return next(one for one in window.metrics if one.name == metric)


def test_a_model_stuck_on_one_score_is_a_ticket_until_it_answers_again(world, told):
    """Nine in ten scores in one bin of twenty, from minute 5 to 14."""
    place = world(profile=profile(), budgets={}, drift={"score": 0.9})
    rng = np.random.default_rng(1)

    def rows(minute):
        law = np.full(20, 0.05)
        if 5 <= minute < 15:
            law = np.array([0.9, *[0.1 / 19] * 19])
        return N, None, {"score_n": [N], "score": rng.multinomial(N, law)}

    story = told(place, rows, windows=30)
    opened, resolved = steps(story, "constant_output")
    assert opened[:3] == (AlertAction.OPENED, "<score>", Severity.TICKET)
    assert 6 <= opened[3] <= 8
    assert resolved[0] is AlertAction.RESOLVED
    assert 15 <= resolved[3] <= 22
    metrics = [shown(window, "constant_output") for window in story.said.windows]
    assert (metrics[0].verdict, metrics[9].verdict) == (Verdict.HEALTHY, Verdict.DEGRADED)
    assert metrics[0].budget == pytest.approx(0.05 + 0.5 * 0.95)


def test_of_classes_the_predicted_one_is_watched_and_constant_answers_are_not(world):
    """A multiclass model has classes; a reference with one answer tells nothing of being stuck."""
    classes = CategoricalReference(n=100, missing=0, categories=["a", "b"], counts=[50, 50, 0])
    known = profile().model_copy(update={"classes": classes})
    place = world(profile=known, task="multiclass", budgets={})
    features = {t.feature for t in asked_tests(place.whole) if t.metric == "constant_output"}
    assert features == {"<class>"}
    one = CategoricalReference(n=100, missing=0, categories=["a"], counts=[100, 0])
    place = world(
        profile=known.model_copy(update={"classes": one, "score": None}),
        task="multiclass",
        budgets={},
    )
    assert not [t for t in asked_tests(place.whole) if t.metric == "constant_output"]
    off = world(profile=profile(), patterns={"constant": None})
    assert not [t for t in asked_tests(off.whole) if t.metric == "constant_output"]


def columns(rng, outside):
    """Rows of which a share has a value that the reference never saw."""
    far = rng.random(N) < outside
    numbers = np.where(far & (rng.random(N) < 0.5), 7.0, rng.uniform(0.01, 0.99, N))
    words = np.where(far & (numbers < 1.0), "XX", rng.choice(["DE", "FR"], N))
    return {"x": numbers.tolist(), "country": words.tolist()}


def test_rows_unlike_any_in_the_reference_are_a_ticket(world, told):
    """One in ten from minute 5; the limit follows from the reference where none is stated."""
    place = world(profile=profile(), budgets={}, drift={"features": 0.9})
    rng = np.random.default_rng(2)
    story = told(
        place,
        lambda minute: (N, columns(rng, 0.1 if 5 <= minute < 15 else 0.001), None),
        windows=30,
    )
    opened, resolved = steps(story, "out_of_domain")
    assert opened[:3] == (AlertAction.OPENED, "", Severity.TICKET)
    assert 5 <= opened[3] <= 8
    assert resolved[0] is AlertAction.RESOLVED
    metric = shown(story.said.windows[0], "out_of_domain")
    assert metric.budget == pytest.approx(0.001 + 0.01)
    assert shown(story.said.windows[10], "out_of_domain").verdict is Verdict.DEGRADED
    assert shown(story.said.windows[10], "out_of_domain").value == pytest.approx(0.1, abs=0.05)


def test_a_stated_budget_of_rows_outside_holds_and_one_that_drifts_by_design_does_not_count(
    world, told
):
    """A feature with drift false may leave its range; without a reference nothing is tested."""
    place = world(
        profile=profile(),
        budgets={"out_of_domain": 0.3},
        drift={"features": 0.9},
        features={"x": {"drift": False}},
    )
    rng = np.random.default_rng(3)
    story = told(place, lambda minute: (N, columns(rng, 0.2), None), windows=6)
    metric = shown(story.said.windows[0], "out_of_domain")
    assert metric.budget == 0.3
    assert 0.05 < metric.value < 0.15
    assert steps(story, "out_of_domain") == []
    assert "out_of_domain" not in {test.metric for test in asked_tests(world(budgets={}).whole)}
    stated = world(budgets={"out_of_domain": 0.3})
    assert "out_of_domain" not in {test.metric for test in asked_tests(stated.whole)}


def test_repeated_inputs_are_shown_and_not_judged(world, told):
    """All rows different, then every row twice."""
    place = world(budgets={}, patterns={"repeats": True})
    rng = np.random.default_rng(4)

    def rows(minute):
        distinct = rng.integers(0, 1_024, N if minute == 0 else N // 2)
        buckets = np.bincount(distinct, minlength=1_024) * (1 if minute == 0 else 2)
        return N, None, {"repeats": buckets}

    story = told(place, rows, windows=2)
    once, twice = (shown(window, "repeat_share") for window in story.said.windows)
    assert once.value < 0.15
    assert twice.value == pytest.approx(1.0, abs=0.2)
    assert once.verdict is twice.verdict is None
    assert "0.044" in once.note
    assert story.turns == []


def vectors(rng, n, shift):
    """Embeddings of eight numbers, moved along one direction."""
    return (rng.normal(size=(n, 8)) + shift).tolist()


def embedded(subject, column: EmbeddingColumn, rows):
    """Counts of an embedding in a pane."""
    build = CellBuilder(subject.inputs)
    column.add(build, rows)
    every = np.zeros(len(rows), np.int64)
    vector = scatter(build.build(), every, every + 1, 1, subject.inputs.size)[0]
    names = [field.name for field in column.fields()]
    return {name: subject.inputs.counts(vector, name) for name in names}


@pytest.fixture(scope="module")
def encoded():
    """A reference with embeddings of 5,000 texts."""
    rng = np.random.default_rng(5)
    rows = [{"text": row} for row in vectors(rng, 5_000, 0.0)]
    return with_embeddings(profile(), rows)


@pytest.mark.parametrize("how", ["moved", "other encoder"])
def test_embeddings_that_move_are_a_ticket_until_they_are_back(world, told, encoded, how):
    """A shift of all numbers, or vectors of another dimension; healthy before and after."""
    place = world(profile=encoded, budgets={})
    (column,) = columns_of(encoded)
    rng = np.random.default_rng(6)

    def rows(minute):
        bad = 5 <= minute < 12
        found = vectors(rng, N, 0.7 if bad and how == "moved" else 0.0)
        if bad and how != "moved":
            found = [row[:5] for row in found]
        return N, None, embedded(place.whole, column, found)

    story = told(place, rows, windows=40)
    opened, resolved = steps(story, "embedding_drift")
    assert opened[:3] == (AlertAction.OPENED, "text", Severity.TICKET)
    assert 6 <= opened[3] <= 9
    assert resolved[0] is AlertAction.RESOLVED
    metrics = [shown(window, "embedding_drift") for window in story.said.windows]
    assert metrics[10].verdict is Verdict.DEGRADED
    assert metrics[10].n == N
    assert metrics[2].value < 0.05
    assert "text" in story.said.windows[11].drifted_so_far


def test_healthy_embeddings_raise_nothing_and_ask_for_one_share(world, told, encoded):
    """Seventeen histograms are one test; forty windows."""
    place = world(profile=encoded, budgets={})
    (column,) = columns_of(encoded)
    rng = np.random.default_rng(7)
    story = told(
        place,
        lambda minute: (N, None, embedded(place.whole, column, vectors(rng, N, 0.0))),
        windows=40,
    )
    assert steps(story, "embedding_drift") == []
    asked = [one for one in asked_of(place.whole) if one.test.metric == "embedding_drift"]
    assert len(asked) == 1
    assert not any(window.drifted_so_far for window in story.said.windows)
