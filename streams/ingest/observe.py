"""Observe: what new predictions add to input panes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from detectors.inputs import Value
from detectors.latency import ddsketch
from detectors.outcomes.contract import Tails
from detectors.summary import CellBuilder, Ints
from schemas.hot import HotPrediction
from streams.ingest.panes import Panes, Slots
from streams.ingest.plan import Plan


def observe(
    plan: Plan, events: Sequence[HotPrediction], tails: Tails, slots: Slots, panes: Panes
) -> None:
    """Add predictions of one plan to their panes; all sequences have length n."""
    build = CellBuilder(plan.inputs)
    every = np.arange(len(events))
    build.ones("n", every)
    build.ones("n_error", _where(event.error is not None for event in events))
    build.ones("n_positive", np.flatnonzero(plan.outcome.positive(tails)))
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    _latency(build, plan, events)
    _score(build, plan, tails)
    table = [_features(event) for event in events]
    broken = [
        feature.add(build, [row.get(feature.name) for row in table]) for feature in plan.features
    ]
    if broken:
        build.ones("n_violation", np.unique(np.concatenate(broken)))
    panes.add(plan, build.build(), slots, np.ones(len(events), np.int64), labels=False)


def count(plan: Plan, field: str, slots: Slots, panes: Panes) -> None:
    """Count rows that are not observed (duplicates, strays) in one field."""
    build = CellBuilder(plan.inputs)
    n = len(slots.groups)
    build.ones(field, np.arange(n))
    panes.add(plan, build.build(), slots, np.ones(n, np.int64), labels=False)


def _features(event: HotPrediction) -> Mapping[str, Value]:
    """Features by name; a signal of the output stands in where there is no such feature."""
    signals = event.output.signals
    return {**signals, **event.features} if signals else event.features


def _latency(build: CellBuilder, plan: Plan, events: Sequence[HotPrediction]) -> None:
    rows = _where(event.latency_ms is not None for event in events)
    latency = np.array([e.latency_ms for e in events if e.latency_ms is not None], np.float64)
    build.ones("latency_n", rows)
    build.ones("latency", rows, ddsketch.keys(latency))
    budget = plan.policy.budgets.latency
    if budget is not None:
        build.ones("latency_over", rows[latency > budget.limit_ms])


def _score(build: CellBuilder, plan: Plan, tails: Tails) -> None:
    score = plan.outcome.score(tails)
    rows = np.flatnonzero(~np.isnan(score))
    build.ones("score_n", rows)
    build.ones("score", rows, np.searchsorted(plan.edges, score[rows], "right"))


def _where(flags: Iterable[bool]) -> Ints:
    return np.flatnonzero(np.fromiter(flags, np.bool_))
