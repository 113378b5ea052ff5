"""Whoever is woken has a page to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from detectors.embeddings.columns import with_embeddings
from schemas.alerts import Severity
from schemas.policy import Policy
from schemas.policy_file import load, loads
from schemas.profiling import build
from schemas.reference import (
    CategoricalReference,
    LabelledScores,
    OutcomeReference,
    ReferenceProfile,
)
from streams.decide import detect
from streams.decide.detect import CrowdedTest, NoLabelsTest, SequentialTest, SheddingTest, StrayTest
from streams.decide.subject import subject_of
from streams.decide.upkeep import missing

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules" / "kittiwake.yml"
ROW = re.compile(
    r"^\| (.+?) \| (page|ticket|watch) \| \[[^\]]+\]\(([\w-]+\.md)\) \|$", re.MULTILINE
)

EVERYTHING = """
model: m
task: binary
opinions: [adwin]
budgets:
  {error_rate: 0.1, brier: 0.1, service_errors: 0.1, latency: {limit_ms: 100}, flips: 0.1,
   disagreements: 0.1}
floors: {label_rate: 0.5, auc: 0.7, f1: 0.5}
fairness: {groups: [sex], tpr_gap: 0.05, fpr_gap: 0.05}
features: {f: {min: 0, max: 1}}
"""


@pytest.fixture(scope="module")
def index(pages):
    """Severity and page of each name in the list of runbooks."""
    return {
        name: (severity, page)
        for names, severity, page in ROW.findall(pages["docs/runbooks/README.md"].text)
        for name in re.findall(r"`(\w+)`", names)
    }


def rules():
    """Every alert rule."""
    groups = YAML(typ="safe").load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


DEFAULTS = {
    "multiclass": "floors: {recall: 0.5}",
    "regression": "budgets: {mae: 0.5, interval_miss_rate: 0.2}",
    "ranking": "{budgets: {error_rate: 0.5, zero_results: 0.1}, floors: {ndcg: 0.3, mrr: 0.3}}",
    "chat": "features: {judge: {min: 0, max: 1, min_mean: 0.5}}",
}
"""What else other tasks have."""


def reference() -> ReferenceProfile:
    """A reference with a feature, a labelled score, classes, quantiles and a rate of
    regenerations."""
    values: list[object] = [i / 1_000 for i in range(1_000)]
    found = build("m", {"f": values}, score=[i / 1_000 for i in range(1_000)], source="test")
    classes = CategoricalReference(n=9, missing=0, categories=["a", "b"], counts=[5, 4, 0])
    known = {
        name: OutcomeReference(n=1_000, sum=50.0)
        for name in ("regeneration_rate", "actual_positive_rate")
    }
    bins = len(found.score.counts) if found.score else 0
    labelled = LabelledScores(
        n=[50] * bins,
        positives=[25] * bins,
        prob_n=[100] * 10,
        prob_pos=[50] * 10,
        decided=[50] * 10,
        hits=[40] * 10,
    )
    texts = [{"text": [float(i % 7), 1.0]} for i in range(1_000)]
    return with_embeddings(found, texts).model_copy(
        update={
            "classes": classes,
            "quantiles": [0.1, 0.9],
            "outcomes": known,
            "labelled": labelled,
        }
    )


def policies() -> Iterator[Policy]:
    """One of each task."""
    everything = loads(EVERYTHING)
    yield everything
    weighted = everything.labels.model_copy(update={"propensity": True})
    yield everything.model_copy(update={"labels": weighted})
    for task, more in DEFAULTS.items():
        keys = YAML(typ="safe").load(more)
        yield Policy.model_validate({"model": "m", "task": task, **keys}, strict=False)


def alerting() -> list[SequentialTest]:
    """Every kind of test that can raise an alert, once."""
    tests = [
        test
        for policy in policies()
        for whole in (True, False)
        for subject in (subject_of(policy, reference(), whole=whole, key="sex"),)
        for test in (*detect.tests_of(subject), *detect.watches_of(subject))
    ]
    crowded = [CrowdedTest(metric, "region", 0) for metric in ("capped_segments", "long_segments")]
    rules = (StrayTest(), SheddingTest(), NoLabelsTest(3), *crowded)
    kinds = {(test.metric, test.feature): test for test in (*tests, *rules)}
    return list(kinds.values())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_names_a_runbook_that_speaks_of_it(rule, index):
    """The annotation is a file, the file names the rule, and the list agrees with both."""
    runbook = ROOT / rule["annotations"]["runbook"]
    assert f"`{rule['alert']}`" in runbook.read_text(encoding="utf-8")
    assert index[rule["alert"]] == (rule["labels"]["severity"], runbook.name)


@pytest.mark.parametrize("test", alerting(), ids=lambda test: f"{test.metric}-{test.feature}")
def test_an_alert_of_a_model_has_a_runbook_that_speaks_of_it(test, index):
    """By its metric; the severity in the list is the test's."""
    severity, page = index[test.metric]
    assert severity == Severity(test.severity).value
    assert f"`{test.metric}`" in (ROOT / "docs" / "runbooks" / page).read_text(encoding="utf-8")


def test_the_list_names_nothing_that_cannot_fire(index):
    """Rules and metrics that are gone leave the list, and every page is used."""
    known = {rule["alert"] for rule in rules()} | {test.metric for test in alerting()}
    assert set(index) == known | {missing.METRIC}
    files = {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README.md"}
    assert files == {page for _, page in index.values()}


def test_the_example_policy_names_a_runbook():
    """What stands in the alerts of the demo can be read."""
    assert (ROOT / load(ROOT / "examples" / "bank" / "policy.yaml").runbook).is_file()
