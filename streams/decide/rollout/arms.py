"""One window of both arms of a rollout, and whether they are fit to be compared."""

from __future__ import annotations

from typing import NamedTuple

from detectors.intervals import newcombe
from detectors.quantities import sums_of
from detectors.summary import Ints
from schemas.errors import Retriable
from schemas.policy import Guardrail
from schemas.predictions import Arm
from schemas.summaries import Part
from streams.control import Control
from streams.decide import merge
from streams.decide.domain import DOMAIN
from streams.decide.keys import WindowKey
from streams.decide.measure.awaited import awaited
from streams.decide.measure.shed import lacks, shed
from streams.decide.rollout.plan import Rollout
from streams.decide.rollout.rails import METRICS, Pair
from streams.decide.state import State
from streams.decide.subject import Subject, Subjects

UNEQUAL_COVERAGE = 0.05
"""Largest difference in label coverage at which two arms are compared."""


class Cohort(NamedTuple):
    """One window of both arms.

    Panes before ``from_ms``, when the canary was not there yet, are left out; ``due_ms`` is when
    the window may be looked at.
    """

    subject: Subject
    start_ms: int
    end_ms: int
    from_ms: int
    due_ms: int
    canary: WindowKey
    baseline: WindowKey


def cohort_at(
    control: Control, subjects: Subjects, rollout: Rollout, time_ms: int, *, labels: bool
) -> Cohort | None:
    """The window that holds a time, under the policy in effect then; None where none is known."""
    activation = control.active(rollout.model, time_ms)
    if activation is None:
        return None
    hashes = (activation.policy, activation.reference or "")
    try:
        subject = subjects.of(*hashes, whole=True)
    except Retriable:
        return None
    start = merge.floor_to(time_ms, subject.window_ms)
    end = start + subject.window_ms
    return Cohort(
        subject=subject,
        start_ms=start,
        end_ms=end,
        from_ms=first_pane(rollout.start_ms, subject.pane_ms),
        due_ms=end + (subject.label_delay_ms if labels else subject.input_delay_ms),
        canary=WindowKey(rollout.model, rollout.canary, rollout.arm, "", *hashes, start),
        baseline=WindowKey(rollout.model, rollout.baseline, Arm.BASELINE, "", *hashes, start),
    )


def first_pane(time_ms: int, pane_ms: int) -> int:
    """Start of the first pane that lies wholly after a time.

    Examples
    --------
    >>> first_pane(60, 60), first_pane(61, 60)
    (60, 120)
    """
    return -merge.floor_to(-time_ms, pane_ms)


def served(state: State, cohort: Cohort, *, late: bool = False) -> tuple[int, int]:
    """Predictions of canary and baseline, those on time or all."""
    inputs = cohort.subject.inputs
    canary, baseline = (
        inputs.count(_total(state, cohort, key, Part.INPUT, late=late), "n")
        for key in (cohort.canary, cohort.baseline)
    )
    return canary, baseline


def pair(state: State, cohort: Cohort, guardrail: Guardrail, *, late: bool = False) -> Pair | None:
    """Both arms of a guardrail; None where they cannot be compared in this window.

    Where features were shed, nobody can tell whether inputs were broken for both. ``late`` looks
    at what is known now, rows and labels that came late included.
    """
    metric, part = METRICS[guardrail.metric]
    if in_part(state, cohort):
        return None
    if part is Part.LABEL and not covered(state, cohort, late=late):
        return None
    canary, baseline = (
        sums_of(cohort.subject.layout(part), _total(state, cohort, key, part, late=late), metric)
        for key in (cohort.canary, cohort.baseline)
    )
    return None if canary is None or baseline is None else Pair(canary, baseline)


def in_part(state: State, cohort: Cohort) -> bool:
    """Whether rows of either arm were counted without what tells broken inputs from a version."""
    subject = cohort.subject
    return any(
        lacks(shed(subject, _total(state, cohort, key, Part.INPUT)), subject, DOMAIN)
        for key in (cohort.canary, cohort.baseline)
    )


def covered(state: State, cohort: Cohort, *, late: bool = False) -> bool:
    """Whether enough labels are there, and about as many in both arms."""
    floor = cohort.subject.policy.labels.coverage
    inputs, labels = cohort.subject.inputs, cohort.subject.labels
    counts: list[int] = []
    for key in (cohort.canary, cohort.baseline):
        n = awaited(inputs, _total(state, cohort, key, Part.INPUT, late=late))
        labelled = labels.count(_total(state, cohort, key, Part.LABEL, late=late), "n")
        if n <= 0 or labelled < floor * n:
            return False
        counts += [labelled, n]
    low, high = newcombe(*counts)
    return bool(low <= UNEQUAL_COVERAGE and high >= -UNEQUAL_COVERAGE)


def enough_labels(state: State, cohort: Cohort, key: WindowKey) -> bool:
    """Whether one arm served, and has as many labels as the policy asks for."""
    inputs, labels = cohort.subject.inputs, cohort.subject.labels
    n = awaited(inputs, _total(state, cohort, key, Part.INPUT))
    labelled = labels.count(_total(state, cohort, key, Part.LABEL), "n")
    return n > 0 and labelled >= cohort.subject.policy.labels.coverage * n


def _total(state: State, cohort: Cohort, key: WindowKey, part: Part, *, late: bool = False) -> Ints:
    whole = merge.LABELS if part is Part.LABEL else merge.INPUTS
    parts = whole if late else (part,)
    return merge.total(state, key, cohort.subject, parts, from_ms=cohort.from_ms)
