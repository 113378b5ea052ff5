"""Observe: what new predictions add to input panes."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from detectors.inputs import REPEAT_BUCKETS
from detectors.latency import ddsketch
from detectors.outcomes.calibration import bin_of
from detectors.outcomes.contract import Tails
from detectors.summary import Builder, CellBuilder, Cells, Ints
from detectors.sums import Sums
from streams.ingest.numbered import Numbered, marked
from streams.ingest.panes import Panes, Slots
from streams.ingest.plan import Plan
from streams.ingest.rows import PredictionRows


def observe(plan: Plan, rows: PredictionRows, tails: Tails, slots: Slots, panes: Panes) -> None:
    """Add n predictions of one plan to their panes."""
    sums = Sums(plan.inputs, slots.groups, len(slots.distinct))
    add_answers(sums, plan, rows, tails)
    wholes, places = panes.wholes(slots)
    # Segments keep no features, so these are summed over all of them at once.
    whole = Sums(plan.inputs, places[slots.groups], len(wholes))
    add_features(whole, plan, rows)
    add_extras(whole, plan, rows)
    for place, vector in zip(places.tolist(), sums.sums, strict=True):
        whole.sums[place] += vector
    panes.add_wholes(whole.sums, wholes)
    panes.add_segments(sums.sums, slots.distinct, plan.segment_size)


def cells_of(plan: Plan, rows: PredictionRows, tails: Tails) -> Cells:
    """What each of n predictions adds to an input pane, whichever pane it is in."""
    build = CellBuilder(plan.inputs)
    add_rows(build, plan, rows, tails)
    return build.build()


def add_rows(build: Builder, plan: Plan, rows: PredictionRows, tails: Tails) -> None:
    """Add n predictions to a builder of the plan's input layout."""
    add_answers(build, plan, rows, tails)
    add_features(build, plan, rows)
    add_extras(build, plan, rows)


def add_answers(build: Builder, plan: Plan, rows: PredictionRows, tails: Tails) -> None:
    """Count rows, and add their answers."""
    every = np.arange(len(rows))
    build.ones("n", every)
    build.ones("n_error", np.flatnonzero(rows.errors()))
    build.ones("n_positive", np.flatnonzero(plan.outcome.positive(tails)))
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    _latency(build, plan, rows)
    _score(build, plan, tails)
    plan.answers.add(build, tails)


def add_features(build: Builder, plan: Plan, rows: PredictionRows) -> None:
    """Add the features of all rows of a builder."""
    features = plan.summed
    words = (rows.words(one.name) for one in features.others)
    features.add(build, rows.numbers(features.numeric), words)


def add_extras(build: Builder, plan: Plan, rows: PredictionRows) -> None:
    """Add repeated inputs and embeddings, where the plan has them."""
    if "repeats" in plan.inputs:
        _repeats(build, rows)
    for column in plan.embeddings:
        column.add(build, rows.embedding(column.name))


def count(plan: Plan, field: str, slots: Slots, panes: Panes) -> None:
    """Count rows that are not observed (duplicates, strays) in one field."""
    sums = Sums(plan.inputs, slots.groups, len(slots.distinct))
    every: Ints = np.arange(len(slots.groups))
    sums.ones(field, every)
    panes.add_sums(plan, sums.sums, slots, labels=False)


def count_cut(plan: Plan, numbered: Numbered | None, slots: Slots, panes: Panes) -> None:
    """Count rows with a value of a segment that has no stream of its own, by key."""
    if numbered is None or (numbered.capped is None and numbered.long is None):
        return
    sums = Sums(plan.inputs, slots.groups, len(slots.distinct))
    for field, bits in (("capped", numbered.capped), ("long", numbered.long)):
        if bits is not None:
            sums.ones(field, *marked(bits))
    panes.add_sums(plan, sums.sums, slots, labels=False)


def _repeats(build: Builder, rows: PredictionRows) -> None:
    """Count rows by bucket of a hash of their features; one without features is no input."""
    found = [(i, crc32(each)) for i, each in enumerate(rows.inputs()) if each is not None]
    places = np.array([i for i, _ in found], np.int64)
    build.ones("repeats", places, np.array([hashed % REPEAT_BUCKETS for _, hashed in found]))


def _latency(build: Builder, plan: Plan, rows: PredictionRows) -> None:
    every = rows.latencies()
    known = np.flatnonzero(~np.isnan(every))
    latency = every[known]
    build.ones("latency_n", known)
    build.ones("latency", known, ddsketch.keys(latency))
    budget = plan.policy.budgets.latency
    if budget is not None:
        build.ones("latency_over", known[latency > budget.limit_ms])


def _score(build: Builder, plan: Plan, tails: Tails) -> None:
    score = plan.outcome.score(tails)
    rows = np.flatnonzero(~np.isnan(score))
    build.ones("score_n", rows)
    build.ones("score", rows, np.searchsorted(plan.edges, score[rows], "right"))
    if "prob_n" in plan.inputs:
        bins, decided = bin_of(score[rows]), plan.outcome.positive(tails)[rows]
        build.ones("prob_n", rows, bins)
        build.ones("prob_n1", rows[decided], bins[decided])
