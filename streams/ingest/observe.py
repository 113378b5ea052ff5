"""Observe: what new predictions add to input panes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter

import numpy as np

from detectors.inputs import Value
from detectors.latency import ddsketch
from detectors.outcomes.contract import Tails
from detectors.summary import CellBuilder
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
    build.ones("n_error", np.flatnonzero([event.error is not None for event in events]))
    build.ones("n_positive", np.flatnonzero(plan.outcome.positive(tails)))
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    _latency(build, plan, events)
    _score(build, plan, tails)
    columns = _columns(events, [feature.name for feature in plan.features])
    broken = [
        feature.add(build, column) for feature, column in zip(plan.features, columns, strict=True)
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


def _columns(events: Sequence[HotPrediction], names: Sequence[str]) -> Iterable[Sequence[Value]]:
    """Values of each feature; None where an event has none."""
    table = [_features(event) for event in events]
    if len(names) > 1:
        with suppress(KeyError):
            # Where no event lacks any of them, which is the rule, all are taken at once.
            return zip(*map(itemgetter(*names), table), strict=True)
    return ([row.get(name) for row in table] for name in names)


def _features(event: HotPrediction) -> Mapping[str, Value]:
    """Features by name; a signal of the output stands in where there is no such feature."""
    signals = event.output.signals
    return {**signals, **event.features} if signals else event.features


def _latency(build: CellBuilder, plan: Plan, events: Sequence[HotPrediction]) -> None:
    every = np.array([event.latency_ms for event in events], np.float64)
    rows = np.flatnonzero(~np.isnan(every))
    latency = every[rows]
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
