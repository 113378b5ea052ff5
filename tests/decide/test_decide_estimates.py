"""Estimates before labels come, and what the labels then say of them.

Scores are chances of a positive, decided at one half. From minute 20 to 35 a shifted stream has
harder cases (covariate shift), or labels of which a third ignores the score (concept shift).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from detectors.reference import with_outcomes
from detectors.summary import Cells, Ints, scatter
from schemas.alerts import AlertAction, Severity
from schemas.hot import prediction_decoder
from schemas.policy import Policy, Task
from schemas.predictions import Output
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from schemas.summaries import PaneDelta, Part
from schemas.windows import Metric, Verdict, WindowResult
from streams.decide.detect import tests_of as asked_tests
from streams.decide.measure.estimates import estimated
from streams.ingest.decode.json_rows import JsonRows
from streams.ingest.join import label_changes
from streams.ingest.panes import observe
from streams.ingest.plan import Plan

MINUTE = 60_000
BUDGET = 0.22
"""Cases of the reference have an error rate of .18, harder ones .29."""
LABELS_AFTER, MATURITY, ROWS = 5, 10, 400
FIRST, LAST, END = 20, 35, 70


def drawn(rng: np.random.Generator, n: int, *, hard: bool = False) -> np.ndarray:
    """Scores of usual cases, or of harder ones."""
    return rng.beta(1.5, 1.5, n) if hard else rng.beta(0.5, 0.5, n)


def outcomes(rng: np.random.Generator, scores: np.ndarray, *, ignored: float = 0.0) -> np.ndarray:
    """Truths with the score as their chance; a share of them ignores it."""
    chance = np.where(rng.random(scores.size) < ignored, 0.5, scores)
    return (rng.random(scores.size) < chance).astype(np.float64)


def policy_of(**changes: object) -> Policy:
    """Minutes, labels mature after ten of them, a budget of errors, drift tolerated."""
    content = {
        "model": "m",
        "task": Task.BINARY,
        "pane": "1m",
        "labels": {"horizon": "1h", "maturity": f"{MATURITY}m", "lateness": "1m"},
        "budgets": {"error_rate": BUDGET},
        "drift": {"score": 0.9},
        "false_alarms": {"pages": 1.0, "per": "1d"},
        **changes,
    }
    return Policy.model_validate(content, strict=False)


def reference_of(policy: Policy, n: int = 20_000) -> ReferenceProfile:
    """Labelled rows of usual cases."""
    rng = np.random.default_rng(1)
    scores = drawn(rng, n)
    answers = [Output(score=score) for score in scores.tolist()]
    profile = build("m", {}, score=scores.tolist())
    return with_outcomes(profile, policy, answers, outcomes(rng, scores))


@dataclass(frozen=True)
class Vectors:
    """Sums of some predictions and of their labels."""

    inputs: Ints
    labels: Ints


def summed(plan: Plan, scores: np.ndarray, truth: np.ndarray) -> Vectors:
    """What ingestion makes of predictions and labels."""
    events = [
        prediction_decoder.decode(
            json.dumps(
                {
                    "prediction_id": str(place),
                    "model": "m",
                    "version": "v1",
                    "time": 0,
                    "output": {"score": score},
                }
            ).encode()
        )
        for place, score in enumerate(scores.tolist())
    ]
    tails = plan.outcome.pack([event.output for event in events])
    delays = np.full(truth.size, LABELS_AFTER * MINUTE, np.int64)
    rows = truth.size

    def total(cells: Cells, size: int) -> Ints:
        return scatter(cells, np.zeros(rows, np.int64), np.ones(rows, np.int64), 1, size)[0]

    return Vectors(
        total(observe.cells_of(plan, JsonRows.of_events(events), tails), plan.inputs.size),
        total(label_changes.cells_of(plan, tails, truth, delays), plan.labels.size),
    )


@pytest.fixture(scope="module")
def profile() -> ReferenceProfile:
    """The reference of every story."""
    return reference_of(policy_of())


@pytest.fixture(scope="module")
def told() -> dict[tuple[object, ...], object]:
    """Streams told so far; many tests look at the same."""
    return {}


@pytest.fixture
def run(world, profile, told):
    """Tells a stream of 70 minutes."""

    def tell(*, hard: bool = False, ignored: float = 0.0, seed: int = 2, budget: float = BUDGET):
        key = (hard, ignored, seed, budget)
        if key not in told:
            told[key] = fresh(*key)
        return told[key]

    def fresh(hard: bool, ignored: float, seed: int, budget: float):
        changes = {"budgets": {"error_rate": budget}}
        there = type(world())(policy_of(**changes), profile)
        plan = Plan(there.policy, there.policy.hash, profile, profile.hash)
        rng, story = np.random.default_rng(seed), there.story()
        known: list[Ints] = []
        for minute in range(END):
            odd = FIRST <= minute < LAST
            scores = drawn(rng, ROWS, hard=hard and odd)
            truth = outcomes(rng, scores, ignored=ignored if odd else 0.0)
            vectors = summed(plan, scores, truth)
            known.append(vectors.labels)
            panes: list[PaneDelta] = [there.delta(minute, Part.INPUT, vectors.inputs)]
            if minute >= LABELS_AFTER:
                old = minute - LABELS_AFTER
                panes.append(there.delta(old, Part.LABEL, known[old]))
            story.decide.apply(there.batch(panes, **story.marks))
            story.clock(minute + 1.0)
        return story

    return tell


def opened(story, metric: str) -> list[int]:
    """Minutes at which alerts of a metric opened."""
    return [
        alert.opened_at_ms // MINUTE
        for alert in story.turns
        if alert.metric == metric and alert.action is AlertAction.OPENED
    ]


def window(story, minute: int, *, matured: bool) -> WindowResult:
    """The last result of a window, before or after its labels were mature."""
    return [
        found
        for found in story.said.windows
        if found.start_ms == minute * MINUTE and found.coverage.matured is matured
    ][-1]


def shown(result: WindowResult, name: str) -> Metric:
    """A metric of a window."""
    [found] = [metric for metric in result.metrics if metric.name == name]
    return found


def test_harder_cases_raise_a_ticket_before_their_labels_and_the_truth_confirms_it(run) -> None:
    """The estimate speaks first, says what it assumes, and resolves; the scores kept their word."""
    story = run(hard=True)
    [told] = opened(story, "estimated_error_rate")
    assert FIRST < told < FIRST + MATURITY
    [confirmed] = opened(story, "error_rate")
    assert confirmed >= FIRST + MATURITY
    assert opened(story, "estimate_gap") == []
    first, *_, last = (a for a in story.turns if a.metric == "estimated_error_rate")
    assert first.severity is Severity.TICKET
    assert first.summary.startswith("The estimated error rate of m v1 is above its budget: ")
    assert first.summary.endswith("; budget 22 %; assumes P(label | score) unchanged")
    assert last.action is AlertAction.RESOLVED
    assert story.said.rollouts == []


def test_scores_that_lost_their_meaning_raise_a_ticket_and_no_estimate_does(run) -> None:
    """The mix of scores is the same, so the estimate sees nothing; the labels contradict it."""
    story = run(ignored=1 / 3)
    assert opened(story, "estimated_error_rate") == []
    [told] = opened(story, "estimate_gap")
    assert told >= FIRST + MATURITY
    first, *_, last = (a for a in story.turns if a.metric == "estimate_gap")
    assert first.severity is Severity.TICKET
    assert "is above what they explain, so the score no longer means" in first.summary
    assert first.low > first.budget
    assert last.action is AlertAction.RESOLVED
    assert "is within what they explain again" in last.summary


@pytest.mark.parametrize("seed", range(3, 6))
def test_a_healthy_stream_is_silent(run, seed: int) -> None:
    """No alert of any kind."""
    assert run(seed=seed).said.alerts == []


def test_an_estimate_is_scored_by_the_truth_and_never_degrades_a_window(run) -> None:
    """Beyond the budget with its whole interval, before any label: the window cannot tell yet."""
    story = run(hard=True)
    names = {"error_rate", "recall", "precision", "f1", "auc"}
    early, late = (window(story, FIRST + 1, matured=matured) for matured in (False, True))
    estimate = shown(early, "estimated_error_rate")
    assert estimate.verdict is Verdict.DEGRADED
    assert estimate.low > estimate.budget == BUDGET
    assert estimate.n == ROWS
    assert estimate.assumes == "P(label | score) unchanged"
    assert (estimate.realised, estimate.note) == (None, "")
    assert early.verdict is Verdict.CANNOT_TELL
    for name in names:
        number = shown(late, f"estimated_{name}")
        assert number.low <= number.value <= number.high
        assert number.value == pytest.approx(number.realised, abs=0.09)
        assert f"estimated {number.value:.2g} (" in number.note
        assert f"was {number.realised:.2g}" in number.note
    assert shown(late, "estimated_error_rate").realised == shown(late, "error_rate").value


def test_estimates_hold_their_interval_while_scores_mean_the_same(run) -> None:
    """Of the windows of both mixes about 95 % lie inside; after a concept shift few do."""

    def outside(story, name: str) -> float:
        notes = [
            shown(window(story, minute, matured=True), name).note for minute in range(FIRST, LAST)
        ]
        assert all(notes)
        return float(np.mean([note.endswith("the interval") for note in notes]))

    for name in ("estimated_error_rate", "estimated_auc"):
        assert outside(run(hard=True), name) <= 0.2
        assert outside(run(ignored=1 / 3), name) >= 0.8


def test_an_undecided_estimate_says_how_many_rows_it_takes(run) -> None:
    """About four times the rows halve the distance that can be told; the level itself never can."""
    found = shown(window(run(budget=0.2), 1, matured=False), "estimated_error_rate")
    assert found.verdict is Verdict.CANNOT_TELL
    assert found.needed is not None
    assert 100 < found.needed < 20_000


def test_a_segment_has_no_estimates(profile, world) -> None:
    """What scores mean in a segment may always have been something else."""
    there = type(world())(policy_of(segments=["k"]), profile)
    assert there.whole.decision_map is not None
    assert there.segment.decision_map is None
    wanted = {"estimated_error_rate", "estimate_gap"}
    assert wanted <= {test.metric for test in asked_tests(there.whole)}
    assert not wanted & {test.metric for test in asked_tests(there.segment)}


def test_without_a_budget_only_the_gap_is_tested(profile, world) -> None:
    """Nothing is stated or implied that an estimate could cross."""
    there = type(world())(policy_of(budgets={"from_reference": {"off": True}}), profile)
    metrics = {test.metric for test in asked_tests(there.whole)}
    assert "estimate_gap" in metrics
    assert "estimated_error_rate" not in metrics


@pytest.mark.parametrize("scores", [[], [0.1], [0.1, 0.2, 0.3], [0.9] * 5, [0.2, 1.0]])
def test_a_window_that_does_not_define_a_metric_says_so(profile, world, scores) -> None:
    """Without predictions there is no estimate, without positive decisions no precision."""
    there = type(world())(policy_of(floors={"precision": 0.5, "f1": 0.5, "auc": 0.5}), profile)
    story = there.story()
    plan = Plan(there.policy, there.policy.hash, profile, profile.hash)
    vectors = summed(plan, np.array(scores), np.array([float(score > 0.5) for score in scores]))
    vectors.inputs[plan.inputs.slices["n_error"]] += 1
    panes = [
        there.delta(0, Part.INPUT, vectors.inputs),
        there.delta(0, Part.LABEL, vectors.labels),
    ]
    story.decide.apply(there.batch(panes))
    story.clock(30)
    found = {m.name: m for m in window(story, 0, matured=True).metrics if m.assumes}
    assert len(found) == (5 if scores else 0)
    if not scores:
        return
    precision = found["estimated_precision"]
    decided = sum(score >= 0.5 for score in scores)
    assert (precision.value is None) is (decided == 0)
    assert (precision.note == "") is (decided == 0)
    assert found["estimated_auc"].floor == found["estimated_f1"].floor == 0.5
    assert found["estimated_error_rate"].realised == 0.0


def test_rows_that_depend_on_each_other_widen_the_interval(profile, world) -> None:
    """Four rows of one unit tell about as much as one."""
    rng = np.random.default_rng(5)
    scores = drawn(rng, ROWS)
    truth = outcomes(rng, scores)
    half = []
    for rows in (1, 4):
        there = type(world())(policy_of(dependence={"rows_per_unit": rows}), profile)
        plan = Plan(there.policy, there.policy.hash, profile, profile.hash)
        found = estimated(there.whole, summed(plan, scores, truth).inputs)["estimated_error_rate"]
        half.append(float(found.high - found.value))
    assert half[1] == pytest.approx(2 * half[0], rel=0.05)
