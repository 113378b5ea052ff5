"""INGEST counts rows and positive decisions by score, before labels and with them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from shards import HOUR, Bench

from detectors.reference import with_outcomes
from schemas.policy import Labels, Policy, Task
from schemas.predictions import Output
from schemas.profiling import build
from schemas.reference import ReferenceProfile

POLICY = Policy(
    model="m",
    task=Task.BINARY,
    pane="1h",
    lateness="2h",
    labels=Labels(horizon="2d", maturity="6h", lateness="3h"),
    segments=["k"],
)
ROWS = [(0.05, None, 0), (0.05, None, 1), (0.45, True, 1), (0.55, None, 0), (1.0, None, 1)]
"""Score, stated decision, truth; without one, the decision is positive from one half on."""


def reference(*, labelled: bool = True) -> ReferenceProfile:
    """A hundred rows with scores all over [0, 1)."""
    scores = [(i + 0.5) / 100 for i in range(100)]
    profile = build("m", {}, score=scores)
    answers = [Output(score=score) for score in scores]
    if not labelled:
        return profile
    return with_outcomes(profile, POLICY, answers, np.array([i % 2 for i in range(100)], float))


def traffic() -> list[tuple[str, dict[str, Any]]]:
    """One prediction and two feedback events of each row; the second is right."""
    said: list[tuple[str, dict[str, Any]]] = []
    for place, (score, label, truth) in enumerate(ROWS):
        row = {"prediction_id": f"p{place}", "model": "m"}
        output = {"score": score} | ({} if label is None else {"label": label})
        time = 5 * HOUR + place
        event = {**row, "version": "v1", "time": time, "output": output, "segments": {"k": "v"}}
        said.append(("predictions", event))
        for minutes, told in ((1, 1 - truth), (2, truth)):
            said.append(("feedback", {**row, "time": time + minutes * 60_000, "label": told}))
    return said


def told(profile: ReferenceProfile, rows: list[tuple[str, dict[str, Any]]], *, size: int) -> Bench:
    """A shard that read rows in batches, with a restart after each checkpoint."""
    bench = Bench(POLICY, profile)
    for start in range(0, len(rows), size):
        bench.apply(*(bench.record(topic, event) for topic, event in rows[start : start + size]))
        bench.checkpoint()
        bench.restart()
    return bench


def by_tenth(bench: Bench, part: str, field: str) -> dict[int, int]:
    """Entries of a field that are not zero, by tenth, of the stream of all segments."""
    layout = bench.plan().labels if part == "label" else bench.plan().inputs
    [total] = [pane for key, pane in bench.panes.items() if (key[3], key[5]) == ("", part)]
    return {i: int(n) for i, n in enumerate(total[layout.slices[field]]) if n}


@pytest.mark.parametrize("size", [1, 4, 100])
def test_rows_and_decisions_are_counted_by_tenth(size: int) -> None:
    """A stated decision holds against the score; corrections leave each row counted once."""
    rows = traffic()
    random.Random(size).shuffle(rows)
    bench = told(reference(), rows, size=size)
    assert by_tenth(bench, "input", "prob_n") == {0: 2, 4: 1, 5: 1, 9: 1}
    assert by_tenth(bench, "input", "prob_n1") == {4: 1, 5: 1, 9: 1}
    assert by_tenth(bench, "label", "cal_n") == {0: 2, 4: 1, 5: 1, 9: 1}
    assert by_tenth(bench, "label", "cal_n1") == {4: 1, 5: 1, 9: 1}
    assert by_tenth(bench, "label", "cal_y") == {0: 1, 4: 1, 9: 1}


def test_a_segment_keeps_the_beginning_of_the_pane_and_nothing_by_tenth() -> None:
    """Its score histogram is whole."""
    plan = told(reference(), traffic(), size=100).plan()
    assert plan.segment_size <= plan.inputs.start("prob_n")
    assert plan.segment_size > plan.inputs.start("score")


def test_without_labels_in_the_reference_nothing_is_counted() -> None:
    """Panes hold what is asked for."""
    assert "prob_n" not in told(reference(labelled=False), traffic(), size=100).plan().inputs
