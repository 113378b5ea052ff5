"""Prometheus' and Alertmanager's own tools accept the shipped files, and the rules do their job."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_server import require
from ruamel.yaml import YAML

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules" / "kittiwake.yml"
TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.yml"))


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_configuration_is_accepted() -> None:
    """``promtool check config`` accepts the configuration and the rules it names."""
    done = _run(require("promtool"), "check", "config", DEPLOY / "prometheus" / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout


@pytest.mark.parametrize("file", TESTS, ids=[file.stem for file in TESTS])
def test_the_rules_fire_when_they_should(file: Path) -> None:
    """``promtool test rules``: each rule fires where told, and stays silent where told."""
    done = _run(require("promtool"), "test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_tested_firing() -> None:
    """Each rule has at least one test in which it fires."""
    load = YAML(typ="safe").load
    fired = {
        case["alertname"]
        for file in TESTS
        for test in load(file.read_text(encoding="utf-8"))["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    named = {
        rule["alert"]
        for group in load(RULES.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }
    assert named == fired


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        (
            "(deriv(kafka_consumergroup_lag[10m])) > 0",
            "(deriv(kafka_consumergroup_lag[10m])) > -1e9",
        ),
        ("> 0.01", "> 0.0001"),
        ("< 0.5", "< 0.95"),
        ('segment="",verdict="degraded"', 'verdict="degraded"'),
        (
            "[10m])\n          ) > 0\n        labels: {severity: page}",
            "[90m])\n          ) > 0\n        labels: {severity: page}",
        ),
    ],
)
def test_a_loosened_rule_is_caught(tmp_path: Path, sound: str, broken: str) -> None:
    """The rule tests see a rule that fires too easily."""
    text = RULES.read_text(encoding="utf-8")
    assert sound in text
    (tmp_path / "rules").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "rules" / RULES.name).write_text(text.replace(sound, broken), encoding="utf-8")
    files = [Path(shutil.copy(file, tmp_path / "tests")) for file in TESTS]
    done = _run(require("promtool"), "test", "rules", *files)
    assert done.returncode != 0


def test_alertmanager_accepts_its_configuration() -> None:
    """``amtool check-config`` accepts the routes, receivers and inhibitions."""
    amtool = shutil.which("amtool")
    if amtool is None:
        pytest.skip(
            "amtool is not on PATH; install it with: apt-get install prometheus-alertmanager"
        )
    done = _run(amtool, "check-config", DEPLOY / "alertmanager" / "alertmanager.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_inhibits_only_rules_that_exist() -> None:
    """Every alert name in an inhibition is the name of a rule."""
    load = YAML(typ="safe").load
    config = load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8"))
    matchers = [
        text
        for rule in config["inhibit_rules"]
        for text in rule["source_matchers"] + rule["target_matchers"]
    ]
    named = {name for text in matchers for name in text.split('"')[1].split("|")}
    assert named
    for name in named:
        assert f"alert: {name}\n" in RULES.read_text(encoding="utf-8")
