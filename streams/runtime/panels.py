"""What the dashboard shows: each panel with the PromQL behind it."""

from __future__ import annotations

from dataclasses import dataclass

from streams.runtime.catalogue import METRIC, METRIC_BUDGET, METRIC_HIGH, METRIC_LOW, Declared


@dataclass(frozen=True, slots=True)
class Target:
    """A query and the legend of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: ``width`` of 24 columns, ``unit`` by Grafana's names."""

    title: str
    description: str
    targets: tuple[Target, ...]
    unit: str = "short"
    type: str = "timeseries"
    width: int = 8
    height: int = 8


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def _of(declared: Declared, metric: str) -> str:
    # Segments have their own series; the whole stream has the empty segment.
    return f'{declared.name}{{model=~"$model",segment="",metric="{metric}"}}'


def _level(title: str, description: str, metric: str, unit: str = "short") -> Panel:
    """A metric of the whole stream with its interval and its budget."""
    stream = "{{model}} {{version}} {{arm}}"
    targets = (
        Target(_of(METRIC, metric), stream),
        Target(_of(METRIC_LOW, metric), f"{stream} low"),
        Target(_of(METRIC_HIGH, metric), f"{stream} high"),
        Target(_of(METRIC_BUDGET, metric), f"{stream} budget"),
    )
    return Panel(title, description, targets, unit)


def _by_feature(title: str, description: str, metric: str, unit: str = "short") -> Panel:
    target = Target(_of(METRIC, metric), "{{model}} {{version}} {{arm}} {{feature}}")
    return Panel(title, description, (target,), unit)


def _single(title: str, description: str, expr: str, legend: str, unit: str = "short") -> Panel:
    return Panel(title, description, (Target(expr, legend),), unit)


def _stat(title: str, description: str, expr: str, legend: str, unit: str = "short") -> Panel:
    return Panel(title, description, (Target(expr, legend),), unit, "stat", 6, 5)


_VERSION = "{{model}} {{version}} {{arm}}"
_M = '{model=~"$model"}'
_WHOLE = '{model=~"$model",segment=""}'
_RATE = "[$__rate_interval]"

STATE = Row(
    "State",
    (
        _stat(
            "Verdict",
            "Verdict of the latest window; cannot_tell is not healthy.",
            f"kittiwake_verdict{_WHOLE} == 1",
            _VERSION + " {{verdict}}",
        ),
        _stat(
            "Open alerts",
            "Alerts open now, by severity.",
            f"sum by (model, severity) (kittiwake_alerts_open{_M})",
            "{{model}} {{severity}}",
        ),
        _stat(
            "False-alarm budget spent",
            "False pages expected so far in this period, as a share of those allowed.",
            f"kittiwake_budget_spent{_M} / on (model) kittiwake_budget_pages",
            "{{model}}",
            "percentunit",
        ),
        _stat(
            "Rollout events",
            "What was said of canaries.",
            f"sum by (model, action) (kittiwake_rollout_events_total{_M})",
            "{{model}} {{action}}",
        ),
    ),
)

OUTCOMES = Row(
    "Outcomes (latest matured window)",
    (
        _level(
            "Error rate",
            "With its 95 % interval and its budget.",
            "error_rate",
            "percentunit",
        ),
        _level("Brier score", "With its 95 % interval and its budget.", "brier"),
        _single(
            "Calibration error",
            "Debiased expected calibration error.",
            _of(METRIC, "ece"),
            _VERSION,
        ),
        _single("Log loss", "Mean negative log likelihood.", _of(METRIC, "log_loss"), _VERSION),
        _single(
            "Label coverage",
            "Share of predictions whose label is known.",
            f"kittiwake_label_coverage{_WHOLE}",
            _VERSION,
            "percentunit",
        ),
        _single(
            "Alerts published",
            "Since each process started.",
            f"sum by (model, severity, action) (kittiwake_alerts_total{_M})",
            "{{model}} {{severity}} {{action}}",
        ),
    ),
)

