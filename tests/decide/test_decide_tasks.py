"""Every task shows its own metrics, from what its outcome sums up."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.latency import ddsketch
from detectors.outcomes import outcome_of
from detectors.summary import CellBuilder, scatter
from schemas.feedback import FeedbackEvent, FeedbackKind
from schemas.policy import Task
from schemas.predictions import Output

ANSWERS = {
    Task.MULTICLASS: (Output(scores={"a": 0.7, "b": 0.3}), {"label": "b"}),
    Task.REGRESSION: (Output(value=3.0, interval=[2.0, 4.0]), {"value": 5.0}),
    Task.RANKING: (Output(items=["x", "y"]), {"label": "y"}),
    Task.CHAT: (Output(signals={"tokens": 5.0}), {"signals": {"thumbs": -1.0}}),
}
SHOWN = {
    Task.MULTICLASS: {"error_rate": 1.0, "error_rate_top10": 0.0, "log_loss": 1.203973},
    Task.REGRESSION: {"mae": 0.5, "under_rate": 1.0, "interval_miss_rate": 1.0},
    Task.RANKING: {"error_rate": 0.0, "mrr": 0.5, "ndcg": 0.63093},
    Task.CHAT: {"error_rate": 1.0},
}


@pytest.mark.parametrize("task", sorted(ANSWERS))
def test_a_task_shows_its_metrics(world, task):
    """Ten equal answers with one truth: every mean is that of one."""
    there = world(task=task, budgets={}, labels={"maturity": "10m", "horizon": "1h", "scale": 4.0})
    outcome = outcome_of(there.policy)
    answer, truth = ANSWERS[task]
    feedback = FeedbackEvent(prediction_id="1", model="m", time=0, kind=FeedbackKind.TRUTH, **truth)
    build = CellBuilder(there.whole.labels)
    rows = np.arange(10)
    build.ones("n", rows)
    outcome.add(build, outcome.pack([answer] * 10), np.full(10, outcome.truth(feedback)))
    every, plus = np.zeros(10, np.int64), np.ones(10, np.int64)
    vector = scatter(build.build(), every, plus, 1, there.whole.labels.size)[0]
    story = there.story()
    panes = [*there.deltas(0, n=10, labelled=0), there.delta(0, "label", vector)]
    story.decide.apply(there.batch(panes))
    [window] = story.clock(60).windows
    shown = {m.name: m.value for m in window.metrics}
    for name, value in SHOWN[task].items():
        assert shown[name] == pytest.approx(value, abs=1e-5)
    assert window.coverage.share == 1.0


def test_latency_quantiles_carry_rank_intervals(world):
    """A thousand latencies from 1 to 1,000 ms; each within 2 %."""
    there = world()
    layout = there.whole.inputs
    vector = layout.zeros()
    vector[layout.slices["n"]] = vector[layout.slices["latency_n"]] = 1_000
    vector[layout.slices["latency"]] = ddsketch.counts(np.arange(1.0, 1_001.0))
    story = there.story()
    story.decide.apply(there.batch([there.delta(0, "input", vector)]))
    [window] = story.clock(60, labels=0).windows
    shown = {m.name: m for m in window.metrics}
    for name, value in (("latency_p50", 500), ("latency_p95", 950), ("latency_p99", 990)):
        assert shown[name].value == pytest.approx(value, rel=0.021)
        assert shown[name].low <= 1.02 * value
        assert shown[name].high is None or shown[name].high >= 0.98 * value
        assert shown[name].n == 1_000
