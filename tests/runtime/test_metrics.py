"""Metrics: only declared ones, a bound on their series, and windows shown as they should be."""

from __future__ import annotations

import urllib.request

import pytest
from published import an_alert

from schemas.alerts import Alert, AlertAction
from schemas.errors import ConfigurationError
from schemas.predictions import Arm
from schemas.windows import Coverage, Metric, Verdict, WindowResult
from streams.decide.ledger import Totals
from streams.runtime import catalogue
from streams.runtime.catalogue import (
    ALERTS,
    ALERTS_OPEN,
    BUDGET_PROMISED,
    BUDGET_SPENT,
    CATALOGUE,
    CHECKPOINT_SECONDS,
    CHECKPOINTS,
    FOLDED,
    LABEL_COVERAGE,
    METRIC,
    METRIC_LOW,
    ROWS,
    VERDICT,
    WINDOWS,
    Declared,
    Kind,
)
from streams.runtime.decision_metrics import DecisionMetrics
from streams.runtime.metrics import Metrics, Unread

STREAM = {"model": "fraud", "version": "v1", "arm": "baseline", "segment": ""}


def test_the_catalogue_holds_every_declared_metric_once() -> None:
    """A metric declared in the module stands in the table, under a name of its own."""
    declared = [value for value in vars(catalogue).values() if isinstance(value, Declared)]
    assert sorted(declared, key=lambda d: d.name) == sorted(CATALOGUE, key=lambda d: d.name)
    assert len({d.name for d in CATALOGUE}) == len(CATALOGUE)
    assert all(d.name.endswith("_total") == (d.kind is Kind.COUNTER) for d in CATALOGUE)


def test_two_processes_in_one_program_do_not_share_series() -> None:
    """Each `Metrics` has a registry of its own."""
    one, other = Metrics("ingest"), Metrics("decide")
    one.inc(CHECKPOINTS)
    assert one.value(CHECKPOINTS) == 1
    assert other.value(CHECKPOINTS) == 0


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "given: (none)"),
        ({"model": "fraud"}, "given: model"),
        ({"model": "fraud", "sort": "x"}, "given: model, sort"),
        ({"model": "fraud", "kind": "x", "extra": "y"}, "given: model, kind, extra"),
    ],
)
def test_wrong_labels_are_refused(labels: dict[str, str], said: str) -> None:
    """An update gives exactly the declared labels; the message names both."""
    with pytest.raises(ValueError, match=r"has the labels model, kind") as caught:
        Metrics("ingest").inc(ROWS, 1, **labels)
    assert said in str(caught.value)


def test_a_metric_of_another_kind_is_refused() -> None:
    """A gauge is not counted up, a counter is not set."""
    metrics = Metrics("ingest")
    with pytest.raises(ValueError, match="is a gauge; this call needs a counter"):
        metrics.inc(METRIC)
    with pytest.raises(ValueError, match="is a counter; this call needs a gauge"):
        metrics.set(ROWS, 1)
    with pytest.raises(ValueError, match="needs a histogram"):
        metrics.observe(ROWS, 1)


def test_series_are_bounded_whatever_events_say() -> None:
    """A thousand models give the bound's number of series and one more; nothing is lost."""
    metrics = Metrics("ingest", max_label_values=10)
    for number in range(1_000):
        metrics.inc(ROWS, model=f"m{number}", kind="prediction")
    samples = [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == ROWS.name
    ]
    assert len(samples) == 11
    assert sum(sample.value for sample in samples) == 1_000
    assert metrics.value(FOLDED, metric=ROWS.name, label="model") == 990


def test_a_gauge_beyond_the_bound_is_left_out_until_there_is_room() -> None:
    """A mixture of streams has no level; a retired version makes room for the next."""
    metrics = Metrics("decide", max_label_values=1)
    metrics.set(LABEL_COVERAGE, 0.5, **STREAM)
    second = {**STREAM, "version": "v2"}
    metrics.set(LABEL_COVERAGE, 0.7, **second)
    assert metrics.value(LABEL_COVERAGE, **second) is None
    metrics.clear(LABEL_COVERAGE, model="fraud", version="v1")
    metrics.set(LABEL_COVERAGE, 0.7, **second)
    assert metrics.value(LABEL_COVERAGE, **second) == 0.7
    assert metrics.value(LABEL_COVERAGE, **STREAM) is None


def test_the_endpoint_serves_and_stops() -> None:
    """Port 0 picks a free port; a taken one is a clear error; close frees it."""
    with Metrics("ingest") as metrics:
        metrics.observe(CHECKPOINT_SECONDS, 0.2)
        port = metrics.start_http(0)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            text = reply.read().decode()
        assert 'kittiwake_build_info{process="ingest",version="' in text
        assert 'kittiwake_checkpoint_seconds_bucket{le="0.25"} 1.0' in text
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*choose another port"):
            Metrics("decide").start_http(port)
    again = Metrics("decide")
    assert again.start_http(port) == port
    again.close()


def _window(
    start_ms: int, *, error: float | None, psi: float, matured: bool, revision: int = 1
) -> WindowResult:
    return WindowResult(
        id=f"w{start_ms}",
        model="fraud",
        version="v1",
        arm=Arm.BASELINE,
        segment="",
        start_ms=start_ms,
        end_ms=start_ms + 1,
        policy="p",
        reference="r",
        predictions=10,
        late=0,
        duplicates=0,
        strays=0,
        coverage=Coverage(
            predictions=10, labelled=9, share=0.9, matured=matured, median_delay_ms=None
        ),
        verdict=Verdict.DEGRADED,
        metrics=[
            Metric(name="error_rate", n=9, value=error, low=0.01),
            Metric(name="psi", feature="amount", n=10, value=psi),
        ],
        reliability=[],
        revision=revision,
        cut={},
    )


