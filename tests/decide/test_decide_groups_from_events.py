"""From events to tickets: groups of predictions through INGEST and DECIDE."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from shards import HOUR, Bench

from schemas.alerts import Alert
from schemas.policy import Calibration, Fairness, Labels, Policy, Task
from schemas.summaries import Mark, SummaryBatch
from schemas.windows import Verdict, WindowResult
from streams.decide.pipeline import Decide

POLICY = Policy(
    model="loans",
    task=Task.BINARY,
    pane="1h",
    labels=Labels(horizon="1d", maturity="1h", lateness="1m"),
    calibration=Calibration(tolerance=0.3),
    fairness=Fairness(groups=["sex"], tpr_gap=0.1),
)


@dataclass
class Run:
    """A shard, and DECIDE behind it."""

    windows: list[WindowResult] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    sequence: int = 0

    def __post_init__(self) -> None:
        self.bench = Bench(POLICY)
        self.decide = Decide(self.bench.control, partition=0)

    def hour(self, hour: int, rows: list[dict[str, Any]]) -> None:
        """Predictions of an hour with their labels, and all that is said after it."""
        for i, row in enumerate(rows):
            place = {"model": "loans", "prediction_id": f"{hour}-{i}"}
            time = hour * HOUR + i
            groups = {"sex": row["sex"]} if "sex" in row else {}
            event = {"version": "v1", "output": {"score": row["score"]}, "groups": groups}
            self.bench.apply(
                self.bench.predict(**place, time=time, **event),
                self.bench.tell(**place, time=time + 1, label=row["label"]),
            )
        self.advance((hour + 1) * HOUR)

    def advance(self, time_ms: int) -> None:
        """Hand on a checkpoint whose marks stand at a time."""
        self.sequence += 1
        done = self.bench.checkpoint()
        mark = Mark(shard=0, shards=1, predictions_ms=time_ms, labels_ms=time_ms)
        batch = SummaryBatch(0, 0, self.sequence, done.panes, mark, {"predictions": self.sequence})
        self.decide.apply(batch)
        said = self.decide.advance()
        self.windows += said.windows
        self.alerts += said.alerts


def traffic(rng: np.random.Generator, *, unfair: bool) -> list[dict[str, Any]]:
    """Two groups and rows of none; the scores of one are pushed down where it is unfair."""
    rows: list[dict[str, Any]] = []
    for sex, n in (("m", 120), ("f", 80), (None, 20)):
        label = rng.random(n) < 0.5
        score = np.clip(rng.normal(np.where(label, 0.7, 0.3), 0.15), 0.01, 0.99)
        if unfair and sex == "f":
            score = score * 0.7
        more = {} if sex is None else {"sex": sex}
        rows += [
            {"score": float(s), "label": bool(y), **more} for s, y in zip(score, label, strict=True)
        ]
    return rows


def test_an_unfair_model_opens_tickets_and_a_fair_one_none() -> None:
    """Fewer positive answers, above all among those who deserve one: both rules are broken."""
    said = {}
    for unfair in (False, True):
        run, rng = Run(), np.random.default_rng(11)
        for hour in range(16):
            run.hour(hour, traffic(rng, unfair=unfair and hour >= 4))
        run.advance(20 * HOUR)
        said[unfair] = {(alert.metric, alert.segment, alert.detector) for alert in run.alerts}
        last = [w for w in run.windows if w.segment == "sex=f" and w.coverage.matured][-1]
        verdicts = {metric.name: metric.verdict for metric in last.metrics}
        assert last.against == "sex=m"
        assert (verdicts["selection_ratio"] is Verdict.DEGRADED) == unfair
        assert {window.segment for window in run.windows} == {"", "sex=m", "sex=f"}
    assert said[False] == set()
    assert said[True] == {
        ("selection_ratio", "sex=f", "group-e-sr-low"),
        ("tpr_gap", "sex=f", "group-e-sr-low"),
    }
