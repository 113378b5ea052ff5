"""Backtest: other policies on the panes that a replay has summed up, without the events.

INGEST sums rows up by a part of the policy: lengths of panes and windows, lateness, the label
horizon, contracts of features, segments. Whoever changes only what DECIDE reads (thresholds,
shares of the false-alarm budget, coverage, rollout and alerting rules) gets the same panes, so
they are decided on anew, at the same cuts, by the code of production.

Panes carry the hash of their policy, and those of different policies are never added. Here they
are relabelled, knowingly, after both policies were found to give the same panes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from schemas import topics
from schemas.errors import BadRecord, ConfigurationError
from schemas.explain import shown
from schemas.policy import Activation, Policy, PolicyRecord
from schemas.summaries import SummaryBatch, decode
from streams.control import Control
from streams.decide.pipeline import Decide
from streams.replay import Start, Step
from streams.results import Results
from streams.runtime import collector

DECIDED: Mapping[str, Any] = {
    **dict.fromkeys(("floors", "seasonal", "drift", "calibration", "false_alarms"), True),
    **dict.fromkeys(("canary", "plan", "rollback", "alerting", "retraining", "fallback"), True),
    **dict.fromkeys(("opinions", "dependence", "owner", "runbook", "dashboard"), True),
    "budgets": {"latency": {"rate"}}
    | dict.fromkeys(
        (
            *("error_rate", "brier", "mae", "interval_miss_rate", "service_errors"),
            *("positive_rate", "zero_results", "out_of_domain", "disagreements", "flips"),
            "from_reference",
        ),
        True,
    ),
    "labels": {"coverage"},
    "features": {"__all__": {"missing", "out_of_range"}},
    "fairness": {"selection_ratio", "tpr_gap", "fpr_gap"},
    "patterns": {"constant"},
}
"""Keys of a policy that INGEST does not read; whatever is not named here is taken to matter."""


def decide_again(steps: Sequence[Step], first: Start, other: Policy) -> Results:
    """What another policy makes of the panes of a replay, step by step as the first one did.

    Alerts, rollouts, requests and the ledger; results of windows are left out, which take most of
    the time: their numbers are those of the replay.

    Parameters
    ----------
    steps
        Of the replay (`streams.replay.Replay.steps`).
    first
        The policy and reference under which the panes were summed up.
    other
        Of the same model; the reference stays.

    Raises
    ------
    ConfigurationError
        If the other policy would have given other panes; names the keys and both values.
    """
    check_same_panes(first, other)
    control = _control(replace(first, policy=other))
    decide = Decide(control, partition=0, results=False)
    results = Results()
    old, new = first.policy.hash, other.hash
    with collector.relaxed():
        for step in steps:
            for record in step.deployments:
                with suppress(BadRecord):  # The replay has told of it.
                    control.apply(topics.DEPLOYMENTS, record)
            for packed in step.batches:
                decide.apply(relabelled(decode(packed), old, new))
            results.take(decide.advance())
    results.ledgers = decide.ledger()
    return results


def check_same_panes(first: Start, other: Policy) -> None:
    """Check that INGEST would have summed up the same under another policy.

    Raises
    ------
    ConfigurationError
        If not.
    """
    different = sorted(_changed("", summed_by(first.policy), summed_by(other)))
    if different:
        raise ConfigurationError(
            f"policies differ in {', '.join(different)}, by which events are summed up: the panes "
            "of one are not those of the other; replay the events under each"
        )


def summed_by(policy: Policy) -> dict[str, Any]:
    """The part of a policy by which INGEST sums up."""
    return policy.model_dump(mode="json", exclude=dict(DECIDED))


def relabelled(batch: SummaryBatch, old: str, new: str) -> SummaryBatch:
    """The batch with the panes of one policy under the hash of another."""
    panes = [
        msgspec.structs.replace(pane, policy=new) if pane.policy == old else pane
        for pane in batch.panes
    ]
    return msgspec.structs.replace(batch, panes=panes)


def _changed(place: str, one: object, other: object) -> Iterator[str]:
    """Dotted names of the values that differ, with both values."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from _changed(f"{place}.{name}".lstrip("."), one.get(name), other.get(name))
    elif one != other:
        yield f"{place} ({_said(other)} and not {_said(one)})"


def _said(value: object) -> str:
    return "left out" if value is None else value if isinstance(value, str) else shown(value)


def _control(start: Start) -> Control:
    policy, reference = start.policy, start.reference
    control = Control()
    records = [
        PolicyRecord(hash=policy.hash, policy=policy),
        Activation(
            model=policy.model,
            policy=policy.hash,
            reference=reference.hash if reference else None,
            effective_at_ms=start.effective_at_ms,
        ),
    ]
    for record in records:
        control.apply(topics.POLICIES, record.model_dump_json().encode())
    if reference is not None:
        control.apply(topics.REFERENCES, reference.model_dump_json().encode())
    return control
