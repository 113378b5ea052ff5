"""A policy of five lines and a reference: what each task watches when nobody says what to watch.

Events go through INGEST, and its panes through DECIDE.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from shards import Bench
from tasks import DRAWS, HOUR_MS, events

from schemas import topics
from schemas.alerts import Alert, AlertAction
from schemas.policy import Policy
from schemas.policy_file import loads
from schemas.reference import ReferenceProfile
from schemas.summaries import Mark, SummaryBatch
from schemas.windows import Verdict, WindowResult
from streams.decide.pipeline import Decide
from streams.learn import labelled
from streams.lines import Line

FIVE_LINES = """
model: m
task: {task}
pane: 1h
labels: {{maturity: 1h, lateness: 1m, horizon: 1d, scale: 4}}
false_alarms: {{pages: 1, per: 30d}}
"""

ALARMS = {
    "binary": {"error_rate", "brier", "calibration"},
    "multiclass": {"error_rate", "brier", "calibration", "class_calibration", "tv <class>"},
    "regression": {"mae", "interval_miss_rate", "under_rate", "pit"},
    "ranking": {"error_rate", "ndcg", "zero_results", "tv <items>"},
    "chat": {"error_rate", "regeneration_rate", "tv tokens"},
}
"""What a task in trouble raises."""

HEALTHY_HOURS, BAD_HOURS, ROWS = 24, 8, 250


def policy_of(task: str) -> Policy:
    return loads(FIVE_LINES.format(task=task))


def reference_of(task: str) -> ReferenceProfile:
    """A reference of 4,000 labelled rows of another week."""
    return labelled(policy_of(task), _lines(task), source="test")


def _lines(task: str) -> Iterator[Line]:
    for hour in range(16):
        predictions, feedback = events(task, hour=hour, n=250, seed=1)
        for topic, told in ((topics.PREDICTIONS, predictions), (topics.FEEDBACK, feedback)):
            for event in told:
                key = str(event["prediction_id"]).encode()
                yield Line(int(event["time"]), topic, key, json.dumps(event).encode())


@dataclass
class Run:
    """INGEST and DECIDE of one policy, hour by hour."""

    policy: Policy
    profile: ReferenceProfile | None
    sequence: int = 0
    windows: dict[int, WindowResult] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bench = Bench(self.policy, self.profile)
        self.decide = Decide(self.bench.control, partition=0)

    def hours(self, hours: Iterable[int], *, n: int, bad: bool = False) -> Run:
        """Traffic of some hours."""
        for hour in hours:
            predictions, feedback = events(self.policy.task, hour=hour, n=n, seed=2, bad=bad)
            self.bench.apply(
                *(self.bench.predict(**event) for event in predictions),
                *(self.bench.tell(**event) for event in feedback),
            )
            self._advance((hour + 1) * HOUR_MS)
        return self

    def end(self, hour: int) -> Run:
        """All windows before an hour are matured."""
        self._advance((hour + 2) * HOUR_MS)
        return self

    def opened(self) -> dict[str, Alert]:
        """First alert of each metric, with its feature if that is none of the model's own."""
        found: dict[str, Alert] = {}
        for alert in self.alerts:
            if alert.action is AlertAction.OPENED:
                named = f"{alert.metric} {alert.feature}" if alert.metric == "tv" else alert.metric
                found.setdefault(named, alert)
        return found

    def _advance(self, time_ms: int) -> None:
        self.sequence += 1
        mark = Mark(shard=0, shards=1, predictions_ms=time_ms, labels_ms=time_ms, idle=False)
        batch = SummaryBatch(
            shard=0,
            epoch=0,
            sequence=self.sequence,
            panes=self.bench.checkpoint().panes,
            mark=mark,
            offsets={"predictions": self.sequence},
        )
        self.decide.apply(batch)
        said = self.decide.advance()
        self.alerts += said.alerts
        self.windows |= {window.start_ms // HOUR_MS: window for window in said.windows}


@pytest.fixture(scope="module", params=sorted(DRAWS))
def story(request: pytest.FixtureRequest) -> Run:
    """A day of health, then eight hours of trouble."""
    task = str(request.param)
    run = Run(policy_of(task), reference_of(task))
    run.hours(range(HEALTHY_HOURS), n=ROWS).end(HEALTHY_HOURS)
    assert run.alerts == []
    start = HEALTHY_HOURS + 2
    return run.hours(range(start, start + BAD_HOURS), n=ROWS, bad=True).end(start + BAD_HOURS)


def test_health_is_silent_and_trouble_is_not(story: Run) -> None:
    """No alert in a day (held by the fixture), then one of each kind that the trouble shows."""
    assert ALARMS[story.policy.task] <= set(story.opened())
    first = min(alert.window_start_ms for alert in story.opened().values())
    assert first >= (HEALTHY_HOURS + 2) * HOUR_MS


def test_windows_of_health_are_not_degraded(story: Run) -> None:
    """Verdicts of single windows lie within or cannot tell; of trouble they are degraded."""
    start = HEALTHY_HOURS + 2
    healthy = [story.windows[hour] for hour in range(HEALTHY_HOURS)]
    assert sum(window.verdict is Verdict.DEGRADED for window in healthy) <= 3
    bad = [story.windows[hour] for hour in range(start, start + BAD_HOURS)]
    assert all(window.verdict is Verdict.DEGRADED for window in bad)


@pytest.mark.parametrize("task", sorted(DRAWS))
def test_too_little_data_cannot_tell_and_says_what_it_takes(task: str) -> None:
    """Three rows, good or bad, prove nothing: nothing opens, and a number of events is asked."""
    run = Run(policy_of(task), reference_of(task)).hours([0], n=3).end(1)
    window = run.windows[0]
    assert run.alerts == []
    assert window.coverage.matured
    assert window.verdict is Verdict.CANNOT_TELL
    open_ = [m for m in window.metrics if m.verdict is Verdict.CANNOT_TELL and m.name != "tv"]
    assert any(metric.needed for metric in open_)
    assert not any(metric.verdict is Verdict.DEGRADED for metric in window.metrics)


@pytest.mark.parametrize("task", sorted(DRAWS))
def test_a_policy_without_a_reference_says_nothing_of_what_it_does_not_know(task: str) -> None:
    """Without a reference and budgets no error is judged; what needs neither is."""
    run = Run(policy_of(task), None)
    run.hours(range(4), n=ROWS, bad=True).end(4)
    assert set(run.opened()) <= {"calibration", "under_rate"}
    judged = {metric.name for metric in run.windows[0].metrics if metric.verdict is not None}
    assert not judged & {"error_rate", "brier", "mae", "ndcg", "zero_results"}
