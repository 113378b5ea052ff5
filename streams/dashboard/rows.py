"""What the dashboard shows: each panel with the PromQL behind it."""

from __future__ import annotations

from detectors.quantities import TOLD_METRICS
from streams.dashboard.panels import Panel, Row, Target, any_of, by_feature, level, of, single, stat
from streams.decide.measure.embeddings import DRIFT
from streams.decide.measure.estimates import ESTIMATES
from streams.decide.measure.fairness import COMPARED
from streams.decide.measure.patterns import CONSTANT, REPEATS
from streams.runtime.catalogue import LABEL_METRICS, METRIC

_ANSWERS = (
    "positive_rate",
    "latency_over",
    "unusable_rate",
    "violation_rate",
    "paired_rate",
    "zero_results",
    "popular_share",
    "out_of_domain",
    CONSTANT,
    REPEATS,
)
_ELSEWHERE = frozenset(
    {"error_rate", "brier", "ece", "ece_noise_floor", "spiegelhalter_z", "observed_expected"}
) | {"label_rate", *TOLD_METRICS, *COMPARED}
_LOSSES = tuple(name for name in LABEL_METRICS if name not in _ELSEWHERE)

_NAMED = "{{model}} {{version}} {{arm}} {{metric}}"
_VERSION = "{{model}} {{version}} {{arm}}"
_M = '{model=~"$model"}'
_WHOLE = '{model=~"$model",segment=""}'
_RATE = "[$__rate_interval]"

