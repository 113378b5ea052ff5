"""Label changes: what label panes gain and lose when the label of a prediction changes.

LABEL holds the state that tests see, LATE_LABEL makes up the difference to the final one. Each
change takes the old states off and adds the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np

from detectors.outcomes import feedback
from detectors.outcomes.contract import DELAYS_MS, Tails
from detectors.outcomes.feedback import Told
from detectors.summary import CellBuilder, Cells, Floats, Ints
from schemas.summaries import Part
from streams.ingest.label_state import CHANCES, DISAGREED, FLIPPED, NO_LABEL, REVIEWED, LabelState
from streams.ingest.panes import Panes, Slots
from streams.ingest.pending import Pending, tails_of
from streams.ingest.plan import Plan

Signed: TypeAlias = tuple[tuple[LabelState, int], ...]
"""Labels, each with its sign."""


class Labels(NamedTuple):
    """The label states of a prediction; with `Pending`'s meaning."""

    mature: LabelState
    final: LabelState


UNLABELLED = Labels(NO_LABEL, NO_LABEL)


class LabelChange(msgspec.Struct, frozen=True, gc=False):
    """One signed addition to a label pane; the delay is that of the feedback.

    ``served`` is the packed answer that served, where ``tail`` is that of its shadow.
    """

    route: int
    part: Part
    start_ms: int
    tail: bytes
    label: LabelState
    delay_ms: int
    sign: int
    served: bytes = b""


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


def labels_of(pending: Pending) -> Labels:
    """The label states of a prediction."""
    return Labels(pending.mature, pending.final)


def changes_of(
    pending: Pending, plan: Plan, before: Labels, after: Labels, *, served: bytes = b""
) -> list[LabelChange]:
    """What the panes of a prediction gain and lose; its own states are not looked at."""
    start_ms = plan.pane(pending.time_ms)
    route, tail, time_ms = pending.route, pending.tail, pending.time_ms
    (early, late), (was_early, was_late) = _held(after), _held(before)
    changes: list[LabelChange] = []
    for part, new, old in ((Part.LABEL, early, was_early), (Part.LATE_LABEL, late, was_late)):
        if new != old:
            signed = (*new, *((label, -sign) for label, sign in old))
            changes += [
                LabelChange(
                    route, part, start_ms, tail, label, label.time_ms - time_ms, sign, served
                )
                for label, sign in signed
            ]
    return changes


def _held(labels: Labels) -> tuple[Signed, Signed]:
    """What LABEL and LATE_LABEL hold of a prediction."""
    mature, final = labels
    early: Signed = () if mature.truth is None else ((mature, 1),)
    late: Signed = () if final.truth is None else ((final, 1),)
    if early == late:
        return early, ()
    return early, (*late, *((label, -sign) for label, sign in early))


def cells_of(
    plan: Plan, tails: Tails, truth: Floats, delays_ms: Ints, told: Told | None = None
) -> Cells:
    """What each of n labels adds to a label pane; answers, truths and delays have shape (n,)."""
    return _builder(plan, tails, truth, delays_ms, told).build()


def _builder(
    plan: Plan, tails: Tails, truth: Floats, delays_ms: Ints, told: Told | None
) -> CellBuilder:
    build = CellBuilder(plan.labels)
    every = np.arange(len(tails))
    build.ones("n", every)
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    build.ones("delay", every, np.searchsorted(DELAYS_MS, delays_ms, "left"))
    plan.outcome.add(build, tails, truth)
    if told is not None:
        feedback.add_history(build, told, plan.sources)
        if feedback.weighs(plan.policy):
            feedback.add_weighted(build, plan.outcome, tails, truth, told.propensity)
    return build


def _add(plan: Plan, changes: Sequence[LabelChange], panes: Panes) -> None:
    kind = plan.outcome.tail
    tails = tails_of([change.tail for change in changes], kind)
    truth = np.array([change.label.truth for change in changes], np.float64)
    delays = np.array([change.delay_ms for change in changes], np.int64)
    signs = np.array([change.sign for change in changes], np.int64)
    build = _builder(plan, tails, truth, delays, _told(changes))
    rows = np.flatnonzero([bool(change.served) for change in changes])
    if rows.size:
        served = tails_of([changes[i].served for i in rows.tolist()], kind)
        feedback.add_pairs(build, plan.outcome, tails[rows], served, rows, truth[rows])
    slots = Slots.of(
        [change.route for change in changes],
        [change.part for change in changes],
        np.array([change.start_ms for change in changes], np.int64),
    )
    panes.add(plan, build.build(), slots, signs, labels=True)


def _told(changes: Sequence[LabelChange]) -> Told:
    marks = np.array([change.label.marks for change in changes], np.int64)
    source = np.array([change.label.source for change in changes], np.int64)
    chance = np.array([change.label.chance for change in changes], np.float64)
    return Told(
        reviewed=(marks & REVIEWED) > 0,
        disagreed=(marks & DISAGREED) > 0,
        flipped=(marks & FLIPPED) > 0,
        source=source,
        propensity=np.where(chance > 0, chance / CHANCES, np.nan),
    )
