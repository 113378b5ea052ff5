"""Admit feedback: which rows may be joined, and whether they are late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.summary import Ints
from schemas.dead_letters import DeadLetter, Reason
from streams.ingest.admit.admitted import (
    AdmittedFeedback,
    Timed,
    future_words,
    no_policy_words,
    stray_words,
)
from streams.ingest.columns.codes import coded
from streams.ingest.decode.feedback_rows import FeedbackRows
from streams.ingest.decode.rows import Bools
from streams.ingest.plan import Plan, Plans
from streams.ingest.store.names import Names


@dataclass(frozen=True, slots=True)
class Heard:
    """n feedback rows, of which those at ``admitted`` may be joined: ``names`` are theirs in the
    join store.

    ``plans[which[i]]`` is the plan of the model of row i at its time, ``before_ms`` and ``late``
    its watermark and its lateness; shape (n,), like ``which``.
    """

    rows: FeedbackRows
    admitted: Ints
    names: Names
    plans: Sequence[Plan | None]
    which: Ints
    before_ms: Ints
    late: Bools

    def row(self, place: int) -> AdmittedFeedback:
        """One of the admitted."""
        number = int(self.admitted[place])
        plan = self.plans[self.which[number]]
        assert plan is not None
        late, before_ms = bool(self.late[number]), int(self.before_ms[number])
        return AdmittedFeedback(self.rows.row(number), plan, late, before_ms)


def admit_feedback(
    rows: FeedbackRows, timed: Timed, plans: Plans, strays: Bools
) -> tuple[Heard, list[DeadLetter]]:
    """Feedback rows that count, and dead letters."""
    models, codes = coded([event.model for event in rows.events])
    found, which = plans.in_codes(models, codes, rows.times_ms)
    lacking = np.array([plan is None for plan in found], np.bool_)[which]
    lateness = np.array([plan.label_lateness_ms if plan else 0 for plan in found], np.int64)
    refused = timed.future | lacking | strays
    dead = [
        _refused(rows, number, future=bool(timed.future[number]), lacking=bool(lacking[number]))
        for number in np.flatnonzero(refused).tolist()
    ]
    late = rows.times_ms < timed.before_ms - lateness[which]
    admitted = np.flatnonzero(~refused)
    names = Names.of_ids(models, codes, rows.ids).take(admitted)
    return Heard(rows, admitted, names, found, which, timed.before_ms, late), dead


def _refused(rows: FeedbackRows, number: int, *, future: bool, lacking: bool) -> DeadLetter:
    row = rows.row(number)
    if future:
        words = future_words(row.record.timestamp_ms, row.time_ms)
        return row.refused(Reason.FUTURE, words, field="time")
    if lacking:
        words = no_policy_words(row.event.model, row.time_ms)
        return row.refused(Reason.NO_POLICY, words, field="model")
    words = stray_words(row.event.prediction_id, row.record.partition)
    return row.refused(Reason.STRAY, words, field="prediction_id")
