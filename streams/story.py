"""What a person sees in the terminal: lines as things happen, tables at the end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.table import Table

from schemas.alerts import ENDS, Alert, AlertAction, Severity
from schemas.fallback import Advice
from schemas.ledger import Ledger
from schemas.predictions import Arm
from schemas.retraining import RetrainRequest
from schemas.rollouts import RolloutAction, RolloutEvent
from schemas.windows import Metric, WindowResult
from streams.results import Results

DAY_MS = 86_400_000


def alert_line(alert: Alert) -> str:
    """One line for a step of an alert."""
    day = date(alert.window_end_ms)
    if alert.action in ENDS:
        return f"[green]{day}  {alert.action}[/]  {escape(alert.summary)}"
    colour = "red" if alert.severity == "page" else "yellow"
    if alert.action is not AlertAction.OPENED:
        reason = escape(alert.reason.replace("_", " "))
        return f"[{colour}]{day}  {alert.action} ({reason})[/]  {escape(alert.summary)}"
    return f"[{colour}]{day}  {alert.severity.upper():6}[/]  {escape(alert.summary)}"


def rollout_line(event: RolloutEvent) -> str | None:
    """A line for a rollout event, some for a review; holds are many and said in the table only."""
    if event.action is RolloutAction.HOLD:
        return None
    day = date(event.decided_at_ms)
    if event.review is None:
        return f"[bold magenta]{day}  {event.action.upper()}[/]  {escape(event.summary)}"
    title = escape(f"{event.model} {event.canary}: {event.review.outcome}")
    told = {"expected": event.review.expected, "decided": event.review.decisions}
    lines = [f"    {word}: {escape(line)}" for word, said in told.items() for line in said]
    return "\n".join([f"[bold magenta]{day}  REVIEW[/]  {title}", *lines])


def retrain_line(request: RetrainRequest) -> str:
    """One line for a request to train a model again."""
    return f"[cyan]{date(request.decided_at_ms)}  RETRAIN[/]  {escape(request.summary)}"


def advice_line(advice: Advice) -> str:
    """One line for advice to services."""
    colour = "red" if advice.degraded else "green"
    return f"[{colour}]{date(advice.since_ms)}  ADVICE[/]  {escape(advice.summary)}"


def date(time_ms: int) -> str:
    """Day and minute of a time, UTC."""
    return datetime.fromtimestamp(time_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M")


COLUMNS = {
    "from": "left",
    "stream": "left",
    "predictions": "right",
    "labelled": "right",
    "error % (95 %)": "right",
    "Brier": "right",
    "ECE": "right",
    "most drifted": "left",
    "verdict": "left",
}
LEFT_OUT = ("ECE", "labelled", "most drifted", "Brier")
"""Columns that a narrow terminal goes without, the least important first."""


def windows_table(results: Results, *, width: int, most: int = 30) -> Table:
    """The windows of all segments together, evenly thinned to ``most``, the newest last.

    A caption says which columns do not fit into ``width`` characters, and how many windows there
    are if not all are shown.
    """
    windows = [w for w in results.windows.values() if w.segment == ""]
    windows.sort(key=lambda w: (w.start_ms, w.arm, w.version))
    step = max(1, -(-len(windows) // most))
    rows = [_window_row(window) for window in windows[step - 1 :: step]]
    table, missing = _fitting(partial(_windows_table, rows=rows), COLUMNS, LEFT_OUT, width)
    said = []
    if len(rows) < len(windows):
        said.append(f"{len(rows):,} of {len(windows):,} windows; all are in windows.jsonl")
    if missing:
        said.append(f"no room for {', '.join(missing)}")
    table.caption = "; ".join(said) or None
    return table


WIDE = Console(width=1_000)
"""Where a table takes the room it would like."""


def _fitting(
    make: Callable[[Sequence[str]], Table],
    columns: Iterable[str],
    left_out: Iterable[str],
    width: int,
) -> tuple[Table, list[str]]:
    """A table of the columns that fit into a width, and those that had to be left out."""
    names, missing = list(columns), []
    table = make(names)
    for name in left_out:
        if WIDE.measure(table).maximum <= width:
            break
        names.remove(name)
        missing.append(name)
        table = make(names)
    return table, missing


def _windows_table(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Table:
    title = "Windows (all segments)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, caption_justify="left")
    for name in names:
        justify: JustifyMethod = "right" if COLUMNS[name] == "right" else "left"
        table.add_column(name, justify=justify, no_wrap=name != "stream", overflow="fold")
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table


def _window_row(window: WindowResult) -> dict[str, str]:
    metrics = {(m.name, m.feature): m for m in window.metrics}
    drift = [m for m in window.metrics if m.name == "tv" and m.value is not None]
    worst = max(drift, key=lambda m: m.value or 0.0, default=None)
    colour = {"healthy": "green", "degraded": "red"}.get(window.verdict, "dim")
    arm = "" if window.arm is Arm.BASELINE else f" {window.arm.value}"
    return {
        "from": date(window.start_ms) if window.end_ms - window.start_ms < DAY_MS else day(window),
        "stream": escape(f"{window.model} {window.version}{arm}"),
        "predictions": f"{window.predictions:,}",
        "labelled": f"{window.coverage.share:.0%}",
        "error % (95 %)": _interval(metrics.get(("error_rate", ""))),
        "Brier": _plain(metrics.get(("brier", ""))),
        "ECE": _plain(metrics.get(("ece", ""))),
        "most drifted": escape(f"{worst.feature} {worst.value:.2f}")
        if worst and worst.value
        else "",
        "verdict": f"[{colour}]{window.verdict.value.replace('_', ' ')}[/]",
    }


def day(window: WindowResult) -> str:
    """Day on which a window starts, UTC."""
    return date(window.start_ms)[:10]


def _interval(metric: Metric | None) -> str:
    if metric is None or metric.value is None:
        return ""
    if metric.low is None or metric.high is None:
        return f"{100 * metric.value:.1f}"
    return f"{100 * metric.value:.1f} ({100 * metric.low:.1f}–{100 * metric.high:.1f})"


def _plain(metric: Metric | None) -> str:
    return "" if metric is None or metric.value is None else f"{metric.value:.3f}"


ALERTS = ("stream", "metric", "severity", "opened", "first", "last", "open now")


def alerts_table(results: Results, *, width: int) -> Table:
    """Alerts by metric: how often opened, first and last time, what is still open."""
    groups: dict[tuple[str, str, str], list[Alert]] = defaultdict(list)
    for alert in results.alerts.values():
        if alert.action is AlertAction.OPENED:
            stream = " ".join(x for x in (alert.model, alert.version, alert.segment) if x)
            metric = " ".join(x for x in (alert.metric, alert.feature) if x)
            groups[stream, metric, alert.severity.value].append(alert)
    still = {alert.alert_id for alert in results.open_alerts()}
    rows = []
    for (stream, metric, severity), opened in sorted(groups.items()):
        ends = sorted(alert.window_end_ms for alert in opened)
        is_open = any(alert.alert_id in still for alert in opened)
        cells = (escape(stream), escape(metric), severity, str(len(opened)))
        times = (date(ends[0])[:10], date(ends[-1])[:10], "yes" if is_open else "")
        rows.append(dict(zip(ALERTS, cells + times, strict=True)))
    table, missing = _fitting(partial(_alerts_table, rows=rows), ALERTS, ("last", "opened"), width)
    table.caption = f"no room for {', '.join(missing)}" if missing else None
    return table


def _alerts_table(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> Table:
    table = Table(title="Alerts", title_justify="left", box=SIMPLE_HEAD, caption_justify="left")
    for name in names:
        table.add_column(name, no_wrap=name not in ("stream", "metric"), overflow="fold")
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table


def ledger_lines(ledger: Ledger) -> list[str]:
    """The sums of a ledger, for people."""
    period = _duration(ledger.period_ms)
    alerts = sum(entry.alerts for entry in ledger.entries)
    few = "alarm" if ledger.budget == 1.0 else "alarms"
    title = f"[bold]False-alarm budget of {escape(ledger.model)}[/], as of {date(ledger.as_of_ms)}"
    allowed = f"{ledger.budget:g} false {few} allowed per {period}"
    promised = f"{ledger.promised:.3g} promised as the tests stand now"
    recent = f"{ledger.spent_in_period:.3g} spent in the last {period}, {ledger.left:.3g} left"
    ever = f"{ledger.spent:.3g} spent in all, on {alerts} {'alert' if alerts == 1 else 'alerts'}"
    return [title, f"  {allowed}; {promised}", f"  {recent}; {ever}"]


def ledger_table(ledger: Ledger, *, most: int | None = None) -> Table:
    """The tests of a ledger, those that spent most first; ``most`` of them, None for all."""
    table = Table(title="Tests", title_justify="left", box=SIMPLE_HEAD)
    for name in ("stream", "metric"):
        table.add_column(name)
    for name in ("share of a window", "of a period", "spent", "alerts", "cost of the last"):
        table.add_column(name, justify="right")
    table.add_column("open")
    entries = sorted(ledger.entries, key=lambda entry: -entry.spent)
    for entry in entries[:most]:
        table.add_row(
            escape(" ".join(x for x in (entry.version, entry.segment) if x)),
            escape(" ".join(x for x in (entry.metric, entry.feature) if x)),
            f"{entry.share:.2g}" if entry.share else "not asked",
            f"{entry.per_period:.3g}",
            f"{entry.spent:.3g}",
            str(entry.alerts),
            "" if entry.last_cost is None else f"{entry.last_cost:.3g}",
            "yes" if entry.open else "",
        )
    if len(entries) > table.row_count:
        table.caption = f"and {len(entries) - table.row_count} more; --all shows them"
    return table


def _duration(length_ms: int) -> str:
    """A length of time in the largest unit that fits.

    Examples
    --------
    >>> _duration(2_592_000_000), _duration(5_400_000)
    ('30d', '90m')
    """
    for unit, size_ms in (("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if length_ms % size_ms == 0:
            return f"{length_ms // size_ms}{unit}"
    return f"{length_ms}ms"


def rollouts_table(results: Results) -> Table:
    """What was decided about canaries."""
    table = Table(title="Rollouts", title_justify="left", box=SIMPLE_HEAD)
    for name in ("decided", "canary", "action", "evidence"):
        table.add_column(name, no_wrap=name == "decided", overflow="fold")
    for event in results.rollouts.values():
        if event.action is not RolloutAction.HOLD:
            table.add_row(
                date(event.decided_at_ms)[:10],
                escape(f"{event.model} {event.canary}"),
                event.action.value,
                escape(event.summary),
            )
    holds = sum(e.action is RolloutAction.HOLD for e in results.rollouts.values())
    table.caption = f"windows on hold before: {holds}"
    return table


def policies_table(compared: Mapping[str, Results]) -> Table:
    """What policies made of the same events, a row for each; the first is that of the replay."""
    table = Table(title="Policies on the same panes", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("policy")
    for name in ("pages", "tickets", "watches", "open now", "expected false"):
        table.add_column(name, justify="right")
    table.add_column("rollouts")
    for name, results in compared.items():
        opened = Counter(
            alert.severity
            for alert in results.alerts.values()
            if alert.action is AlertAction.OPENED
        )
        said = Counter(event.action.value for event in results.rollouts.values())
        table.add_row(
            escape(name),
            *(str(opened[severity]) for severity in Severity),
            str(len(results.open_alerts())),
            f"{sum(ledger.spent for ledger in results.ledgers):.3g}",
            ", ".join(f"{n} {action}" for action, n in sorted(said.items())),
        )
    return table
