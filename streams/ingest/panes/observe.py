"""Observe: what new predictions add to input panes."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from detectors.inputs import REPEAT_BUCKETS
from detectors.latency import ddsketch
from detectors.outcomes.calibration import bin_of
from detectors.outcomes.contract import Tails
from detectors.summary import Builder, CellBuilder, Cells, Ints, cells_in
from detectors.sums import Sums
from streams.ingest.admit.numbered import Numbered, marked
from streams.ingest.decode.rows import PredictionRows
from streams.ingest.panes.cohorts import Cohort
from streams.ingest.panes.panes import Panes, Slots
from streams.ingest.plan import Plan

SPARSE = 16
"""Entries for each row from which on what it adds is listed instead of summed in a table."""


def observe(
    cohort: Cohort,
    which: Ints | None,
    rows: PredictionRows,
    tails: Tails,
    slots: Slots,
    panes: Panes,
) -> None:
    """Add n predictions of a cohort to their panes.

    ``which`` is the place of each row's plan, shape (n,); None if there is only one.
    """
    plan = cohort.first
    answers = _answers(cohort, which, rows, tails, slots)
    wholes, places = panes.wholes(slots)
    # Segments keep no features, so these are summed over all of them at once.
    whole = Sums(plan.inputs, places[slots.groups], len(wholes))
    add_features(whole, cohort, which, rows)
    add_extras(whole, plan, rows)
    whole.cells(answers.moved(places))
    panes.add_wholes(whole.sums, wholes)
    panes.add_segments(answers, slots.distinct, plan.segment_size)


def _answers(
    cohort: Cohort, which: Ints | None, rows: PredictionRows, tails: Tails, slots: Slots
) -> Cells:
    """What rows and their answers add up to; row i of it is slot i."""
    layout, n_slots = cohort.first.inputs, len(slots.distinct)
    if n_slots * layout.size > SPARSE * len(rows):
        build = CellBuilder(layout)
        add_answers(build, cohort, which, rows, tails)
        return build.build().moved(slots.groups)
    sums = Sums(layout, slots.groups, n_slots)
    add_answers(sums, cohort, which, rows, tails)
    return cells_in(sums.sums)


def cells_of(plan: Plan, rows: PredictionRows, tails: Tails) -> Cells:
    """What each of n predictions adds to an input pane, whichever pane it is in."""
    build, cohort = CellBuilder(plan.inputs), Cohort((plan,))
    add_answers(build, cohort, None, rows, tails)
    add_features(build, cohort, None, rows)
    add_extras(build, plan, rows)
    return build.build()


def add_answers(
    build: Builder, cohort: Cohort, which: Ints | None, rows: PredictionRows, tails: Tails
) -> None:
    """Count rows, and add their answers."""
    plan = cohort.first
    every = np.arange(len(rows))
    build.ones("n", every)
    build.ones("n_error", np.flatnonzero(rows.errors()))
    build.ones("n_positive", np.flatnonzero(plan.outcome.positive(tails)))
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    _latency(build, cohort, which, rows)
    _score(build, cohort, which, tails)
    plan.answers.add(build, tails)


def add_features(build: Builder, cohort: Cohort, which: Ints | None, rows: PredictionRows) -> None:
    """Add the features of all rows of a builder."""
    features = cohort.features
    words = (rows.words(name) for name in features.others)
    features.add(build, rows.numbers(features.numeric), words, which)


def add_extras(build: Builder, plan: Plan, rows: PredictionRows) -> None:
    """Add repeated inputs and embeddings, where the plan has them."""
    if "repeats" in plan.inputs:
        _repeats(build, rows)
    for column in plan.embeddings:
        column.add(build, rows.embedding(column.name))


def count(plan: Plan, field: str, slots: Slots, panes: Panes) -> None:
    """Count rows that are not observed (duplicates, strays) in one field."""
    _count(plan, field, np.arange(len(slots.groups)), 0, slots, panes)


def count_cut(plan: Plan, numbered: Numbered | None, slots: Slots, panes: Panes) -> None:
    """Count rows with a value of a segment that has no stream of its own, by key."""
    if numbered is None:
        return
    for field, bits in (("capped", numbered.capped), ("long", numbered.long)):
        if bits is not None:
            _count(plan, field, *marked(bits), slots, panes)


def _count(
    plan: Plan, field: str, rows: Ints, offsets: Ints | int, slots: Slots, panes: Panes
) -> None:
    build = CellBuilder(plan.inputs)
    build.ones(field, rows, offsets)
    panes.add_cells(plan, build.build().moved(slots.groups), slots)


def _repeats(build: Builder, rows: PredictionRows) -> None:
    """Count rows by bucket of a hash of their features; one without features is no input."""
    found = [(i, crc32(each)) for i, each in enumerate(rows.inputs()) if each is not None]
    places = np.array([i for i, _ in found], np.int64)
    buckets = np.array([hashed % REPEAT_BUCKETS for _, hashed in found], np.int64)
    build.ones("repeats", places, buckets)


def _latency(build: Builder, cohort: Cohort, which: Ints | None, rows: PredictionRows) -> None:
    every = rows.latencies()
    known = np.flatnonzero(~np.isnan(every))
    latency = every[known]
    build.ones("latency_n", known)
    build.ones("latency", known, ddsketch.keys(latency))
    limits_ms = cohort.limits_ms if which is None else cohort.limits_ms[which[known]]
    build.ones("latency_over", known[latency > limits_ms])


def _score(build: Builder, cohort: Cohort, which: Ints | None, tails: Tails) -> None:
    outcome = cohort.first.outcome
    score = outcome.score(tails)
    rows = np.flatnonzero(~np.isnan(score))
    score = score[rows]
    build.ones("score_n", rows)
    # Edges are few: comparing with each is cheaper than searching among them.
    if which is None:
        counts = np.zeros(len(score), np.int16)
        for edge in cohort.edges[:, 0]:
            counts += score >= edge
        bins = counts.astype(np.int64)
    else:
        edges = cohort.edges.take(which[rows], axis=1)
        bins = np.count_nonzero(edges <= score, axis=0)
    build.ones("score", rows, bins)
    if "prob_n" in cohort.first.inputs:
        tenths, decided = bin_of(score), outcome.positive(tails)[rows]
        build.ones("prob_n", rows, tenths)
        build.ones("prob_n1", rows[decided], tenths[decided])
