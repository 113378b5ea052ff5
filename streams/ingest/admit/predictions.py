"""Admit predictions: which rows may count, whether they are late, and on the wrong partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from detectors.summary import Ints
from schemas.base import iso
from schemas.dead_letters import DeadLetter, Reason
from streams.ingest.admit.admitted import Timed, future_words, no_policy_words, stray_words
from streams.ingest.admit.block import Block
from streams.ingest.admit.routes import STRETCH_MS
from streams.ingest.decode.rows import Bools, PredictionRows
from streams.ingest.plan import Plan, Plans


def admit_predictions(
    rows: PredictionRows, timed: Timed, plans: Plans, strays: Bools
) -> tuple[Block, list[DeadLetter]]:
    """Rows that count in their panes or as strays, and dead letters; a stray has one, too."""
    found, which = plans.in_codes(*rows.models(), rows.times_ms)
    lacking = _each(which, [plan is None for plan in found], np.bool_)
    horizon = _each(which, [plan.horizon_ms if plan else 0 for plan in found], np.int64)
    lateness = _each(which, [plan.lateness_ms if plan else 0 for plan in found], np.int64)
    oldest = timed.before_ms - lateness
    too_late = rows.times_ms < oldest - horizon
    refused = timed.future | lacking | too_late
    dead: list[DeadLetter] = []
    for row in np.flatnonzero(refused | strays).tolist():
        if timed.future[row]:
            stamp_ms, time_ms = int(rows.stamps_ms[row]), int(rows.times_ms[row])
            words = future_words(stamp_ms, time_ms)
            dead.append(rows.refused(row, Reason.FUTURE, words, field="time"))
        elif lacking[row]:
            words = no_policy_words(rows.event(row).model, int(rows.times_ms[row]))
            dead.append(rows.refused(row, Reason.NO_POLICY, words, field="model"))
        elif too_late[row]:
            words = _too_late_words(int(rows.times_ms[row]), int(timed.before_ms[row]))
            dead.append(rows.refused(row, Reason.TOO_LATE, words, field="time"))
        else:
            words = stray_words(rows.event(row).prediction_id, rows.record(row).partition)
            dead.append(rows.refused(row, Reason.STRAY, words, field="prediction_id"))
    block = Block(
        rows=rows,
        plans=cast("Sequence[Plan]", found),
        which=which,
        late=rows.times_ms < oldest,
        stray=strays,
        watermarks_ms=timed.before_ms,
    )
    if lacking.any():
        # A place without a plan would be in the way of whoever goes through the plans.
        named = np.array([plan is not None for plan in found], np.bool_)
        kept = block.take(np.flatnonzero(~refused))
        places = np.cumsum(named) - 1
        plans_of = [plan for plan in found if plan is not None]
        return replace(kept, plans=plans_of, which=places[kept.which]), dead
    return (block.take(np.flatnonzero(~refused)) if refused.any() else block), dead


def too_many_versions(rows: PredictionRows, row: int, plan: Plan) -> DeadLetter:
    """The dead letter of a row whose version finds no room (`streams.ingest.admit.routes`)."""
    version = rows.event(row).version
    start_ms = int(rows.times_ms[row]) // STRETCH_MS * STRETCH_MS
    words = (
        f"version {version!r} is one more than the {plan.policy.max_versions:,} of "
        f"{plan.policy.model!r} that may be new from {iso(start_ms)} to "
        f"{iso(start_ms + STRETCH_MS)}; publish a deployment of it, raise max_versions, or give "
        "one name to what is one version"
    )
    return rows.refused(row, Reason.TOO_MANY_VERSIONS, words, field="version")


def _each(which: Ints, values: Sequence[int], kind: type) -> Ints:
    """The value of each row's plan."""
    every: Ints = np.array(values, kind)
    return np.broadcast_to(every, which.shape) if len(values) == 1 else every[which]


def _too_late_words(time_ms: int, before_ms: int) -> str:
    return (
        f"time {iso(time_ms)} is past the label horizon: its partition has reached "
        f"{iso(before_ms)}; lengthen labels.horizon or publish in order"
    )