STATE = Row(
    "State",
    (
        stat(
            "Verdict",
            "Verdict of the latest matured window; cannot_tell is not healthy.",
            f"kittiwake_verdict{_WHOLE} == 1",
            _VERSION + " {{verdict}}",
        ),
        stat(
            "Open alerts",
            "Alerts open now, by severity.",
            f"sum by (model, severity) (kittiwake_alerts_open{_M})",
            "{{model}} {{severity}}",
        ),
        stat(
            "False-alarm budget spent",
            "False alarms expected so far, at most: what all tests together were allowed.",
            f"kittiwake_budget_spent{_M}",
            "{{model}}",
        ),
        stat(
            "False-alarm budget promised",
            "False alarms expected in one period of the budget, at most, as the tests stand now.",
            f"kittiwake_budget_promised{_M}",
            "{{model}}",
        ),
        stat(
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
        level(
            "Error rate",
            "With its 95 % interval and its budget.",
            "error_rate",
            "percentunit",
        ),
        level("Brier score", "With its 95 % interval and its budget.", "brier"),
        Panel(
            "Calibration error",
            "Debiased expected calibration error, and what chance alone gives.",
            (
                Target(of(METRIC, "ece"), _VERSION),
                Target(of(METRIC, "ece_noise_floor"), f"{_VERSION} noise floor"),
            ),
        ),
        single(
            "Observed / expected",
            "Positives per expected positive; 1 is calibrated.",
            of(METRIC, "observed_expected"),
            _VERSION,
        ),
        single(
            "Calibration Z",
            "Spiegelhalter's Z; beyond 2 is rare for a calibrated model.",
            of(METRIC, "spiegelhalter_z"),
            _VERSION,
        ),
        single(
            "Losses, rankings and means",
            "What the model's task and its contracts have of them.",
            any_of(METRIC, (*_LOSSES, "distinct_items", "mean")),
            _NAMED + " {{feature}}",
        ),
        single(
            "Label coverage",
            "Share of predictions whose label is known.",
            f"kittiwake_label_coverage{_WHOLE}",
            _VERSION,
            "percentunit",
        ),
        single(
            "Reviews and reversals",
            "Share of reviewed labels that were changed, of labels that were reversed, and of "
            "predictions that have a label.",
            any_of(METRIC, (*TOLD_METRICS, "label_rate")),
            _NAMED,
            "percentunit",
        ),
        single(
            "Groups",
            "Each group beside the largest: ratio of selection rates, gaps of the others.",
            f'{METRIC.name}{{model=~"$model",metric=~"{"|".join(COMPARED)}"}}',
            "{{model}} {{version}} {{segment}} {{metric}}",
        ),
        single(
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
        by_feature("Drift (PSI)", "Population stability index, bias-corrected.", "psi"),
        single(
            "Drift (TV)",
            "Total variation distance of features and embeddings, bias-corrected.",
            any_of(METRIC, ("tv", DRIFT)),
            _VERSION + " {{feature}}",
        ),
        by_feature("Drift (JS)", "Jensen-Shannon divergence, bias-corrected.", "js"),
        by_feature("Missing rate", "Share of missing values.", "missing_rate", "percentunit"),
        by_feature(
            "Out-of-range rate",
            "Share of values outside the contract.",
            "out_of_range_rate",
            "percentunit",
        ),
        Panel(
            "Latency",
            "Quantiles of the model service's latency.",
            tuple(
                Target(of(METRIC, f"latency_p{q}"), f"{_VERSION} p{q}") for q in ("50", "95", "99")
            ),
            "ms",
        ),
        single(
            "Service errors",
            "Share of predictions that failed.",
            of(METRIC, "service_errors"),
            _VERSION,
            "percentunit",
        ),
        single(
            "Estimates before labels",
            "What scores let expect of the labels, while a score means what it meant.",
            any_of(METRIC, tuple(ESTIMATES)),
            _NAMED,
        ),
        single(
            "Answers",
            "Shares of positive, slow, unusable, violating, empty, most common and favourite "
            "answers, and of inputs that are unlike any before or come again.",
            any_of(METRIC, _ANSWERS),
            _NAMED,
            "percentunit",
        ),
        single(
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
        single(
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
        single(
            "Dead letters",
            "Rows a second that could not be used.",
            f"sum by (topic, reason) (rate(kittiwake_dead_letters_total{_RATE}))",
            "{{topic}} {{reason}}",
            "cps",
        ),
        single(
            "Review requests",
            "Predictions that people were asked to review, an hour.",
            f"3600 * sum by (model, reason) (rate(kittiwake_review_requests_total{_M}{_RATE}))",
            "{{model}} {{reason}}",
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
        single(
            "Records read",
            "Kafka records a second.",
            f"sum by (topic) (rate(kittiwake_records_total{_RATE}))",
            "{{topic}}",
            "cps",
        ),
        single(
            "Windows published",
            "First results and revisions a second.",
            f"sum by (model, kind) (rate(kittiwake_windows_total{_M}{_RATE}))",
            "{{model}} {{kind}}",
            "cps",
        ),
        single(
            "Event time reached",
            "Watermark of each shard.",
            "min by (shard, topic) (kittiwake_watermark_ms)",
            "{{shard}} {{topic}}",
            "dateTimeAsIso",
        ),
        single(
            "Pending predictions",
            "Predictions that wait for a label.",
            "sum by (shard) (kittiwake_pending_predictions)",
            "shard {{shard}}",
        ),
        single(
            "Open panes",
            "Panes that the last checkpoint handed on.",
            "sum by (shard) (kittiwake_open_panes)",
            "shard {{shard}}",
        ),
        single(
            "Memory of open panes",
            "What they took when the last checkpoint handed them on.",
            "sum by (shard) (kittiwake_held_bytes)",
            "shard {{shard}}",
            "bytes",
        ),
        single(
            "Behind",
            "Age of the newest prediction read, by shard; 0 at the end of the log.",
            "max by (shard) (kittiwake_behind_ms)",
            "shard {{shard}}",
            "ms",
        ),
        Panel(
            "Shedding",
            "Level of shedding, and rows a second that were counted in part.",
            (
                Target("max by (shard) (kittiwake_shed_level)", "level of shard {{shard}}"),
                Target(
                    f"sum by (model, kind) (rate(kittiwake_shed_rows_total{_M}{_RATE}))",
                    "{{model}} {{kind}}",
                ),
            ),
        ),
        single(
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
                Target("kittiwake_commit_retries_total", "{{instance}} commits refused"),
            ),
        ),
        single(
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
