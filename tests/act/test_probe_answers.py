"""Probes go through INGEST and DECIDE and come back; when they do not, that is an alert."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from schemas import topics
from schemas.alerts import Alert, AlertAction, Severity
from schemas.policy import Labels, Policy, Task
from schemas.schedules import Probe
from streams.act.probe import VERSION, models_of, policy_of, window_of
from streams.act.prober import Prober
from streams.decide.detect import asked_of
from streams.decide.subject import subject_of
from streams.records import Message
from streams.results import ResultReader
from streams.runtime import catalogue
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

T0 = 1_767_225_600_000
SETTINGS = Settings(shards=3, models=2, poll_ms=0, idle_ms=5_000, checkpoint_ms=1)
PROBE = Probe(every="5s", timeout="30s", lag="1m", label_lag="1h", owner="platform")
MODELS = models_of(PROBE.model, SETTINGS.models)


class Pipe:
    """The whole pipe in one process, on a clock that is moved by hand."""

    def __init__(self, probe: Probe = PROBE) -> None:
        self.clock = ManualClock(T0)
        self.cluster = Cluster(SETTINGS, clock=self.clock)
        self.metrics = Metrics("act")
        self.settled: set[str] = set()
        self.prober = self.newcomer(probe)
        self.cluster.start()

    def newcomer(self, probe: Probe = PROBE) -> Prober:
        """A prober as after a restart of its process."""
        return Prober(
            probe,
            transport=self.cluster.transport,
            settings=SETTINGS,
            clock=self.clock,
            metrics=self.metrics,
            settled=self.settled.__contains__,
        )

    def run(self, seconds: float, *, deciding: bool = True) -> None:
        """Let time pass in steps of a tenth of a second, with or without the pipe at work."""
        for _ in range(round(seconds * 10)):
            self.clock.now_ms += 100
            self.prober.step(timeout_ms=0)
            if deciding:
                self.cluster.step()

    def close(self) -> None:
        """Stop everything."""
        self.prober.close()
        self.cluster.close()

    def answers(self, model: str) -> float:
        """How many probes of a model came back."""
        name = catalogue.PROBE_SECONDS.series[-1]
        return self.metrics.registry.get_sample_value(name, {"model": model}) or 0.0

    def slowest_below(self, model: str, bound: str) -> float:
        """How many came back within a bound of the histogram."""
        name = catalogue.PROBE_SECONDS.series[0]
        labels = {"model": model, "le": bound}
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def alerts(self) -> list[Alert]:
        """Every record on the topic of alerts, in order."""
        transport = self.cluster.transport
        return [
            Alert.model_validate_json(record.value or b"")
            for partition in range(SETTINGS.models)
            for record in transport.read(topics.ALERTS, partition)
        ]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_every_partition_is_probed_and_answers_in_time(pipe: Pipe) -> None:
    """Each round of each model comes back whole, within a second of the pipe's own time."""
    pipe.run(31)
    for model in MODELS:
        assert pipe.answers(model) >= 6
        assert pipe.slowest_below(model, "1.0") == pipe.answers(model)
        answered = pipe.metrics.value(catalogue.PROBE_ANSWERED, model=model)
        assert answered is not None
        assert answered * 1_000 > pipe.clock.now_ms - 6_000
    assert pipe.alerts() == []


def test_probes_raise_nothing_by_themselves() -> None:
    """No test is asked of a probe's model, so that only its absence speaks."""
    for model in MODELS:
        assert asked_of(subject_of(policy_of(PROBE, model), None, whole=True)) == ()


def test_answers_that_stay_away_page_once_and_resolve(pipe: Pipe) -> None:
    """While DECIDE is down there is one alert for each model, in the same bytes however often."""
    pipe.run(12)
    pipe.run(31, deciding=False)
    opened = {alert.model: alert for alert in pipe.alerts()}
    assert set(opened) == set(MODELS)
    for alert in opened.values():
        assert (alert.action, alert.severity) == (AlertAction.OPENED, Severity.PAGE)
        assert (alert.metric, alert.owner) == ("probe", "platform")
        assert (alert.budget, alert.spent) == (30.0, 0.0)
    pipe.run(60, deciding=False)
    assert {alert.id for alert in pipe.alerts()} == {alert.id for alert in opened.values()}
    assert len({alert.model_dump_json() for alert in pipe.alerts()}) == len(MODELS)
    pipe.run(6)
    ended = [alert for alert in pipe.alerts() if alert.action is AlertAction.RESOLVED]
    assert {alert.alert_id for alert in ended} == {alert.alert_id for alert in opened.values()}


