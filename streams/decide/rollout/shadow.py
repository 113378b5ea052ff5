"""Shadows: both answers to one request, judged by one truth (bet B4).

A shadow serves nobody, so there is no traffic to roll back and no split to check. What is said
is advice: go on as a canary, or stop.
"""

from __future__ import annotations

from typing import NamedTuple

from detectors.arrays import FloatArray
from detectors.bets import paired
from detectors.bets.two_sample import Direction
from detectors.canary.three_way import Guardrail as Processes
from detectors.outcomes.feedback import PAIRED
from detectors.sequential.confidence_sequence import BoundedConfidenceSequence
from schemas.policy import Guardrail, Policy
from schemas.summaries import Part
from streams.decide import merge
from streams.decide.measure.awaited import awaited
from streams.decide.rollout.arms import Cohort
from streams.decide.rollout.rails import PAIRED_MEMORY, WIDEST_MARGIN, sound_after
from streams.decide.rollout.records import Rail
from streams.decide.state import State

METRIC = "error_rate"
DEFAULT_MARGIN = 0.01


class Pairs(NamedTuple):
    """Labelled pairs of a window: all, only the shadow, only the baseline, and both wrong."""

    n: int
    shadow: int
    baseline: int
    both: int


def shadow_guardrails(policy: Policy) -> tuple[Guardrail, ...]:
    """What a shadow is judged by: the error rate, with the policy's margin for canaries.

    Empty for a task in which both answers are not right or wrong by one truth.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> [rail.margin for rail in shadow_guardrails(Policy(model="m", task=Task.BINARY))]
    [0.01]
    >>> shadow_guardrails(Policy(model="m", task=Task.CHAT))
    ()
    """
    if policy.task not in PAIRED:
        return ()
    stated = [rail.margin for rail in policy.guardrails if rail.metric == METRIC]
    return (Guardrail(metric=METRIC, margin=min(stated, default=DEFAULT_MARGIN)),)


def pairs_of(state: State, cohort: Cohort) -> Pairs | None:
    """The pairs of a window; None where too few of the served answers have their label."""
    subject = cohort.subject
    inputs, told, beside = (
        merge.total(state, key, subject, (part,), from_ms=cohort.from_ms)
        for key, part in (
            (cohort.baseline, Part.INPUT),
            (cohort.baseline, Part.LABEL),
            (cohort.canary, Part.LABEL),
        )
    )
    expected = awaited(subject.inputs, inputs)
    if subject.labels.count(told, "n") < subject.policy.labels.coverage * expected:
        return None
    names = ("pair_n", "pair_10", "pair_01", "pair_both")
    return Pairs(*(subject.labels.count(beside, name) for name in names))


def add_pairs(
    rail: Rail | None,
    guardrail: Guardrail,
    pairs: Pairs,
    *,
    rows_per_unit: int = 1,
    sound: bool = True,
) -> Rail:
    """A guardrail after one more window; None stands for one that has seen none.

    Evidence is divided by ``rows_per_unit``; a window that is not ``sound`` was broken for both.
    The interval is that of a mean in [-1, 1]: +1 where only the shadow is wrong, -1 where only the
    baseline is.
    """
    # Few pairs disagree, and a bet on those may be large: all sizes of bets count alike.
    known = rail or Rail(Processes(guardrail.metric).state(), [])
    if pairs.n <= 0:
        return known
    processes = Processes.restore(guardrail.metric, known.processes)
    harm = _increments(pairs, guardrail, "harm") / rows_per_unit
    benefit = _increments(pairs, guardrail, "benefit") / rows_per_unit
    processes.update(harm=harm, benefit=benefit)
    sequence = BoundedConfidenceSequence.restore(known.difference or [0.0] * PAIRED_MEMORY, lo=-1.0)
    sequence.update(
        n=pairs.n / rows_per_unit,
        s=(pairs.shadow - pairs.baseline) / rows_per_unit,
        q=(pairs.shadow + pairs.baseline) / rows_per_unit,
    )
    return Rail(
        processes=processes.state(),
        difference=sequence.state(),
        n_canary=known.n_canary + pairs.n,
        s_canary=known.s_canary + pairs.shadow + pairs.both,
        n_baseline=known.n_baseline + pairs.n,
        s_baseline=known.s_baseline + pairs.baseline + pairs.both,
        sound=sound_after(known, harm, sound=sound, weights=None),
    )


def _increments(pairs: Pairs, guardrail: Guardrail, side: Direction) -> FloatArray:
    margin = min(guardrail.margin, WIDEST_MARGIN)
    same = pairs.n - pairs.shadow - pairs.baseline
    return paired.increments(n10=pairs.shadow, n01=pairs.baseline, n0=same, d=margin, side=side)
