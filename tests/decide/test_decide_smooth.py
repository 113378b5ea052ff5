"""AUC and F1: shown with intervals, and tested with an asymptotic sequence over windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from scipy import stats

from detectors.metrics import auc
from detectors.metrics.asymptotic import BURN_IN, margin
from schemas.alerts import AlertAction, Severity
from schemas.errors import ConfigurationError
from schemas.reference import NumericReference, ReferenceProfile
from schemas.summaries import Part
from schemas.windows import Verdict
from streams.decide.detect.contract import Evidence
from streams.decide.detect.smooth import LIVES, SmoothTest
from streams.decide.subject import subject_of
from streams.runtime.announce import check_auc

RUNS, WINDOWS = 1_000, 300
EDGES = np.linspace(-2.5, 4.0, 21)[1:-1]


def scored() -> ReferenceProfile:
    """A reference with 20 bins of the score."""
    edges = [i / 20 for i in range(1, 20)]
    score = NumericReference(
        n=2_000, missing=0, mean=0.5, sd=0.3, min=0.0, max=1.0, edges=edges, counts=[100] * 20
    )
    return ReferenceProfile(model="m", n=2_000, score=score)


def law(shift: float) -> np.ndarray:
    """Shares of 20 bins, of a normal score."""
    shares: np.ndarray = np.diff(np.r_[0.0, stats.norm.cdf(EDGES, loc=shift), 1.0])
    return shares


def counted(subject, *, pos=None, neg=None, cells=None):
    """A label pane of counts by bin, of cells (tp, fp, fn, tn), or of both."""
    layout = subject.labels
    vector = layout.zeros()
    if pos is not None:
        vector[layout.slices["bin_n"]] = np.asarray(pos) + np.asarray(neg)
        vector[layout.slices["bin_pos"]] = pos
        vector[layout.slices["n"]] = np.sum(pos) + np.sum(neg)
    for name, count in zip(("tp", "fp", "fn", "tn"), cells or (), strict=False):
        vector[layout.slices[name]] = count
        vector[layout.slices["n"]] += 0 if pos is not None else count
    return vector


def push(story, minute, vector):
    """Labels of a minute, all of them there."""
    there = story.world
    n = int(vector[there.whole.labels.start("n")])
    panes = [*there.deltas(minute, n=n, labelled=0), there.delta(minute, Part.LABEL, vector)]
    story.decide.apply(there.batch(panes, **story.marks))


def there_with(world, **floors):
    """A world with a scored reference."""
    there = world(floors=floors, budgets={"from_reference": {"off": True}})
    return type(there)(there.policy, scored())


def metric_of(window, name):
    """A metric of a result."""
    [found] = [metric for metric in window.metrics if metric.name == name]
    return found


def test_windows_show_auc_and_f1_with_intervals_and_verdicts(world):
    """Known answers, judged against the floors."""
    there = there_with(world, auc=0.8, f1=0.9)
    story = there.story()
    pos, neg = np.zeros(20, int), np.zeros(20, int)
    pos[:4], neg[:4] = (5, 10, 25, 60), (300, 200, 80, 20)
    push(story, 0, counted(there.whole, pos=pos, neg=neg, cells=(40, 10, 20, 630)))
    [window] = story.clock(60).windows
    area, score = metric_of(window, "auc"), metric_of(window, "f1")
    assert area.value == pytest.approx(0.894167, abs=1e-6)
    assert (area.low, area.high) == pytest.approx((0.8497, 0.9233), abs=1e-4)
    assert (area.n, area.floor, area.verdict) == (700, 0.8, Verdict.HEALTHY)
    assert (score.value, score.low, score.high) == pytest.approx((0.7273, 0.6252, 0.81), abs=1e-4)
    assert (score.n, score.verdict) == (700, Verdict.DEGRADED)


def test_a_verdict_that_is_open_says_how_many_labels_more(world):
    """The floor lies within the interval; without both classes there is no AUC at all."""
    there = there_with(world, auc=0.88)
    story = there.story()
    pos, neg = np.zeros(20, int), np.zeros(20, int)
    pos[:4], neg[:4] = (5, 10, 25, 60), (300, 200, 80, 20)
    push(story, 0, counted(there.whole, pos=pos, neg=neg))
    push(story, 1, counted(there.whole, pos=pos * 0, neg=neg))
    first, second = story.clock(60).windows
    area, none = metric_of(first, "auc"), metric_of(second, "auc")
    assert (area.verdict, area.needed) == (Verdict.CANNOT_TELL, pytest.approx(6_200, rel=0.05))
    assert (none.value, none.verdict, none.needed) == (None, Verdict.CANNOT_TELL, None)


def test_a_fall_of_auc_opens_a_page_that_says_asymptotic_and_is_resolved(world):
    """From .86 to .76 and back, with a floor of .82."""
    there = there_with(world, auc=0.82)
    story = there.story()
    rng = np.random.default_rng(1)
    for minute in range(160):
        pos = rng.multinomial(60, law(1.0 if 30 <= minute < 80 else 1.5))
        push(story, minute, counted(there.whole, pos=pos, neg=rng.multinomial(240, law(0.0))))
    story.clock(200)
    opened, resolved = story.turns
    assert (opened.metric, opened.detector) == ("auc", "asymptotic-cs")
    assert (opened.severity, opened.budget, opened.worse) == (Severity.PAGE, 0.82, "below")
    assert 30 < opened.window_start_ms / 60_000 < 80 < resolved.window_start_ms / 60_000
    assert (opened.action, resolved.action) == (AlertAction.OPENED, AlertAction.RESOLVED)
    assert opened.log_e >= 0.0
    assert 0.0 < opened.share < opened.cost <= opened.spent
    assert opened.summary.startswith("The AUC of m v1 is below its floor: 0.")
    assert opened.summary.endswith("floor 0.82; the test is asymptotic")
    assert "300 labelled predictions" in opened.summary


def test_f1_needs_no_reference(world):
    """A page after the burn-in, never before; AUC cannot be tested there."""
    there = world(floors={"f1": 0.75, "auc": 0.9}, budgets={})
    story = there.story()
    rng = np.random.default_rng(2)
    for minute in range(40):
        cells = rng.multinomial(300, [0.10, 0.08, 0.07, 0.75])
        push(story, minute, counted(there.whole, cells=cells.tolist()))
    story.clock(80)
    [alert] = story.turns
    assert (alert.metric, alert.window_start_ms) == ("f1", (BURN_IN - 1) * 60_000)
    assert "the test is asymptotic" in alert.summary


def test_a_floor_of_auc_without_scores_is_refused(world):
    """With the fix in the message, where the policy is put in force."""
    policy = world(floors={"auc": 0.9}).policy
    with pytest.raises(ConfigurationError, match=r"floors\.auc is 0\.9, and no reference"):
        check_auc(policy, None)
    check_auc(policy, scored())


def test_windows_without_a_value_are_no_evidence_and_cost_nothing(world):
    """No positive, so no AUC: nothing is remembered, and nothing spent."""
    there = there_with(world, auc=0.9)
    story = there.story()
    for minute in range(40):
        push(story, minute, counted(there.whole, pos=[0] * 20, neg=[10] * 20))
    story.clock(80)
    [account] = story.decide.ledger()
    assert [entry.spent for entry in account.entries if entry.metric == "auc"] == [0.0]
    assert story.turns == []


def areas(runs: int, windows: int, seed: int, size: int = 200) -> tuple[np.ndarray, float]:
    """AUC of windows with 15 % positives, shape (runs, windows), and its mean."""
    rng = np.random.default_rng(seed)
    n_pos = rng.binomial(size, 0.15, size=(runs, windows))
    pos, neg = rng.multinomial(n_pos, law(1.5)), rng.multinomial(size - n_pos, law(0.0))
    return auc.auc(pos, neg), float(auc.auc(law(1.5), law(0.0)))


def scores(runs: int, windows: int, seed: int, size: int = 200) -> tuple[np.ndarray, float]:
    """F1 of windows, and that of all rows together."""
    cells = np.random.default_rng(seed).multinomial(
        size, [0.12, 0.05, 0.03, 0.80], size=(runs, windows)
    )
    tp, wrong = cells[..., 0], cells[..., 1] + cells[..., 2]
    return 2 * tp / (2 * tp + wrong), 0.75


Width: TypeAlias = Callable[[int, float, float], float]


def alarms(
    values: np.ndarray, floor: float, share: float, width: Width = margin, first: int = BURN_IN
) -> np.ndarray:
    """Alarms of each run under the rule of `SmoothTest`, each followed by a new start."""
    kept = [np.zeros((3, len(values))) for _ in LIVES]
    found = np.zeros(len(values), int)
    halves = [
        np.array(
            [math.inf] * first
            + [width(age, age * share / 2.0, life / 2.0) for age in range(first, life + 1)]
        )
        for life in LIVES
    ]
    for value in values.T:
        hit = np.zeros(len(values), bool)
        for life, state, half in zip(LIVES, kept, halves, strict=True):
            state[:, state[0] >= life] = 0.0
            n, step = state[0] + 1.0, value - state[1]
            mean = state[1] + step / n
            squares = state[2] + step * (value - mean)
            state[:] = n, mean, squares
            old = n >= first
            spread = np.sqrt(squares[old] / (n[old] - 1.0))
            hit[old] |= mean[old] + spread * half[n[old].astype(int)] < floor
        found += hit
        for state in kept:
            state[:, hit] = 0.0
    return found


def spread_of(found: np.ndarray) -> float:
    """Three standard errors of a mean."""
    return float(3.0 * found.std(ddof=1) / math.sqrt(found.size))


@pytest.mark.parametrize("share", [0.0003, 0.005])
@pytest.mark.parametrize("metric", [areas, scores])
def test_at_the_floor_false_alarms_stay_within_what_is_spent(metric, share):
    """Looked at after each of 300 windows of 200 labels: the calibration that the docs state."""
    values, floor = metric(RUNS, WINDOWS, 3)
    found = alarms(values, floor, share)
    assert found.mean() <= WINDOWS * share + spread_of(found)


def test_control_peeked_z():
    """The interval of one look, believed at every look, alarms more than was spent."""

    def once(n: int, level: float, _: float) -> float:
        return float(stats.norm.isf(level)) / math.sqrt(n)

    values, floor = areas(RUNS, WINDOWS, 3)
    found = alarms(values, floor, 0.0003, width=once)
    assert found.mean() > WINDOWS * 0.0003 + spread_of(found)


def test_a_stricter_level_lies_outside():
    """At every age: so what was spent so far may be the level of a look."""
    levels = np.geomspace(1e-6, 0.9, 60)
    for life in LIVES:
        for age in range(BURN_IN, life + 1):
            assert np.all(np.diff([margin(age, level, life / 2.0) for level in levels]) < 0.0)


def test_the_test_is_the_simulated_rule(world):
    """Alarm for alarm, from bytes to bytes, in no more room than other tests take."""
    there = there_with(world, auc=0.8)
    subject = subject_of(there.policy, there.profile, whole=True)
    rng = np.random.default_rng(4)
    for shift, floor in ((1.5, 0.86), (1.5, 0.87), (1.2, 0.84)):
        test, memory, values, found = SmoothTest("auc", floor), b"", [], 0
        for _ in range(260):
            pos, neg = rng.multinomial(30, law(shift)), rng.multinomial(170, law(0.0))
            seen = Evidence(subject, counted(subject, pos=pos, neg=neg), 0)
            step = test.bet(memory, seen, share=0.002)
            memory = b"" if step.alarm else step.memory
            values.append(test.read(seen).value)
            found += step.alarm
            assert len(step.memory) <= 128
        assert [found] == alarms(np.array([values]), floor, 0.002).tolist()