def test_an_alert_is_said_again_until_it_is_settled(pipe: Pipe) -> None:
    """One that died with a deliverer comes again; one that everybody has does not."""
    pipe.run(32, deciding=False)
    first = len(pipe.alerts())
    pipe.run(31, deciding=False)
    assert len(pipe.alerts()) == 2 * first
    pipe.settled |= {alert.id for alert in pipe.alerts()}
    pipe.run(90, deciding=False)
    assert len(pipe.alerts()) == 2 * first


def test_an_alert_outlives_its_process(pipe: Pipe) -> None:
    """A prober that starts while an alert is open opens no other, and ends it."""
    pipe.run(12)
    pipe.run(31, deciding=False)
    opened = {alert.alert_id for alert in pipe.alerts()}
    pipe.prober.close()
    pipe.prober = pipe.newcomer()
    pipe.run(45, deciding=False)
    assert {alert.alert_id for alert in pipe.alerts()} == opened
    pipe.run(6)
    ended = [alert for alert in pipe.alerts() if alert.action is AlertAction.RESOLVED]
    assert {alert.alert_id for alert in ended} == opened


def test_two_probers_say_the_same(pipe: Pipe) -> None:
    """Workers beside each other probe twice and alert once."""
    other = pipe.newcomer()
    for _ in range(12):
        pipe.run(1)
        other.step(timeout_ms=0)
    for _ in range(40):
        pipe.run(1, deciding=False)
        other.step(timeout_ms=0)
    other.close()
    assert len({alert.id for alert in pipe.alerts()}) == len(MODELS)
    assert len({alert.model_dump_json() for alert in pipe.alerts()}) == len(MODELS)


@pytest.mark.parametrize(("lag", "late"), [("1m", 0), ("0s", 30)])
def test_another_model_is_left_alone(lag: str, late: int) -> None:
    """Rows that come a minute late are on time, as they are without probes, thanks to ``lag``."""
    pipe = Pipe(PROBE.model_copy(update={"lag": lag}))
    policy = Policy(
        model="fraud",
        task=Task.BINARY,
        pane="10s",
        lateness="5s",
        labels=Labels(horizon="1h", maturity="1m", lateness="1m"),
    )
    sender = pipe.cluster.transport.sender()
    activate(sender, SETTINGS, policy)
    pipe.run(12)
    for i in range(30):
        time_ms = pipe.clock.now_ms - 60_000 + i
        event = {"prediction_id": f"p{i}", "model": "fraud", "version": "v1", "time": time_ms}
        body = json.dumps({**event, "output": {"score": 0.5}}).encode()
        sender.send(Message(topics.PREDICTIONS, body, key=f"p{i}".encode()))
    pipe.run(25)
    reader = ResultReader(pipe.cluster.transport, SETTINGS)
    reader.read()
    found = [w for w in reader.results.windows.values() if w.model == "fraud"]
    assert sum(window.predictions for window in found) == 30
    assert sum(window.late for window in found) == late
    assert {w.version for w in reader.results.windows.values()} == {"v1", VERSION}
    pipe.close()


def test_a_prober_that_comes_back_in_the_same_second_is_counted_once(pipe: Pipe) -> None:
    """The ids of a round follow from its window: a second round there is a duplicate."""
    start_ms = window_of(PROBE, pipe.clock.now_ms + 100)
    pipe.run(0.1)
    again = pipe.newcomer()
    again.step(timeout_ms=0)
    again.close()
    pipe.run(3)
    reader = ResultReader(pipe.cluster.transport, SETTINGS)
    reader.read()
    (window,) = [
        w
        for w in reader.results.windows.values()
        if w.model == MODELS[0] and w.start_ms == start_ms
    ]
    assert (window.predictions, window.coverage.labelled) == (3, 3)
    assert window.duplicates == 3
