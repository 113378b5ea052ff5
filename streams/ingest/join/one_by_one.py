"""Join: feedback meets its prediction, whichever came first, and the label changes panes.

What a label adds is a function of two label states of the prediction (`Pending`): tests see
``mature``, windows see ``final``. Each feedback moves the states from old to new; the panes get
``new - old``. So a correction is a signed delta, and the sums are the same in whatever order
predictions and feedback are read.
"""

from __future__ import annotations

from detectors.outcomes.contract import Truth
from schemas.base import iso
from schemas.dead_letters import DeadLetter, Reason
from schemas.feedback import FeedbackKind
from streams.dead_letters import dead_letter
from streams.ingest.join.label_changes import LabelChange, cells_of, changes_of, labels_of
from streams.ingest.join.label_state import BY_REVIEW, BY_SIGNAL, LabelState, chance_of
from streams.ingest.plan import Plan
from streams.ingest.store.pending import WAITING_BYTES, Pending, Waiting
from streams.records import Record

__all__ = ["apply", "cells_of", "crowded", "origin", "unmatched"]


def apply(
    pending: Pending, feedback: Waiting, plan: Plan
) -> tuple[list[LabelChange], DeadLetter | None]:
    """Apply one feedback to its prediction, which changes in place.

    Returns the changes of label panes, and a dead letter where the feedback cannot be used.
    """
    refusal = _refusal(pending, feedback, plan)
    if refusal is not None:
        return [], _dead(feedback, *refusal)
    truth = _truth(feedback, plan)
    if truth is None and feedback.kind != FeedbackKind.RETRACTION:
        if feedback.kind == FeedbackKind.SIGNAL:
            return [], None
        return [], _dead(feedback, *_unusable(feedback, plan))
    said = _said(feedback, truth, plan)
    before = labels_of(pending)
    matures = (
        pending.on_time
        and not feedback.late
        and feedback.time_ms <= plan.window_end(pending.time_ms) + plan.maturity_ms
    )
    if matures:
        pending.mature = pending.mature.after(said)
    pending.final = pending.final.after(said)
    return changes_of(pending, plan, before, labels_of(pending)), None


_BY = {FeedbackKind.REVIEW.value: BY_REVIEW, FeedbackKind.SIGNAL.value: BY_SIGNAL}


def _said(feedback: Waiting, truth: float | None, plan: Plan) -> LabelState:
    sources = plan.sources
    return LabelState(
        truth=truth,
        time_ms=feedback.time_ms,
        marks=_BY.get(feedback.kind, 0),
        source=sources.index(feedback.source) + 1 if feedback.source in sources else 0,
        chance=chance_of(feedback.propensity),
    )


def _truth(feedback: Waiting, plan: Plan) -> float | None:
    if feedback.kind == FeedbackKind.RETRACTION:
        return None
    truth: Truth = feedback
    return plan.outcome.truth(truth)


def _refusal(pending: Pending, feedback: Waiting, plan: Plan) -> tuple[Reason, str, str] | None:
    delay_ms = feedback.time_ms - pending.time_ms
    if delay_ms < -plan.label_lateness_ms:
        return (
            Reason.BAD_TIME,
            (
                f"feedback of {iso(feedback.time_ms)} is older than its prediction of "
                f"{iso(pending.time_ms)}; send the time at which the truth was known"
            ),
            "time",
        )
    if delay_ms > plan.horizon_ms or feedback.watermark_ms > pending.time_ms + plan.kept_ms:
        return (
            Reason.TOO_LATE,
            (
                f"feedback of {iso(feedback.time_ms)} came after the label horizon "
                f"{plan.policy.labels.horizon} of its prediction of {iso(pending.time_ms)}; "
                "lengthen labels.horizon if such labels matter"
            ),
            "time",
        )
    return None


def _unusable(feedback: Waiting, plan: Plan) -> tuple[Reason, str, str]:
    return (
        Reason.UNUSABLE_LABEL,
        (
            f"a {plan.policy.task} model cannot use label {feedback.label!r}, value "
            f"{feedback.value!r}; see labels.positive of the policy and FeedbackEvent"
        ),
        "label",
    )


def _dead(feedback: Waiting, reason: Reason, message: str, field: str) -> DeadLetter:
    return dead_letter(origin(feedback), reason, message, row=feedback.row, field=field)


def unmatched(feedback: Waiting) -> DeadLetter:
    """A dead letter for feedback whose prediction never came."""
    return _dead(
        feedback,
        Reason.UNMATCHED,
        f"no prediction of this id came within the label horizon of {iso(feedback.time_ms)}; "
        "check prediction_id and model",
        "prediction_id",
    )


def crowded(feedback: Waiting, waiting: int) -> DeadLetter:
    """A dead letter for feedback that is too much to keep until its prediction comes."""
    return _dead(
        feedback,
        Reason.UNMATCHED,
        f"the prediction has not come, and {waiting} feedback events that wait for it fill the "
        f"room of {WAITING_BYTES:,} bytes; check prediction_id, and publish smaller feedback",
        "prediction_id",
    )


def origin(feedback: Waiting) -> Record:
    """The record that feedback came in."""
    return Record(
        topic=feedback.topic,
        partition=feedback.partition,
        offset=feedback.offset,
        timestamp_ms=feedback.timestamp_ms,
        key=None,
        value=feedback.raw,
        headers=(),
    )