def test_labels_are_shown_by_matured_windows_inputs_by_the_latest() -> None:
    """The first labels of a young window are no sample of it; its inputs are complete."""
    metrics = Metrics("decide")
    shown = DecisionMetrics(metrics)
    error = {**STREAM, "metric": "error_rate", "feature": ""}
    psi = {**STREAM, "metric": "psi", "feature": "amount"}
    shown.windows([_window(1, error=0.5, psi=0.1, matured=False)])
    assert metrics.value(METRIC, **error) is None
    assert metrics.value(LABEL_COVERAGE, **STREAM) is None
    shown.windows([_window(2, error=0.7, psi=0.2, matured=False)])
    shown.windows([_window(1, error=0.04, psi=0.9, matured=True, revision=2)])
    assert metrics.value(METRIC, **error) == 0.04
    assert metrics.value(METRIC_LOW, **error) == 0.01
    assert metrics.value(METRIC, **psi) == 0.2
    assert metrics.value(LABEL_COVERAGE, **STREAM) == 0.9
    assert metrics.value(VERDICT, **STREAM, verdict="degraded") == 1
    assert metrics.value(VERDICT, **STREAM, verdict="healthy") == 0
    assert metrics.value(WINDOWS, model="fraud", kind="first") == 2
    assert metrics.value(WINDOWS, model="fraud", kind="revision") == 1


def test_of_windows_published_together_the_latest_are_shown() -> None:
    """As if they had been published one by one, whatever their order."""
    told = [
        _window(2, error=0.7, psi=0.2, matured=False),
        _window(1, error=0.04, psi=0.9, matured=True, revision=2),
        _window(0, error=0.3, psi=0.8, matured=True),
    ]
    together, apart = Metrics("decide"), Metrics("decide")
    DecisionMetrics(together).windows(told)
    shown = DecisionMetrics(apart)
    for window in told:
        shown.windows([window])
    for metrics in (together, apart):
        assert metrics.value(METRIC, **STREAM, metric="error_rate", feature="") == 0.04
        assert metrics.value(METRIC, **STREAM, metric="psi", feature="amount") == 0.2
        assert metrics.value(WINDOWS, model="fraud", kind="first") == 2


def test_one_series_of_a_gauge_is_taken_away() -> None:
    """And its place under the bound is free again; the others stay."""
    metrics = Metrics("decide", max_label_values=2)
    for version in ("v1", "v2"):
        metrics.set(LABEL_COVERAGE, 0.5, **{**STREAM, "version": version})
    metrics.set(LABEL_COVERAGE, None, **{**STREAM, "version": "v1"})
    metrics.set(LABEL_COVERAGE, 0.7, **{**STREAM, "version": "v3"})
    found = [metrics.value(LABEL_COVERAGE, **{**STREAM, "version": f"v{i}"}) for i in (1, 2, 3)]
    assert found == [None, 0.5, 0.7]


def test_nothing_is_kept_where_nobody_reads() -> None:
    """A wrong call is not found there either, for nothing is looked at."""
    metrics = Unread("replay")
    metrics.inc(WINDOWS, model="fraud", kind="first")
    metrics.set(LABEL_COVERAGE, 0.5, **STREAM)
    assert metrics.value(WINDOWS, model="fraud", kind="first") is None
    assert metrics.value(LABEL_COVERAGE, **STREAM) is None
    assert not metrics.is_read


def test_alerts_open_before_a_restart_are_shown_again() -> None:
    """And their end is counted."""
    metrics = Metrics("decide")
    shown = DecisionMetrics(metrics)
    shown.restore([("a1", "fraud", "page"), ("a2", "fraud", "page"), ("a3", "fraud", "ticket")])
    assert metrics.value(ALERTS_OPEN, model="fraud", severity="page") == 2
    assert metrics.value(ALERTS_OPEN, model="fraud", severity="ticket") == 1


def test_the_budget_is_shown_by_model() -> None:
    """What is promised and what was spent, in expected false alarms."""
    metrics = Metrics("decide")
    shown = DecisionMetrics(metrics)
    shown.budgets({"fraud": Totals(promised=1.0, spent=0.25)})
    shown.budgets({"credit": Totals(promised=2.0, spent=0.5)})
    assert metrics.value(BUDGET_SPENT, model="credit") == 0.5
    assert metrics.value(BUDGET_PROMISED, model="credit") == 2.0


def _alert(alert_id: str, action: AlertAction) -> Alert:
    return an_alert(id=f"{alert_id}-{action}", alert_id=alert_id, action=action)


def test_open_alerts_are_counted_by_id() -> None:
    """A repeated event counts as published, not as open; the last resolution leaves zero."""
    metrics = Metrics("decide")
    shown = DecisionMetrics(metrics)
    labels = {"model": "fraud", "severity": "page"}
    for alert_id in ("a", "b", "a"):
        shown.alert(_alert(alert_id, AlertAction.OPENED))
    assert metrics.value(ALERTS_OPEN, **labels) == 2
    assert metrics.value(ALERTS, **labels, action="opened") == 3
    for alert_id in ("a", "b"):
        shown.alert(_alert(alert_id, AlertAction.RESOLVED))
    assert metrics.value(ALERTS_OPEN, **labels) == 0
