"""Window results, alerts and rollout events as Prometheus series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas.alerts import ENDS, Alert
from schemas.rollouts import RolloutEvent
from schemas.windows import Metric, Verdict, WindowResult
from streams.decide.ledger import Totals
from streams.runtime.catalogue import (
    ALERTS,
    ALERTS_OPEN,
    BUDGET_PROMISED,
    BUDGET_SPENT,
    LABEL_COVERAGE,
    LABEL_METRICS,
    METRIC,
    METRIC_BUDGET,
    METRIC_HIGH,
    METRIC_LOW,
    ROLLOUT_EVENTS,
    VERDICT,
    WINDOWS,
)
from streams.runtime.metrics import Metrics

Stream = tuple[str, str, str, str]

BY_MODEL = (
    METRIC,
    METRIC_LOW,
    METRIC_HIGH,
    METRIC_BUDGET,
    VERDICT,
    LABEL_COVERAGE,
    ALERTS_OPEN,
    BUDGET_SPENT,
    BUDGET_PROMISED,
)
"""Gauges that only the owner of a model may show."""


class DecisionMetrics:
    """Show the latest window of each stream, and what is open.

    The verdict, metrics that need labels, and the label coverage come from the latest *matured*
    window: the first labels of a young window are no random sample of it. All others come from
    the latest window. A revision of an older window is counted and not shown, so that a dashboard
    never moves back in time.

    Parameters
    ----------
    metrics
        Where to show it.

    Examples
    --------
    >>> shown = DecisionMetrics(Metrics("decide"))
    >>> shown.open_alerts
    {}
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._latest: dict[Stream, int] = {}
        self._matured: dict[Stream, int] = {}
        self.open_alerts: dict[str, tuple[str, str]] = {}

    def windows(self, results: Iterable[WindowResult]) -> None:
        """Count published window results, and show the latest of each stream."""
        latest: dict[Stream, WindowResult] = {}
        matured: dict[Stream, WindowResult] = {}
        for result in results:
            kind = "revision" if result.revision > 1 else "first"
            self._metrics.inc(WINDOWS, model=result.model, kind=kind)
            stream = (result.model, result.version, result.arm.value, result.segment)
            if result.start_ms >= self._latest.get(stream, 0):
                self._latest[stream] = result.start_ms
                latest[stream] = result
            if result.coverage.matured and result.start_ms >= self._matured.get(stream, 0):
                self._matured[stream] = result.start_ms
                matured[stream] = result
        for stream, result in latest.items():
            self._show([m for m in result.metrics if m.name not in LABEL_METRICS], _labels(stream))
        for stream, result in matured.items():
            labels = _labels(stream)
            self._verdict(result.verdict, labels)
            self._metrics.set(LABEL_COVERAGE, result.coverage.share, **labels)
            self._show([m for m in result.metrics if m.name in LABEL_METRICS], labels)

    def alert(self, alert: Alert) -> None:
        """Count a published alert event and keep the number of open ones."""
        model, severity = alert.model, alert.severity.value
        self._metrics.inc(ALERTS, model=model, severity=severity, action=alert.action.value)
        if alert.action in ENDS:
            self.open_alerts.pop(alert.alert_id, None)
        else:
            self.open_alerts[alert.alert_id] = (model, severity)
        self._count_open(model, severity)

    def rollout(self, event: RolloutEvent) -> None:
        """Count a published rollout event."""
        self._metrics.inc(ROLLOUT_EVENTS, model=event.model, action=event.action.value)

    def budgets(self, totals: Mapping[str, Totals]) -> None:
        """Show what each model's tests have spent and may spend of their false-alarm budget."""
        for model, amounts in totals.items():
            self._metrics.set(BUDGET_SPENT, amounts.spent, model=model)
            self._metrics.set(BUDGET_PROMISED, amounts.promised, model=model)

    def restore(self, alerts: Iterable[tuple[str, str, str]]) -> None:
        """Take up alerts that were open before a restart: id, model and severity."""
        for alert_id, model, severity in alerts:
            self.open_alerts[alert_id] = (model, severity)
            self._count_open(model, severity)

    def forget(self) -> None:
        """Take away what is shown of models: another worker may show them from now on."""
        for seen in (self._latest, self._matured, self.open_alerts):
            seen.clear()
        for declared in BY_MODEL:
            self._metrics.clear(declared)

    def _count_open(self, model: str, severity: str) -> None:
        count = sum(value == (model, severity) for value in self.open_alerts.values())
        self._metrics.set(ALERTS_OPEN, count, model=model, severity=severity)

    def _verdict(self, verdict: Verdict, stream: dict[str, str]) -> None:
        for value in Verdict:
            shown = float(value is verdict)
            self._metrics.set(VERDICT, shown, **stream, verdict=value.value)

    def _show(self, metrics: list[Metric], stream: dict[str, str]) -> None:
        for metric in metrics:
            labels = {**stream, "metric": metric.name, "feature": metric.feature}
            self._metrics.set(METRIC, metric.value, **labels)
            self._metrics.set(METRIC_LOW, metric.low, **labels)
            self._metrics.set(METRIC_HIGH, metric.high, **labels)
            self._metrics.set(METRIC_BUDGET, metric.budget, **labels)


def _labels(stream: Stream) -> dict[str, str]:
    return dict(zip(LABEL_COVERAGE.labels, stream, strict=True))
