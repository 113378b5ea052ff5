"""Dashboards and rules ask only for metrics that exist, in PromQL that a real parser reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import promql
import pytest
from ruamel.yaml import YAML

from detectors import quantities
from detectors.outcomes import layout, outcome_of
from schemas.policy import Policy, Task
from streams.dashboard import build as dashboard
from streams.decide.measure import calibration, latency
from streams.decide.measure.embeddings import DRIFT
from streams.decide.measure.estimates import ESTIMATES
from streams.decide.measure.fairness import COMPARED, SELECTION
from streams.decide.measure.labels import BESIDE
from streams.decide.measure.patterns import CONSTANT, REPEATS
from streams.decide.measure.smooth import SMOOTH
from streams.runtime.catalogue import CATALOGUE, INPUT_METRICS, LABEL_METRICS, METRIC_NAMES

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
STANDARD = frozenset({"up", "process_resident_memory_bytes"})
SCRAPE_LABELS = {"job", "instance"}


def _queries() -> list[tuple[str, str]]:
    found = []
    for file in DASHBOARDS:
        found += promql.panels(json.loads(file.read_text(encoding="utf-8")))
    for file in RULES:
        found += promql.rules(YAML(typ="safe").load(file.read_text(encoding="utf-8")))
    return found


QUERIES = _queries()
SERIES = {name: declared for declared in CATALOGUE for name in declared.series}


def test_there_are_panels_and_rules() -> None:
    """The tests below look at something."""
    assert len(DASHBOARDS) == 1
    assert len(RULES) == 1
    assert len(QUERIES) > 40


@pytest.mark.parametrize(("title", "expr"), QUERIES)
def test_a_query_names_declared_series_and_labels(title: str, expr: str) -> None:
    """A query parses, and each series and label in it is declared in the catalogue."""
    names = promql.series_names(expr)
    assert names
    assert names <= SERIES.keys() | STANDARD
    for series, label in promql.label_names(expr):
        known = set(SERIES[series].labels) if series in SERIES else set()
        assert label in known | SCRAPE_LABELS, f"{title}: {series} has no label {label}"


def test_every_metric_is_asked_for() -> None:
    """No metric is kept for nobody: each one stands in a panel or a rule."""
    asked = {name for _, expr in QUERIES for name in promql.series_names(expr)}
    unasked = [d.name for d in CATALOGUE if not asked & set(d.series)]
    assert unasked == []


def test_metric_values_in_panels_are_the_declared_ones() -> None:
    """The label ``metric`` takes its values from the table of metric names, and all are shown."""
    shown = {
        name
        for _, expr in QUERIES
        for selector in promql.selectors(expr)
        for matcher in selector.matchers.matchers
        if matcher.name == "metric"
        for name in matcher.value.split("|")
    }
    assert shown == set(METRIC_NAMES)


def test_the_dashboard_file_is_the_builders() -> None:
    """The shipped file is what the builder writes."""
    assert dashboard.main(["--check"]) == 0


def test_a_file_that_differs_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--check`` says which file differs and what to run; ``--write`` mends it."""
    file = tmp_path / "d.json"
    assert dashboard.main(["--check", "--file", str(file)]) == 1
    assert f"{file} is missing or differs" in capsys.readouterr().err
    assert dashboard.main(["--write", "--file", str(file)]) == 0
    assert dashboard.main(["--check", "--file", str(file)]) == 0


def test_panels_fit_the_grid_and_do_not_overlap() -> None:
    """Every panel lies within 24 columns, and no cell belongs to two."""
    cells: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARDS[0].read_text(encoding="utf-8"))["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & own, panel["title"]
        cells |= own


def test_every_rule_says_who_acts_and_where_to_read_on() -> None:
    """An alert carries a severity, an owner, a runbook and a summary."""
    for file in RULES:
        for group in YAML(typ="safe").load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
                assert {"owner", "runbook", "summary"} <= rule["annotations"].keys()


def test_the_declared_metric_values_are_those_that_windows_carry() -> None:
    """What DECIDE measures and what the catalogue names are the same."""
    binary = layout(outcome_of(Policy(model="m", task=Task.BINARY)))
    (shown,) = calibration.metrics_each([(binary, np.zeros(binary.size, int))])
    carried = {metric.name for metric in shown}
    carried |= {"pit", *SMOOTH, *COMPARED} - {SELECTION}
    carried |= {*quantities.TOLD_METRICS, *BESIDE}
    assert set(LABEL_METRICS) == carried | set(quantities.LABEL_METRICS)
    features = {*quantities.FEATURE_METRICS, "psi", "js", "tv", "distinct_items", "popular_share"}
    features |= {CONSTANT, REPEATS, DRIFT}
    own = {*quantities.INPUT_METRICS, *latency.QUANTILES, *ESTIMATES, SELECTION}
    assert set(INPUT_METRICS) == own | features
