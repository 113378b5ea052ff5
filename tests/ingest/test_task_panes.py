"""INGEST of every task: what its default set needs arrives in panes, in whatever order."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from shards import HOUR, Bench
from tasks import DRAWS, events

from detectors.answers import item_lists, with_answers
from detectors.quantities import sums_of
from schemas.policy import Labels, Policy, Task
from schemas.predictions import Output
from schemas.reference import ReferenceProfile

N = 60


def bench_of(task: str) -> Bench:
    """A shard whose reference knows the answers of another hour."""
    predictions, _ = events(task, hour=0, n=200, seed=9)
    answers = [Output.model_validate(event["output"]) for event in predictions]
    profile = with_answers(ReferenceProfile(model="m", n=200), answers)
    labels = Labels(horizon="2d", maturity="6h", lateness="3h")
    policy = Policy(
        model="m", task=Task(task), pane="1h", lateness="2h", labels=labels, segments=["k"]
    )
    return Bench(policy, profile)


def traffic(task: str) -> list[tuple[str, dict[str, Any]]]:
    """Events of an hour, a third of them in a segment."""
    predictions, feedback = events(task, hour=5, n=N, seed=4)
    for place, event in enumerate(predictions):
        event["segments"] = {"k": "v"} if place % 3 == 0 else {}
    return [("predictions", event) for event in predictions] + [
        ("feedback", event) for event in feedback
    ]


def told(bench: Bench, rows: list[tuple[str, dict[str, Any]]], *, size: int) -> Bench:
    """A shard that read rows in batches, with a restart after each checkpoint."""
    for start in range(0, len(rows), size):
        bench.apply(*(bench.record(topic, event) for topic, event in rows[start : start + size]))
        bench.checkpoint()
        bench.restart()
    return bench


@pytest.mark.parametrize("task", sorted(DRAWS))
def test_panes_do_not_depend_on_order_or_batches(task: str) -> None:
    """Shuffled and cut in other places: the same integers."""
    rows = traffic(task)
    whole = told(bench_of(task), rows, size=len(rows)).sums()
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        assert told(bench_of(task), rows, size=7 + seed).sums() == whole


def vectors(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the input and the label panes of all segments."""
    found = []
    for part, size in (("input", bench.plan().inputs.size), ("label", bench.plan().labels.size)):
        panes = [v for key, v in bench.panes.items() if key[3] == "" and key[5] == part]
        found.append(np.sum(panes, axis=0)[:size])
    return found[0], found[1]


def test_lists_reach_the_pane_with_their_items() -> None:
    """Each counts once, and most labels are clicks on the first items."""
    bench = told(bench_of("ranking"), traffic("ranking"), size=40)
    inputs, labels = vectors(bench)
    plan = bench.plan()
    assert item_lists(plan.inputs, inputs).sum() == pytest.approx(N, abs=1e-9)
    clicks = sums_of(plan.labels, labels, "ctr")
    assert clicks is not None
    assert (clicks.n, 0 < clicks.s < N) == (N, True)


def test_classes_and_quantiles_reach_their_panes() -> None:
    """Every answer has a class among the known, every truth a place between quantiles."""
    bench = told(bench_of("multiclass"), traffic("multiclass"), size=40)
    inputs, labels = vectors(bench)
    plan = bench.plan()
    assert plan.inputs.counts(inputs, "class").sum() == N
    recalls = [sums_of(plan.labels, labels, "recall", name) for name in ("cat", "dog", "cow")]
    assert sum(recall.n for recall in recalls if recall is not None) == N
    assert plan.labels.counts(labels, "class_n").sum() == 3 * N
    bench = told(bench_of("regression"), traffic("regression"), size=40)
    _, labels = vectors(bench)
    assert bench.plan().labels.counts(labels, "pit").sum() == N


def test_a_correction_takes_the_old_truth_out_of_every_sum() -> None:
    """After a correction the panes are those of the new label alone."""
    base = {"prediction_id": "p", "model": "m"}
    scores = {"cat": 0.7, "dog": 0.2, "cow": 0.1}
    answer = {**base, "version": "v", "time": 5 * HOUR, "output": {"scores": scores}}
    first = {**base, "time": 5 * HOUR + 1_000, "label": "dog"}
    second = {**base, "time": 5 * HOUR + 2_000, "label": "cow", "kind": "correction"}
    corrected, plain = bench_of("multiclass"), bench_of("multiclass")
    told(corrected, [("predictions", answer), ("feedback", first), ("feedback", second)], size=1)
    told(plain, [("predictions", answer), ("feedback", second)], size=1)
    size = plain.plan().labels.size
    names = [f"{name}:{mark}" for name in ("cat", "dog", "cow") for mark in ("true", "hit")]
    for name in (*names, "class_n", "class_y", "class_p", "class_sq", "class_slope_d", "err"):
        after, alone = (
            bench.plan().labels.counts(vectors(bench)[1][:size], name).tolist()
            for bench in (corrected, plain)
        )
        assert after == alone