INPUTS = Row(
    "Inputs and service (latest window)",
    (
        _by_feature("Drift (PSI)", "Population stability index, bias-corrected.", "psi"),
        _by_feature("Drift (TV)", "Total variation distance, bias-corrected.", "tv"),
        _by_feature("Drift (JS)", "Jensen-Shannon divergence, bias-corrected.", "js"),
        _by_feature("Missing rate", "Share of missing values.", "missing_rate", "percentunit"),
        _by_feature(
            "Out-of-range rate",
            "Share of values outside the contract.",
            "out_of_range_rate",
            "percentunit",
        ),
        Panel(
            "Score",
            "Mean score, and share of positive answers.",
            (
                Target(_of(METRIC, "score_mean"), f"{_VERSION} mean score"),
                Target(_of(METRIC, "positive_rate"), f"{_VERSION} positive"),
            ),
        ),
        Panel(
            "Latency",
            "Quantiles of the model service's latency.",
            tuple(
                Target(_of(METRIC, f"latency_p{q}"), f"{_VERSION} p{q}") for q in ("50", "95", "99")
            ),
            "ms",
        ),
        _single(
            "Service errors",
            "Share of predictions that failed.",
            _of(METRIC, "service_errors"),
            _VERSION,
            "percentunit",
        ),
        _single(
            "Traffic",
            "Rows a second.",
            f"sum by (model, kind) (rate(kittiwake_rows_total{_M}{_RATE}))",
            "{{model}} {{kind}}",
            "cps",
        ),
    ),
)

PIPELINE = Row(
    "Pipeline",
    (
        _single(
            "Lag",
            "Records between a group's position and the end of the log.",
            "sum by (group, topic) (kafka_consumergroup_lag)",
            "{{group}} {{topic}}",
        ),
        Panel(
            "Checkpoint time",
            "Half, and 99 of 100, take less.",
            tuple(
                Target(
                    f"histogram_quantile({q}, sum by (instance, le) "
                    f"(rate(kittiwake_checkpoint_seconds_bucket{_RATE})))",
                    f"{{{{instance}}}} {q}",
                )
                for q in ("0.5", "0.99")
            ),
            "s",
        ),
        _single(
            "Dead letters",
            "Rows a second that could not be used.",
            f"sum by (topic, reason) (rate(kittiwake_dead_letters_total{_RATE}))",
            "{{topic}} {{reason}}",
            "cps",
        ),
        Panel(
            "Joins and late rows",
            "Labels joined, and rows later than allowed, a second.",
            (
                Target(f"sum by (model) (rate(kittiwake_joined_total{_M}{_RATE}))", "joined"),
                Target(f"sum by (model) (rate(kittiwake_late_rows_total{_M}{_RATE}))", "late"),
            ),
            "cps",
        ),
        _single(
            "Records read",
            "Kafka records a second.",
            f"sum by (topic) (rate(kittiwake_records_total{_RATE}))",
            "{{topic}}",
            "cps",
        ),
        _single(
            "Windows published",
            "First results and revisions a second.",
            f"sum by (model, kind) (rate(kittiwake_windows_total{_M}{_RATE}))",
            "{{model}} {{kind}}",
            "cps",
        ),
        _single(
            "Event time reached",
            "Watermark of each shard.",
            "min by (shard, topic) (kittiwake_watermark_ms)",
            "{{shard}} {{topic}}",
            "dateTimeAsIso",
        ),
        _single(
            "Pending predictions",
            "Predictions that wait for a label.",
            "sum by (shard) (kittiwake_pending_predictions)",
            "shard {{shard}}",
        ),
        _single(
            "Open panes",
            "Panes held in memory.",
            "sum by (shard) (kittiwake_open_panes)",
            "shard {{shard}}",
        ),
        _single(
            "Loop time",
            "Seconds a second, by stage.",
            f"sum by (instance, stage) (rate(kittiwake_loop_seconds_total{_RATE}))",
            "{{instance}} {{stage}}",
            "percentunit",
        ),
        Panel(
            "Checkpoints and rebalances",
            "Since each process started.",
            (
                Target("kittiwake_checkpoints_total", "{{instance}} checkpoints"),
                Target("kittiwake_rebalances_total", "{{instance}} rebalances"),
            ),
        ),
        _single(
            "Memory",
            "Resident memory of each process.",
            "process_resident_memory_bytes "
            "* on (instance) group_left (process, version) kittiwake_build_info",
            "{{process}} {{instance}}",
            "bytes",
        ),
    ),
)

ROWS = (STATE, OUTCOMES, INPUTS, PIPELINE)
