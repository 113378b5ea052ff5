"""Observe: what new predictions add to input panes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from zlib import crc32

import msgspec
import numpy as np

from detectors.inputs import REPEAT_BUCKETS, Value, add_features
from detectors.latency import ddsketch
from detectors.outcomes.calibration import bin_of
from detectors.outcomes.contract import Tails
from detectors.summary import CellBuilder, Cells
from schemas.hot import HotPrediction
from streams.ingest.panes import Panes, Slots
from streams.ingest.plan import Plan


def observe(
    plan: Plan, events: Sequence[HotPrediction], tails: Tails, slots: Slots, panes: Panes
) -> None:
    """Add predictions of one plan to their panes; all sequences have length n."""
    panes.add(
        plan, cells_of(plan, events, tails), slots, np.ones(len(events), np.int64), labels=False
    )


def cells_of(plan: Plan, events: Sequence[HotPrediction], tails: Tails) -> Cells:
    """What each of n predictions adds to an input pane, whichever pane it is in."""
    build = CellBuilder(plan.inputs)
    every = np.arange(len(events))
    build.ones("n", every)
    build.ones("n_error", np.flatnonzero([event.error is not None for event in events]))
    build.ones("n_positive", np.flatnonzero(plan.outcome.positive(tails)))
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    _latency(build, plan, events)
    _score(build, plan, tails)
    plan.answers.add(build, tails)
    add_features(build, plan.features, _columns(events, [one.name for one in plan.features]))
    if "repeats" in plan.inputs:
        _repeats(build, events)
    for column in plan.embeddings:
        column.add(build, [event.embeddings.get(column.name) for event in events])
    return build.build()


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


def _repeats(build: CellBuilder, events: Sequence[HotPrediction]) -> None:
    """Count rows by bucket of a hash of their features; one without features is no input."""
    rows = np.flatnonzero([bool(event.features) for event in events])
    buckets = [crc32(_bytes(events[row].features)) % REPEAT_BUCKETS for row in rows.tolist()]
    build.ones("repeats", rows, np.array(buckets, np.int64))


def _bytes(features: Mapping[str, Value]) -> bytes:
    """The same for the same values, in whichever order an event names them."""
    return msgspec.json.encode(features, order="sorted")


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
    if "prob_n" in plan.inputs:
        bins, decided = bin_of(score[rows]), plan.outcome.positive(tails)[rows]
        build.ones("prob_n", rows, bins)
        build.ones("prob_n1", rows[decided], bins[decided])
