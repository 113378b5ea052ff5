"""A real Prometheus reads what `Metrics` serves, and accepts every query we ship."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import promql
import pytest
from prometheus_server import Prometheus
from ruamel.yaml import YAML

from streams.runtime.catalogue import CHECKPOINT_SECONDS, METRIC, ROWS, VERDICT
from streams.runtime.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "kittiwake.json"
RULES = DEPLOY / "prometheus" / "rules" / "kittiwake.yml"
STREAM = {"model": "fraud", "version": "v1", "arm": "baseline", "segment": ""}


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Metrics, Prometheus]]:
    """A live endpoint and the Prometheus that scrapes it."""
    with Metrics("ingest") as metrics:
        target = f"127.0.0.1:{metrics.start_http(0)}"
        directory = tmp_path_factory.mktemp("prometheus")
        with Prometheus(directory, targets=[target], rule_files=[RULES]) as prometheus:
            yield metrics, prometheus


def test_values_arrive_with_their_labels(scraped: tuple[Metrics, Prometheus]) -> None:
    """A gauge of the whole stream is found by the empty segment, a counter by its labels."""
    metrics, prometheus = scraped
    metrics.set(METRIC, 0.125, **STREAM, metric="error_rate", feature="")
    metrics.inc(ROWS, 500, model="fraud", kind="prediction")
    (found,) = prometheus.wait_for('kittiwake_metric{segment="",metric="error_rate"}')
    assert found.value == 0.125
    assert found.labels["version"] == "v1"
    (count,) = prometheus.wait_for('kittiwake_rows_total{model="fraud"}')
    assert count.value == 500


def test_an_unknown_value_leaves_no_series(scraped: tuple[Metrics, Prometheus]) -> None:
    """None takes a series away, so that no dashboard shows an old value as the present one."""
    metrics, prometheus = scraped
    labels = {**STREAM, "metric": "brier", "feature": ""}
    metrics.set(METRIC, 0.2, **labels)
    prometheus.wait_for('kittiwake_metric{metric="brier"}')
    metrics.set(METRIC, None, **labels)
    (gone,) = prometheus.wait_for('absent(kittiwake_metric{metric="brier"})')
    assert gone.value == 1


def test_rules_run_on_what_is_served(scraped: tuple[Metrics, Prometheus]) -> None:
    """A degraded verdict makes the shipped rule pending."""
    metrics, prometheus = scraped
    metrics.set(VERDICT, 1, **STREAM, verdict="degraded")
    (alert,) = prometheus.wait_for('ALERTS{alertname="KittiwakeModelDegraded"}')
    assert alert.labels["alertstate"] == "pending"
    assert alert.labels["model"] == "fraud"


def test_checkpoint_quantiles_come_from_the_histogram(
    scraped: tuple[Metrics, Prometheus],
) -> None:
    """The buckets of the checkpoint histogram are summed under ``le``."""
    metrics, prometheus = scraped
    for seconds in (0.003, 0.02, 0.02, 3.0):
        metrics.observe(CHECKPOINT_SECONDS, seconds)
    prometheus.wait_for("kittiwake_checkpoint_seconds_count == 4")
    answer = prometheus.query("histogram_quantile(0.5, kittiwake_checkpoint_seconds_bucket)")
    assert 0.01 < answer[0].value <= 0.025


def test_every_shipped_query_is_accepted(scraped: tuple[Metrics, Prometheus]) -> None:
    """Prometheus itself evaluates every panel and rule without an error."""
    _, prometheus = scraped
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    empty = promql.unanswered(dashboard, prometheus.query)
    assert "Memory" not in empty
    assert "Rollout events" in empty
    for _, expr in promql.rules(YAML(typ="safe").load(RULES.read_text(encoding="utf-8"))):
        prometheus.query(expr)
    with pytest.raises(ValueError, match="parse error"):
        prometheus.query("sum by (")
