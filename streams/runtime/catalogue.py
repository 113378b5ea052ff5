"""The closed catalogue of Prometheus metrics: every one is declared here, once.

A test holds the dashboard and the alert rules equal to this table. Labels in `OPEN_LABELS` take
their values from events, so `streams.runtime.metrics` bounds them; all others are closed sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from detectors import quantities
from streams.decide.measure.embeddings import DRIFT
from streams.decide.measure.estimates import ESTIMATES
from streams.decide.measure.fairness import COMPARED, SELECTION
from streams.decide.measure.labels import BESIDE
from streams.decide.measure.patterns import CONSTANT, REPEATS
from streams.decide.measure.smooth import SMOOTH

OPEN_LABELS = frozenset({"model", "version", "segment", "feature"})
"""Labels whose values others choose."""


class Kind(StrEnum):
    """How Prometheus reads a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


CHECKPOINT_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the checkpoint histogram, in seconds."""

PROBE_BUCKETS_S = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
"""Upper bounds of the probe histogram, in seconds."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as it is declared.

    Parameters
    ----------
    name
        Name as scraped; counters end in ``_total``, times in ``_seconds`` or ``_ms``.
    kind
        Counter, gauge or histogram.
    help
        What one unit of it means.
    labels
        Label names; every use gives them all.
    buckets
        Upper bounds of a histogram's buckets, ascending.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = CHECKPOINT_BUCKETS_S

    @property
    def series(self) -> tuple[str, ...]:
        """Names of the series that a scrape shows.

        Examples
        --------
        >>> CHECKPOINT_SECONDS.series[-1]
        'kittiwake_checkpoint_seconds_count'
        """
        if self.kind is Kind.HISTOGRAM:
            return (f"{self.name}_bucket", f"{self.name}_sum", f"{self.name}_count")
        return (self.name,)


_STREAM = ("model", "version", "arm", "segment")
_METRIC = (*_STREAM, "metric", "feature")
_C, _G, _H = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

BUILD_INFO = Declared(
    "kittiwake_build_info", _G, "1; version and process of this exporter.", ("version", "process")
)
RECORDS = Declared("kittiwake_records_total", _C, "Kafka records read.", ("topic",))
ROWS = Declared("kittiwake_rows_total", _C, "Rows decoded from records.", ("model", "kind"))
LATE_ROWS = Declared(
    "kittiwake_late_rows_total", _C, "Rows later than the allowed lateness.", ("model",)
)
DEAD_LETTERS = Declared(
    "kittiwake_dead_letters_total", _C, "Rows that could not be used.", ("topic", "reason")
)
REVIEWS = Declared(
    "kittiwake_review_requests_total",
    _C,
    "Predictions that people were asked to review.",
    ("model", "reason"),
)
SHED_ROWS = Declared(
    "kittiwake_shed_rows_total", _C, "Rows counted in part, by what they lack.", ("model", "kind")
)
SHED_LEVEL = Declared(
    "kittiwake_shed_level", _G, "Highest level of shedding, of any model; 0 is none.", ("shard",)
)
BEHIND = Declared(
    "kittiwake_behind_ms", _G, "Age of the newest prediction read; 0 at the end.", ("shard",)
)
JOINED = Declared("kittiwake_joined_total", _C, "Labels joined to a prediction.", ("model",))
PENDING = Declared(
    "kittiwake_pending_predictions", _G, "Predictions that the join store holds.", ("shard",)
)
OPEN_PANES = Declared("kittiwake_open_panes", _G, "Panes of the last checkpoint.", ("shard",))
HELD_BYTES = Declared(
    "kittiwake_held_bytes", _G, "Memory that open panes took at the last checkpoint.", ("shard",)
)
WATERMARK = Declared(
    "kittiwake_watermark_ms", _G, "Event time reached, ms since 1970.", ("shard", "topic")
)
CHECKPOINTS = Declared("kittiwake_checkpoints_total", _C, "Checkpoints committed.")
COMMIT_RETRIES = Declared(
    "kittiwake_commit_retries_total", _C, "Commits that the log refused, to be made again."
)
CHECKPOINT_SECONDS = Declared("kittiwake_checkpoint_seconds", _H, "Time a checkpoint took.")
LAST_CHECKPOINT = Declared(
    "kittiwake_last_checkpoint_timestamp_seconds", _G, "When the last checkpoint was committed."
)
LAG = Declared(
    "kafka_consumergroup_lag",
    _G,
    "Records between a group's position and the end.",
    ("group", "topic", "partition"),
)
REBALANCES = Declared("kittiwake_rebalances_total", _C, "Changes of the partition assignment.")
LOOP_SECONDS = Declared(
    "kittiwake_loop_seconds_total", _C, "Time spent by each stage of the loop.", ("stage",)
)
WINDOWS = Declared("kittiwake_windows_total", _C, "Window results published.", ("model", "kind"))
METRIC = Declared("kittiwake_metric", _G, "Value in the latest window.", _METRIC)
METRIC_LOW = Declared("kittiwake_metric_low", _G, "Lower end of its interval.", _METRIC)
METRIC_HIGH = Declared("kittiwake_metric_high", _G, "Upper end of its interval.", _METRIC)
METRIC_BUDGET = Declared("kittiwake_metric_budget", _G, "Highest acceptable level.", _METRIC)
VERDICT = Declared(
    "kittiwake_verdict",
    _G,
    "1 for the verdict of the latest matured window.",
    (*_STREAM, "verdict"),
)
LABEL_COVERAGE = Declared(
    "kittiwake_label_coverage", _G, "Labelled share of the latest matured window.", _STREAM
)
ALERTS_OPEN = Declared("kittiwake_alerts_open", _G, "Alerts open now.", ("model", "severity"))
ALERTS = Declared(
    "kittiwake_alerts_total", _C, "Alert events published.", ("model", "severity", "action")
)
ROLLOUT_EVENTS = Declared(
    "kittiwake_rollout_events_total", _C, "Rollout events published.", ("model", "action")
)
BUDGET_SPENT = Declared(
    "kittiwake_budget_spent", _G, "False alarms expected so far, at most.", ("model",)
)
BUDGET_PROMISED = Declared(
    "kittiwake_budget_promised", _G, "False alarms expected in a period, at most.", ("model",)
)
PROBE_SECONDS = Declared(
    "kittiwake_probe_seconds",
    _H,
    "Time from a probe's events to the window that holds them.",
    ("model",),
    PROBE_BUCKETS_S,
)
PROBE_ANSWERED = Declared(
    "kittiwake_probe_last_answer_timestamp_seconds",
    _G,
    "When the last probe was answered; when probing began, before any was.",
    ("model",),
)
DELIVERIES = Declared(
    "kittiwake_deliveries_total",
    _C,
    "Attempts to deliver an event: delivered, retried, or dead when given up.",
    ("target", "outcome"),
)
DELIVERY_SECONDS = Declared(
    "kittiwake_delivery_seconds", _H, "Time an attempt to deliver took.", ("target",)
)
DELIVERIES_WAITING = Declared(
    "kittiwake_deliveries_waiting", _G, "Events that wait for a target.", ("target",)
)
FOLDED = Declared(
    "kittiwake_label_values_folded_total",
    _C,
    "Updates beyond the bound of label values.",
    ("metric", "label"),
)

