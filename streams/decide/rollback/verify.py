"""Whether the metric came back: what the target shows after a rollback was applied."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from detectors.quantities import Sums
from detectors.sequential.confidence_sequence import (
    BinaryConfidenceSequence,
    BoundedConfidenceSequence,
    Interval,
)
from schemas.policy import Policy
from schemas.predictions import Arm
from schemas.rollouts import GuardrailEvidence, RolloutEvent
from schemas.summaries import Part
from streams.decide import clock
from streams.decide.measure.interval import LEVEL
from streams.decide.rollback.book import Case
from streams.decide.rollback.facts import Served, View, at, harmed, predictions, sums
from streams.decide.rollout.rails import METRICS, prior

BOUNDED_MEMORY = 3
"""Numbers that the interval of a mean rests on; that of a rate rests on two."""


class Shown(NamedTuple):
    """One metric of the target since the rollback, and the level that it has to be within."""

    metric: str
    n: int
    mean: float | None
    low: float
    high: float
    level: float


def observe(view: View, case: Case, advice: RolloutEvent) -> Case:
    """A rollback that was applied, with all windows since that are due.

    Only windows count that began after it was applied and in which the version that was rolled
    back served nothing: while it still serves, nothing is proven.
    """
    if case.applied_ms is None or advice.target_version is None:
        return case
    next_ms, proof = case.next_ms, dict(case.proof)
    target = advice.target_version
    while True:
        from_ms = case.applied_ms if next_ms is None else next_ms
        window = at(view, advice.model, target, Arm.BASELINE, from_ms)
        if window is None or not _due(view, window, labels=needs_labels(advice)):
            break
        next_ms = window.end_ms
        if window.key.start_ms < case.applied_ms:
            continue
        if _still_serves(view, advice, window):
            proof = {}
            continue
        for rail in harmed(advice):
            found = sums(view.state, window, rail.metric)
            if found is not None and found.n > 0:
                rows = window.subject.policy.dependence.rows_per_unit
                proof[rail.metric] = _added(proof.get(rail.metric), found, rows)
    if next_ms == case.next_ms:
        return case
    return msgspec.structs.replace(case, next_ms=next_ms, proof=proof)


def recovered(case: Case, advice: RolloutEvent, policy: Policy) -> bool:
    """Whether every metric that was harmed is shown to be within its level."""
    found = [shown(case, rail, policy) for rail in harmed(advice)]
    return bool(found) and all(one is not None and one.high <= one.level for one in found)


def shown(case: Case, rail: GuardrailEvidence, policy: Policy) -> Shown | None:
    """What the target has shown in a metric; None before anything.

    The level is that of the baseline in the evidence with the guardrail's margin, and the budget
    where there was no baseline beside. The interval holds at all looks at once.
    """
    memory = case.proof.get(rail.metric)
    if memory is None:
        return None
    low, high = _interval(memory)
    level = (
        prior(policy, rail.metric)
        if rail.mean_baseline is None
        else rail.mean_baseline + rail.margin
    )
    n = memory[0]
    return Shown(rail.metric, round(n), memory[1] / n if n else None, low, high, level)


def needs_labels(advice: RolloutEvent) -> bool:
    """Whether it takes labels to see that the metric came back."""
    return any(METRICS[rail.metric][1] is Part.LABEL for rail in harmed(advice))


def _due(view: View, window: Served, *, labels: bool) -> bool:
    subject, now = window.subject, clock.watermarks(view.state)
    if labels:
        return now.labels_ms is not None and (
            window.end_ms + subject.label_delay_ms <= now.labels_ms
        )
    return now.predictions_ms is not None and (
        window.end_ms + subject.input_delay_ms <= now.predictions_ms
    )


def _still_serves(view: View, advice: RolloutEvent, window: Served) -> bool:
    beside = window.key._replace(version=advice.canary, arm=advice.arm)
    return predictions(view.state, window._replace(key=beside)) > 0


def _added(memory: list[float] | None, found: Sums, rows: int) -> list[float]:
    """Totals with one more window; rows of one user count as one."""
    more = [float(found.n), found.s] if found.q is None else [float(found.n), found.s, found.q]
    return [old + new / rows for old, new in zip(memory or [0.0] * len(more), more, strict=True)]


def _interval(memory: list[float]) -> Interval:
    if len(memory) == BOUNDED_MEMORY:
        return BoundedConfidenceSequence.restore(memory).interval(LEVEL)
    return BinaryConfidenceSequence.restore(memory).interval(LEVEL)
