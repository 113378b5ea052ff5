"""What a person sees in the terminal: lines as things happen, tables at the end."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

from rich.table import Table

from schemas.alerts import Alert, AlertAction
from schemas.rollouts import RolloutAction, RolloutEvent
from schemas.windows import Metric, WindowResult
from streams.results import Results


def alert_line(alert: Alert) -> str:
    """One line for an alert."""
    day = date(alert.window_end_ms)
    if alert.action is AlertAction.RESOLVED:
        return f"[green]{day}  resolved[/]  {alert.summary}"
    colour = "red" if alert.severity == "page" else "yellow"
    return f"[{colour}]{day}  {alert.severity.upper():6}[/]  {alert.summary}"


def rollout_line(event: RolloutEvent) -> str | None:
    """One line for a rollout event; holds are many and said in the table only."""
    if event.action is RolloutAction.HOLD:
        return None
    day = date(event.decided_at_ms)
    return f"[bold magenta]{day}  {event.action.upper()}[/]  {event.summary}"


def date(time_ms: int) -> str:
    """Day and minute of a time, UTC."""
    return datetime.fromtimestamp(time_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M")


def windows_table(results: Results, *, most: int = 30) -> Table:
    """The windows of all segments together: newest at the bottom, evenly thinned to ``most``."""
    table = Table(title="Windows (all segments)", title_justify="left")
    for name, justify in (
        ("from", "left"),
        ("model", "left"),
        ("arm", "left"),
        ("predictions", "right"),
        ("labelled", "right"),
        ("error rate (95 %)", "right"),
        ("Brier", "right"),
        ("ECE", "right"),
        ("most drifted", "left"),
        ("verdict", "left"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left")
    windows = [w for w in results.windows.values() if w.segment == ""]
    windows.sort(key=lambda w: (w.start_ms, w.arm, w.version))
    step = max(1, -(-len(windows) // most))
    for window in windows[step - 1 :: step]:
        table.add_row(*_window_row(window))
    return table


def _window_row(window: WindowResult) -> list[str]:
    metrics = {(m.name, m.feature): m for m in window.metrics}
    drift = [m for m in window.metrics if m.name == "tv" and m.value is not None]
    worst = max(drift, key=lambda m: m.value or 0.0, default=None)
    colour = {"healthy": "green", "degraded": "red"}.get(window.verdict, "dim")
    return [
        date(window.start_ms)[:10],
        f"{window.model} {window.version}",
        window.arm.value,
        f"{window.predictions:,}",
        f"{window.coverage.share:.0%}",
        _interval(metrics.get(("error_rate", ""))),
        _plain(metrics.get(("brier", ""))),
        _plain(metrics.get(("ece", ""))),
        f"{worst.feature} {worst.value:.2f}" if worst and (worst.value or 0) > 0 else "",
        f"[{colour}]{window.verdict.value.replace('_', ' ')}[/]",
    ]


def _interval(metric: Metric | None) -> str:
    if metric is None or metric.value is None:
        return ""
    if metric.low is None or metric.high is None:
        return f"{metric.value:.1%}"
    return f"{metric.value:.1%} ({metric.low:.1%} – {metric.high:.1%})"


def _plain(metric: Metric | None) -> str:
    return "" if metric is None or metric.value is None else f"{metric.value:.3f}"


def alerts_table(results: Results) -> Table:
    """Alerts by metric: how often opened, first and last time, what is still open."""
    table = Table(title="Alerts", title_justify="left")
    for name in ("stream", "metric", "severity", "opened", "first", "last", "open now"):
        table.add_column(name)
    groups: dict[tuple[str, str, str], list[Alert]] = defaultdict(list)
    for alert in results.alerts.values():
        if alert.action is AlertAction.OPENED:
            stream = " ".join(x for x in (alert.model, alert.version, alert.segment) if x)
            metric = " ".join(x for x in (alert.metric, alert.feature) if x)
            groups[stream, metric, alert.severity.value].append(alert)
    still = {alert.alert_id for alert in results.open_alerts()}
    for (stream, metric, severity), opened in sorted(groups.items()):
        ends = sorted(alert.window_end_ms for alert in opened)
        table.add_row(
            stream,
            metric,
            severity,
            str(len(opened)),
            date(ends[0])[:10],
            date(ends[-1])[:10],
            "yes" if any(alert.alert_id in still for alert in opened) else "",
        )
    return table


def rollouts_table(results: Results) -> Table:
    """What was decided about canaries."""
    table = Table(title="Rollouts", title_justify="left")
    for name in ("decided", "canary", "action", "evidence"):
        table.add_column(name)
    for event in results.rollouts.values():
        if event.action is not RolloutAction.HOLD:
            table.add_row(
                date(event.decided_at_ms)[:10],
                f"{event.model} {event.canary}",
                event.action.value,
                event.summary,
            )
    holds = sum(e.action is RolloutAction.HOLD for e in results.rollouts.values())
    table.caption = f"and {holds} windows on hold before"
    return table
