"""Label changes: what label panes gain and lose when the label of a prediction changes.

LABEL holds the state that tests see, LATE_LABEL makes up the difference to the final one. Each
change takes the old states off and adds the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.outcomes import feedback
from detectors.outcomes.contract import DELAYS_MS, Tails
from detectors.outcomes.feedback import Told
from detectors.summary import Builder, CellBuilder, Cells, Floats, Ints
from detectors.sums import Sums
from schemas.summaries import Part
from streams.ingest.join import label_columns
from streams.ingest.join.label_columns import differ
from streams.ingest.join.label_state import (
    CHANCES,
    DISAGREED,
    FLIPPED,
    NO_LABEL,
    REVIEWED,
    LabelState,
)
from streams.ingest.panes.panes import PLACES, Panes, Slots
from streams.ingest.plan import Plan
from streams.ingest.store.pending import Pending, tails_of

Signed: TypeAlias = tuple[tuple[LabelState, int], ...]
"""Labels, each with its sign."""


class Labels(NamedTuple):
    """The label states of a prediction; with `Pending`'s meaning."""

    mature: LabelState
    final: LabelState


UNLABELLED = Labels(NO_LABEL, NO_LABEL)

LabelColumns: TypeAlias = tuple[label_columns.Labels, label_columns.Labels]
"""The label states of n predictions: mature and final."""

_LABEL, _LATE = PLACES[Part.LABEL], PLACES[Part.LATE_LABEL]


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


@dataclass(frozen=True, slots=True)
class Additions:
    """n signed additions to label panes under one plan; everything has length n.

    ``parts`` are `panes.PLACES`. ``served`` is empty but for additions of shadows that are
    compared: there it is the packed answer that served.
    """

    routes: Ints
    parts: Ints
    starts_ms: Ints
    tails: Tails
    labels: label_columns.Labels
    delays_ms: Ints
    signs: Ints
    served: Sequence[bytes] = ()


class LabelChanges:
    """Label additions of a batch, summed plan by plan."""

    def __init__(self) -> None:
        self._by_plan: dict[int, tuple[Plan, list[LabelChange]]] = {}
        self._columns: list[tuple[Plan, Additions]] = []

    def extend(self, plan: Plan, changes: list[LabelChange]) -> None:
        """Note changes of rows under a plan."""
        self._by_plan.setdefault(id(plan), (plan, []))[1].extend(changes)

    def extend_columns(self, plan: Plan, additions: Additions) -> None:
        """The same in columns."""
        if additions.signs.size:
            self._columns.append((plan, additions))

    def add_to(self, panes: Panes) -> None:
        """Sum all changes into panes."""
        for plan, additions in self._columns:
            _add(plan, additions, panes)
        for plan, changes in self._by_plan.values():
            if changes:
                _add(plan, _in_columns(plan, changes), panes)


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


def additions_of(
    records: NDArray[np.void], plan: Plan, before: LabelColumns, after: LabelColumns
) -> Additions:
    """`changes_of` n predictions in columns: ``records`` are of type `pending.record_type`."""
    (old_mature, old_final), (mature, final) = before, after
    matured = differ(old_mature, mature)
    moved = matured | differ(old_final, final)
    new_late, old_late = moved & differ(mature, final), moved & differ(old_mature, old_final)
    # What would be taken off and added again.
    same = new_late & old_late & ~matured
    terms = [
        (_LABEL, mature, matured, 1),
        (_LABEL, old_mature, matured, -1),
        (_LATE, final, new_late, 1),
        (_LATE, mature, new_late & ~same, -1),
        (_LATE, old_final, old_late, -1),
        (_LATE, old_mature, old_late & ~same, 1),
    ]
    rows = [np.flatnonzero(chosen & labels["known"]) for _, labels, chosen, _ in terms]
    sizes = [one.size for one in rows]
    every = np.concatenate(rows)
    labels = label_columns.together(
        [term[1].take(one) for term, one in zip(terms, rows, strict=True)]
    )
    of = records.take(every)
    times_ms = of["time_ms"].astype(np.int64)
    return Additions(
        routes=of["route"].astype(np.int64),
        parts=np.repeat([term[0] for term in terms], sizes),
        starts_ms=times_ms - times_ms % plan.pane_ms,
        tails=of["tail"],
        labels=labels,
        delays_ms=labels["time_ms"] - times_ms,
        signs=np.repeat([term[3] for term in terms], sizes),
    )


def _in_columns(plan: Plan, changes: Sequence[LabelChange]) -> Additions:
    return Additions(
        routes=np.array([change.route for change in changes], np.int64),
        parts=np.array([PLACES[change.part] for change in changes], np.int64),
        starts_ms=np.array([change.start_ms for change in changes], np.int64),
        tails=tails_of([change.tail for change in changes], plan.outcome.tail),
        labels=label_columns.of_states([change.label for change in changes]),
        delays_ms=np.array([change.delay_ms for change in changes], np.int64),
        signs=np.array([change.sign for change in changes], np.int64),
        served=[change.served for change in changes],
    )


def cells_of(
    plan: Plan, tails: Tails, truth: Floats, delays_ms: Ints, told: Told | None = None
) -> Cells:
    """What each of n labels adds to a label pane; answers, truths and delays have shape (n,)."""
    build = CellBuilder(plan.labels)
    _add_labels(build, plan, tails, truth, delays_ms, told)
    return build.build()


def _add_labels(
    build: Builder, plan: Plan, tails: Tails, truth: Floats, delays_ms: Ints, told: Told | None
) -> None:
    every: Ints = np.arange(len(tails))
    build.ones("n", every)
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    build.ones("delay", every, np.searchsorted(DELAYS_MS, delays_ms, "left"))
    plan.outcome.add(build, tails, truth)
    if told is not None:
        feedback.add_history(build, told, plan.sources)
        if feedback.weighs(plan.policy):
            feedback.add_weighted(build, plan.outcome, tails, truth, told.propensity)


def _add(plan: Plan, additions: Additions, panes: Panes) -> None:
    slots = Slots.in_columns(additions.routes, additions.parts, additions.starts_ms)
    number, lost = len(slots.distinct), additions.signs < 0
    # What is taken off is summed apart.
    sums = Sums(plan.labels, slots.groups + number * lost, number * (1 + int(lost.any())))
    tails, truth = additions.tails, additions.labels["truth"]
    _add_labels(sums, plan, tails, truth, additions.delays_ms, _told(additions.labels))
    rows = np.flatnonzero(np.array([bool(served) for served in additions.served], np.bool_))
    if rows.size:
        served = tails_of([additions.served[i] for i in rows.tolist()], plan.outcome.tail)
        feedback.add_pairs(sums, plan.outcome, tails[rows], served, rows, truth[rows])
    total = sums.sums[:number]
    if lost.any():
        total = total - sums.sums[number:]
    panes.add_sums(plan, total, slots, labels=True)


def _told(labels: label_columns.Labels) -> Told:
    marks, chance = labels["marks"], labels["chance"].astype(np.float64)
    return Told(
        reviewed=(marks & REVIEWED) > 0,
        disagreed=(marks & DISAGREED) > 0,
        flipped=(marks & FLIPPED) > 0,
        source=labels["source"].astype(np.int64),
        propensity=np.where(chance > 0, chance / CHANCES, np.nan),
    )
