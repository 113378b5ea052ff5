"""Join: feedback meets its prediction, whichever came first, and the label changes panes.

What a label adds is a function of two label states of the prediction (`Pending`): tests see
``mature``, windows see ``final``. Each feedback moves the states from old to new; the panes get
``new - old``. So a correction is a signed delta, and the sums are the same in whatever order
predictions and feedback are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from detectors.outcomes.contract import DELAYS_MS, Truth
from detectors.summary import CellBuilder
from schemas.base import iso
from schemas.dead_letters import DeadLetter, Reason
from schemas.feedback import FeedbackKind
from schemas.summaries import Part
from streams.ingest.decode import dead_letter
from streams.ingest.panes import Panes, Slots
from streams.ingest.pending import WAITING_BYTES, Pending, Waiting, tails_of
from streams.ingest.plan import Plan
from streams.records import Record

Signed: TypeAlias = tuple[tuple[float, int, int], ...]
"""Truths, each with its delay and its sign."""

States: TypeAlias = tuple[Signed, Signed]
"""What LABEL and LATE_LABEL hold of one prediction."""


class LabelChange(msgspec.Struct, frozen=True, gc=False):
    """One signed addition to a label pane; the delay is that of the feedback."""

    route: int
    part: Part
    start_ms: int
    tail: bytes
    truth: float
    delay_ms: int
    sign: int


class LabelChanges:
    """Label additions of a batch, summed plan by plan."""

    def __init__(self) -> None:
        self._by_plan: dict[int, tuple[Plan, list[LabelChange]]] = {}

    def extend(self, plan: Plan, changes: list[LabelChange]) -> None:
        """Note changes of rows under a plan."""
        self._by_plan.setdefault(id(plan), (plan, []))[1].extend(changes)

    def add_to(self, panes: Panes) -> None:
        """Sum all changes into panes."""
        for plan, changes in self._by_plan.values():
            if changes:
                _add(plan, changes, panes)


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
    before = _states(pending)
    matures = (
        pending.on_time
        and not feedback.late
        and feedback.time_ms <= plan.window_end(pending.time_ms) + plan.maturity_ms
    )
    if matures and feedback.time_ms >= pending.mature_ms:
        pending.mature, pending.mature_ms = truth, feedback.time_ms
    if feedback.time_ms >= pending.final_ms:
        pending.final, pending.final_ms = truth, feedback.time_ms
    return _changes(pending, plan, before, _states(pending)), None


def _states(pending: Pending) -> States:
    """Signed truths by part: LABEL holds mature; LATE_LABEL makes up the difference to final."""
    mature, final = pending.mature, pending.final
    before = () if mature is None else ((mature, pending.mature_ms - pending.time_ms, 1),)
    after = () if final is None else ((final, pending.final_ms - pending.time_ms, 1),)
    if before == after:
        return before, ()
    return before, (*after, *((truth, delay_ms, -1) for truth, delay_ms, _ in before))


def _changes(pending: Pending, plan: Plan, before: States, after: States) -> list[LabelChange]:
    start_ms = plan.pane(pending.time_ms)
    changes: list[LabelChange] = []
    for part, old, new in zip((Part.LABEL, Part.LATE_LABEL), before, after, strict=True):
        if old != new:
            changes += [
                LabelChange(
                    pending.route, part, start_ms, pending.tail, truth, delay_ms, sign * state_sign
                )
                for truths, sign in ((new, 1), (old, -1))
                for truth, delay_ms, state_sign in truths
            ]
    return changes


def _add(plan: Plan, changes: Sequence[LabelChange], panes: Panes) -> None:
    build = CellBuilder(plan.labels)
    tails = tails_of([change.tail for change in changes], plan.outcome.tail)
    truth = np.array([change.truth for change in changes], np.float64)
    build.ones("n", np.arange(len(changes)))
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    delays = np.array([change.delay_ms for change in changes], np.int64)
    build.ones("delay", np.arange(len(changes)), np.searchsorted(DELAYS_MS, delays, "left"))
    plan.outcome.add(build, tails, truth)
    signs = np.array([change.sign for change in changes], np.int64)
    slots = Slots.of(
        [change.route for change in changes],
        [change.part for change in changes],
        np.array([change.start_ms for change in changes], np.int64),
    )
    panes.add(plan, build.build(), slots, signs, labels=True)


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
