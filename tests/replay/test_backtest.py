"""Another policy on the panes of a replay gives what a replay under it gives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from scenario import HOUR, MINUTE, POLICY, T0, Scenario, scenario

from schemas import topics
from schemas.errors import ConfigurationError
from schemas.policy import Opinion, Policy
from streams.backtest import DECIDED, check_same_panes, decide_again
from streams.lines import Line
from streams.replay import Replay, Start, replayed
from streams.results import Results

STRICTER: dict[str, Any] = {
    "budgets": {"error_rate": 0.02, "brier": 0.2, "latency": {"limit_ms": 200, "rate": 0.2}},
    "false_alarms": {"pages": 3, "per": "7d", "weights": {"tv": 0}},
    "labels": {"coverage": 0.2},
    "features": {"age": {"missing": 0.001}, "amount": {"out_of_range": 0.5}},
    "canary": {"guardrails": [{"metric": "error_rate", "margin": 0.03}]},
    "drift": {"features": 0.2, "decay": 0.9},
    "floors": {"auc": 0.6, "label_rate": 0.9},
    "calibration": {"tolerance": 0.1},
    "patterns": {"constant": 0.9},
    "dependence": {"rows_per_unit": 2},
    "opinions": [Opinion.ADWIN],
    "owner": "somebody else",
}

INGESTED: tuple[dict[str, Any], ...] = (
    {"pane": "30s"},
    {"window": "10m"},
    {"lateness": "5s"},
    {"labels": {"maturity": "11m"}},
    {"labels": {"horizon": "3h"}},
    {"segments": []},
    {"max_segments": 1},
    {"features": {"age": {"max": 50}}},
    {"budgets": {"latency": {"limit_ms": 100}}},
    {"fairness": {"groups": ["region"]}},
    {"patterns": {"repeats": True}},
)


def changed(changes: dict[str, Any]) -> Policy:
    """The scenario's policy with some keys changed."""
    return Policy.model_validate(_merged(POLICY.model_dump(), changes))


def _merged(whole: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return whole | {
        name: _merged(whole[name], value)
        if isinstance(value, dict) and isinstance(whole.get(name), dict)
        else value
        for name, value in changes.items()
    }


@cache
def story() -> Scenario:
    return scenario(3_000, span_ms=2 * HOUR)


def lines() -> Iterator[Line]:
    """A canary among the events: deployments come between the steps."""
    deployments = [
        Line(T0, topics.DEPLOYMENTS, b"fraud", _deployed("v1", T0, "deployed", "baseline", 1)),
        Line(
            T0 + 24 * MINUTE,
            topics.DEPLOYMENTS,
            b"fraud",
            _deployed("v2", T0 + 24 * MINUTE, "canary_started", "canary", 2),
        ),
    ]
    events = [
        Line(m.timestamp_ms or 0, m.topic, m.key or b"", m.value or b"") for m in story().messages
    ]
    yield from sorted([*deployments, *events], key=lambda line: line.time_ms)


def _deployed(version: str, time_ms: int, action: str, role: str, generation: int) -> bytes:
    return (
        f'{{"model":"fraud","version":"{version}","time":{time_ms},"action":"{action}",'
        f'"role":"{role}","generation":{generation},"share":0.3}}'
    ).encode()


def start(policy: Policy) -> Start:
    return Start(policy, story().reference)


@pytest.fixture(scope="module")
def run() -> Iterator[Replay]:
    with replayed(lines(), [start(POLICY)], step_ms=5 * MINUTE) as done:
        yield done


def said(results: Results) -> dict[str, object]:
    """All that was said, but the results of windows."""
    return {
        "alerts": {key: alert.content for key, alert in results.alerts.items()},
        "rollouts": set(results.rollouts),
        "retraining": set(results.retraining),
        "audit": set(results.audit),
        "ledgers": results.ledgers,
    }


def test_the_same_policy_again_gives_the_same_results(run: Replay) -> None:
    """Alerts bit for bit, rollouts, the audit chain and the ledger."""
    again = decide_again(run.steps(), start(POLICY), POLICY)
    assert said(again) == said(run.results)
    assert again.rollouts
    assert again.alerts


def test_another_policy_gives_what_a_replay_under_it_gives(run: Replay) -> None:
    other = changed(STRICTER)
    again = decide_again(run.steps(), start(POLICY), other)
    with replayed(lines(), [start(other)], step_ms=5 * MINUTE) as expected:
        assert said(again) == said(expected.results)
    assert said(again)["alerts"] != said(run.results)["alerts"]


@pytest.mark.parametrize("changes", INGESTED, ids=str)
def test_a_policy_that_sums_up_otherwise_is_refused(changes: dict[str, Any]) -> None:
    """The message names the key."""
    name = next(iter(changes))
    with pytest.raises(ConfigurationError, match=f"policies differ in .*{name}"):
        check_same_panes(start(POLICY), changed(changes))


def test_every_key_that_is_said_to_be_decided_exists() -> None:
    """A new key is refused until somebody says that INGEST does not read it."""
    assert DECIDED.keys() <= Policy.model_fields.keys()
    for name in ("budgets", "labels", "fairness", "patterns"):
        inner = Policy.model_fields[name].annotation
        assert inner is not None
        assert set(DECIDED[name]) <= inner.model_fields.keys()
