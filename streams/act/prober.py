"""The prober: sends rounds of probes, reads the windows that hold them, says when none come."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydantic import ValidationError

from schemas import cloudevents, topics
from schemas.alerts import Alert, AlertAction
from schemas.policy import Policy
from schemas.schedules import Probe
from streams.act.absence import METRIC, Watch, heard, missed
from streams.act.probe import PANE_MS, answer_of, events_of, models_of, policy_of, window_of
from streams.control import Control
from streams.records import Record
from streams.runtime import catalogue
from streams.runtime.announce import FROM_THE_START, activate
from streams.runtime.clock import Clock
from streams.runtime.control_reader import ControlReader
from streams.runtime.envelope import enveloped
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport, check_topics

REMEMBERED = 1_000
"""Rounds that may still be answered; a later answer is one, but its time is not told."""


class Prober:
    """Probes the pipe; call `step` in a loop from one thread.

    Its model's policy is put in force if it is not. An alert goes to the topic ``alerts`` like any
    other, and is said again every ``timeout`` until it is settled, so that none is lost with the
    process.

    Parameters
    ----------
    settled
        Whether every target has an event of this id; asked of what was said.
    """

    def __init__(
        self,
        probe: Probe,
        *,
        transport: Transport,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        settled: Callable[[str], bool],
    ) -> None:
        self._probe = probe
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._settled = settled
        self._shards = _partitions(transport, settings, topics.PREDICTIONS)
        models = models_of(probe.model, _partitions(transport, settings, topics.WINDOWS))
        self._policies = {model: policy_of(probe, model) for model in models}
        self._sender = transport.sender()
        self._activate(transport)
        self._follower = transport.tail([settings.topic(topics.WINDOWS)])
        self._sent: dict[int, int] = {}
        self._due_ms, now_ms = clock.elapsed_ms(), clock.wall_ms()
        before_ms = window_of(probe, now_ms) - PANE_MS
        self._said = last_said(_alerts(transport, settings), self._policies)
        self._said_ms = {model: clock.elapsed_ms() for model in self._said}
        self._watches = {
            model: Watch(before_ms, now_ms, _open(self._said.get(model))) for model in models
        }
        for model in models:
            metrics.set(catalogue.PROBE_ANSWERED, now_ms / 1_000, model=model)

    def step(self, *, timeout_ms: int = 100) -> None:
        """Send a round if one is due, and take in the answers that come within ``timeout_ms``.

        Raises
        ------
        TransportError
            If the log does not take a round or an alert in time.
        """
        if self._clock.elapsed_ms() >= self._due_ms:
            self._due_ms = self._clock.elapsed_ms() + self._probe.every_ms
            self._send()
        for record in self._follower.poll(max_records=5_000, timeout_ms=timeout_ms):
            self._take(record)
        for model, policy in self._policies.items():
            watch, alert = missed(
                self._watches[model], self._probe, policy, now_ms=self._clock.wall_ms()
            )
            self._watches[model] = watch
            self._say(model, alert)

    def close(self) -> None:
        """Probe no more."""
        self._follower.close()
        self._sender.close()

    def _send(self) -> None:
        start_ms = window_of(self._probe, self._clock.wall_ms())
        self._sent[start_ms] = self._clock.elapsed_ms()
        while len(self._sent) > REMEMBERED:
            del self._sent[next(iter(self._sent))]
        events = events_of(
            self._probe,
            self._settings,
            list(self._policies),
            start_ms=start_ms,
            shards=self._shards,
        )
        for message in events:
            self._sender.send(message)
        self._sender.flush()

    def _take(self, record: Record) -> None:
        model = (record.key or b"").decode(errors="replace")
        if model not in self._policies or record.value is None:
            return
        start_ms = answer_of(record.value, shards=self._shards)
        watch = self._watches[model]
        if start_ms is None or start_ms <= watch.answered_ms:
            return  # The latter is a revision of what was answered before.
        now_ms = self._clock.wall_ms()
        if start_ms in self._sent:
            seconds = (self._clock.elapsed_ms() - self._sent[start_ms]) / 1_000
            self._metrics.observe(catalogue.PROBE_SECONDS, seconds, model=model)
        self._metrics.set(catalogue.PROBE_ANSWERED, now_ms / 1_000, model=model)
        self._watches[model], alert = heard(watch, start_ms=start_ms, now_ms=now_ms)
        self._say(model, alert)

    def _say(self, model: str, new: Alert | None) -> None:
        """Publish what is new, or what was said and is not settled."""
        now_ms, alert = self._clock.elapsed_ms(), new or self._said.get(model)
        if alert is None:
            return
        if new is None:
            if self._settled(alert.id):
                self._said.pop(model)
                return
            if now_ms - self._said_ms[model] < self._probe.timeout_ms:
                return
        self._said[model], self._said_ms[model] = alert, now_ms
        self._sender.send(
            enveloped(
                alert,
                topic=self._settings.topic(topics.ALERTS),
                key=alert.incident_id,
                type=cloudevents.ALERT[alert.action],
                source="act",
                id=alert.id,
                time_ms=alert.window_end_ms,
            )
        )
        self._sender.flush()

    def _activate(self, transport: Transport) -> None:
        reader = ControlReader(transport, self._settings)
        for policy in self._policies.values():
            at_ms = begins_ms(reader.control, policy, self._clock.wall_ms())
            if at_ms is not None:
                activate(self._sender, self._settings, policy, effective_at_ms=at_ms)
        reader.close()


def begins_ms(control: Control, policy: Policy, now_ms: int) -> int | None:
    """From when a policy is to hold: from the start if it is the model's first, None if it holds.

    Examples
    --------
    >>> begins_ms(Control(), policy_of(Probe(), "kittiwake-probe"), 60_000)
    0
    """
    known = control.active(policy.model, now_ms)
    if known is None:
        return FROM_THE_START
    return None if known.policy == policy.hash else now_ms - now_ms % PANE_MS + 2 * PANE_MS


def last_said(alerts: Iterable[Alert], models: Iterable[str]) -> dict[str, Alert]:
    """The last alert about the probes of each model that has any."""
    wanted = set(models)
    return {alert.model: alert for alert in alerts if alert.model in wanted}


def _open(alert: Alert | None) -> Alert | None:
    return alert if alert is not None and alert.action is AlertAction.OPENED else None


def _alerts(transport: Transport, settings: Settings) -> Iterable[Alert]:
    """Alerts about probes, as they stand in the log."""
    topic = settings.topic(topics.ALERTS)
    for partition in range(_partitions(transport, settings, topics.ALERTS)):
        for record in transport.read(topic, partition):
            if record.value is not None and b'"metric":"%s"' % METRIC.encode() in record.value:
                try:
                    yield Alert.model_validate_json(record.value)
                except ValidationError:
                    continue  # Written by another version; what is open is said anew.


def _partitions(transport: Transport, settings: Settings, name: str) -> int:
    topic = settings.topic(name)
    found = transport.partition_count(topic)
    check_topics({topic: found}, co_partitioned=False)
    return found or 0
