"""With a share of labels, everything about labels is as if only that share had been served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import numpy as np
import pytest

from schemas import topics
from schemas.policy import Budgets, Floors, Join, Labels, Policy, Task
from streams.ingest.admit.sampling import draws
from streams.ingest.store.names import Names
from streams.lines import Line
from streams.replay import Start, replay, replayed
from streams.results import Results
from streams.runtime import catalogue
from streams.runtime.metrics import Metrics

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
T0 = 20_000 * DAY
N = 3_000
POLICY = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="1m",
    window="5m",
    lateness="30s",
    labels=Labels(horizon="2h", maturity="10m", lateness="5m", coverage=0.9),
    join=Join(sample=0.5),
    segments=["region"],
    budgets=Budgets(error_rate=0.1),
    floors=Floors(label_rate=0.9),
)


@cache
def inside() -> list[bool]:
    hashes = Names.of("fraud", [f"p{i}" for i in range(N)]).hashes
    return [bool(draw < POLICY.join.sample) for draw in draws(hashes)]


def lines(*, every: bool) -> Iterator[Line]:
    """Two hours in which errors rise and, for a while, few labels come; ``every`` publishes all."""
    rng = np.random.default_rng(3)
    wrong, missing = rng.random(N), rng.random(N)
    found: list[Line] = []
    for i in range(N):
        if not (every or inside()[i]):
            continue
        time_ms = T0 + i * 2 * HOUR // N
        key = {"prediction_id": f"p{i}", "model": "fraud"}
        said = {**key, "version": "v1", "time": time_ms, "output": {"score": 0.25}}
        said["segments"] = {"region": "EU" if i % 3 else "US"}
        found.append(Line(time_ms, topics.PREDICTIONS, *_sent(said)))
        if not (0.4 < i / N < 0.5 and missing[i] < 0.5):
            known_ms = time_ms + MINUTE
            label = bool(wrong[i] < (0.3 if i > N / 2 else 0.05))
            told = {**key, "time": known_ms, "kind": "truth", "label": label}
            found.append(Line(known_ms, topics.FEEDBACK, *_sent(told)))
    yield from sorted(found, key=lambda line: line.time_ms)


def _sent(event: dict[str, Any]) -> tuple[bytes, bytes]:
    return str(event["prediction_id"]).encode(), json.dumps(event).encode()


@pytest.fixture(scope="module")
def runs() -> Iterator[tuple[Results, Results]]:
    """All published, and only those in the sample, under one policy."""
    with ExitStack() as stack:
        done = [
            stack.enter_context(replayed(lines(every=every), [Start(POLICY)], step_ms=5 * MINUTE))
            for every in (True, False)
        ]
        yield done[0].results, done[1].results


def test_alerts_on_labels_are_those_of_the_sample_alone(runs: tuple[Results, Results]) -> None:
    """Ids, numbers and evidence: too many errors, and too few labels."""
    every, few = ({key: alert.content for key, alert in run.alerts.items()} for run in runs)
    assert every == few
    assert {"error_rate", "label_rate"} <= {alert.metric for alert in runs[0].alerts.values()}


def test_coverage_and_label_metrics_are_those_of_the_sample_alone(
    runs: tuple[Results, Results],
) -> None:
    every, few = (run.windows for run in runs)
    assert every.keys() == few.keys() != set()
    for key, window in every.items():
        assert window.coverage == few[key].coverage
        assert window.verdict == few[key].verdict
        names = ("error_rate", "brier", "label_rate", "calibration")
        told, same = (
            [metric for metric in one.metrics if metric.name in names] for one in (window, few[key])
        )
        assert told == same
    assert sum(window.predictions for window in every.values() if not window.segment) == N
    assert sum(w.coverage.predictions for w in every.values() if not w.segment) == sum(inside())


def test_a_sample_with_all_of_its_labels_is_covered(runs: tuple[Results, Results]) -> None:
    """Half of the predictions have a label, and none is missing."""
    early = [w for w in runs[0].windows.values() if w.end_ms <= T0 + 40 * MINUTE]
    assert {window.coverage.share for window in early} == {1.0}
    assert all(w.coverage.labelled < w.predictions for w in early if not w.segment)


def test_feedback_outside_of_the_sample_is_a_metric_and_no_dead_letter() -> None:
    with Metrics("replay") as metrics:
        replay(lines(every=True), [Start(POLICY)], metrics=metrics)
        told = [line for line in lines(every=True) if line.topic == topics.FEEDBACK]
        joined = sum(inside()[int(line.key[1:])] for line in told)
        counts = [
            metrics.value(catalogue.ROWS, model="fraud", kind=kind)
            for kind in ("feedback", "sampled_out")
        ]
        assert counts == [joined, len(told) - joined]
        assert not metrics.value(catalogue.DEAD_LETTERS, topic="feedback", reason="unmatched")