CATALOGUE: tuple[Declared, ...] = (
    BUILD_INFO,
    RECORDS,
    ROWS,
    LATE_ROWS,
    DEAD_LETTERS,
    REVIEWS,
    SHED_ROWS,
    SHED_LEVEL,
    BEHIND,
    JOINED,
    PENDING,
    OPEN_PANES,
    HELD_BYTES,
    WATERMARK,
    CHECKPOINTS,
    COMMIT_RETRIES,
    CHECKPOINT_SECONDS,
    LAST_CHECKPOINT,
    LAG,
    REBALANCES,
    LOOP_SECONDS,
    WINDOWS,
    METRIC,
    METRIC_LOW,
    METRIC_HIGH,
    METRIC_BUDGET,
    VERDICT,
    LABEL_COVERAGE,
    ALERTS_OPEN,
    ALERTS,
    ROLLOUT_EVENTS,
    BUDGET_SPENT,
    BUDGET_PROMISED,
    PROBE_SECONDS,
    PROBE_ANSWERED,
    DELIVERIES,
    DELIVERY_SECONDS,
    DELIVERIES_WAITING,
    FOLDED,
)
"""Every metric of ours."""

LABEL_METRICS = (
    *quantities.LABEL_METRICS,
    *quantities.TOLD_METRICS,
    *sorted(BESIDE),
    "ece",
    "ece_noise_floor",
    "spiegelhalter_z",
    "observed_expected",
    "pit",
    *SMOOTH,
    *(name for name in COMPARED if name != SELECTION),
)
"""Values of the label ``metric`` that need the truth."""

INPUT_METRICS = (
    *quantities.INPUT_METRICS,
    SELECTION,
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "distinct_items",
    "popular_share",
    CONSTANT,
    REPEATS,
    DRIFT,
    *ESTIMATES,
    *quantities.FEATURE_METRICS,
    "psi",
    "js",
    "tv",
)
"""Values of the label ``metric`` that predictions alone give."""

METRIC_NAMES = LABEL_METRICS + INPUT_METRICS
"""Values of the label ``metric``: the names of `schemas.windows.Metric`."""
