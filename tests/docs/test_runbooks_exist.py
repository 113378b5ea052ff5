"""Whoever is woken has a page to read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from schemas.alerts import Severity
from schemas.policy import Policy
from schemas.policy_file import load, loads
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from streams.decide import detect
from streams.decide.detect import SequentialTest, StrayTest
from streams.decide.subject import subject_of

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules" / "kittiwake.yml"
ROW = re.compile(r"^\| (.+?) \| (page|ticket) \| \[[^\]]+\]\(([\w-]+\.md)\) \|$", re.MULTILINE)

EVERYTHING = """
model: m
task: binary
budgets:
  {error_rate: 0.1, brier: 0.1, service_errors: 0.1, latency: {limit_ms: 100}}
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


def reference() -> ReferenceProfile:
    """A reference with a feature and a score."""
    values: list[object] = [i / 1_000 for i in range(1_000)]
    return build("m", {"f": values}, score=[i / 1_000 for i in range(1_000)], source="test")


def alerting() -> list[SequentialTest]:
    """Every kind of test that can raise an alert."""
    policy: Policy = loads(EVERYTHING)
    return [*detect.tests_of(subject_of(policy, reference(), whole=True)), StrayTest()]


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
    assert set(index) == known
    files = {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README.md"}
    assert files == {page for _, page in index.values()}


def test_the_example_policy_names_a_runbook():
    """What stands in the alerts of the demo can be read."""
    assert (ROOT / load(ROOT / "examples" / "bank" / "policy.yaml").runbook).is_file()
