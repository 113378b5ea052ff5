"""Guardrails of a rollout: how one window of both arms adds to the evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from detectors.arrays import FloatArray
from detectors.bets import two_sample
from detectors.canary import DifferenceSequence, SampleRatio
from detectors.canary.three_way import Guardrail as Processes
from detectors.quantities import Sums
from detectors.sequential.confidence_sequence import BoundedConfidenceSequence
from detectors.sequential.e_process import EProcess, log_threshold
from schemas.policy import Canary, Guardrail, Plan, Policy
from schemas.rollouts import GuardrailEvidence
from schemas.summaries import Part
from streams.decide.measure.interval import LEVEL
from streams.decide.rollout.records import Rail, Track

METRICS = {
    "error_rate": ("error_rate", Part.LABEL),
    "brier": ("brier", Part.LABEL),
    "service_errors": ("service_errors", Part.INPUT),
    "latency": ("latency_over", Part.INPUT),
}
"""What a guardrail of a policy compares: metric, and whether it takes labels."""

PRIOR_EVENTS = 50
"""Events that the first guess of the baseline's level counts for."""

WIDEST_MARGIN = 0.99

PAIRED_MEMORY = 3
"""Numbers that the interval of a difference between pairs rests on."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A metric of one window in both arms."""

    canary: Sums
    baseline: Sums

    @property
    def comparable(self) -> bool:
        """Whether both arms have events."""
        return self.canary.n > 0 and self.baseline.n > 0


def needs_labels(guardrail: Guardrail) -> bool:
    """Whether a guardrail waits for the truth."""
    return METRICS[guardrail.metric][1] is Part.LABEL


def add(
    rail: Rail | None, guardrail: Guardrail, pair: Pair, policy: Policy, *, sound: bool = True
) -> Rail:
    """A guardrail after one more window; None stands for one that has seen none.

    The guess of the baseline's level comes from the windows before this one, and from the budget
    before there were any: taken from the window itself, it would make the bets unfair. A window
    that is not ``sound`` was broken for both arms.
    """
    known = rail or Rail(processes_of(guardrail, None).state(), [])
    if not pair.comparable:
        return known
    guess = _guess(known, prior(policy, guardrail.metric))
    processes = processes_of(guardrail, known)
    difference = (
        DifferenceSequence.restore(known.difference) if known.difference else DifferenceSequence()
    )
    rows = policy.dependence.rows_per_unit
    margin = min(guardrail.margin, WIDEST_MARGIN)
    harm, benefit = _increments(
        difference, pair, guess, margin, benefit_margin(margin, policy.plan), rows
    )
    processes.update(harm=harm, benefit=benefit)
    return Rail(
        processes=processes.state(),
        difference=difference.state(),
        n_canary=known.n_canary + pair.canary.n,
        s_canary=known.s_canary + pair.canary.s,
        n_baseline=known.n_baseline + pair.baseline.n,
        s_baseline=known.s_baseline + pair.baseline.s,
        q_baseline=_plus(known.q_baseline, pair.baseline.q),
        sound=sound_after(known, harm, sound=sound, weights=two_sample.WEIGHTS),
    )


def sound_after(
    rail: Rail, harm: FloatArray, *, sound: bool, weights: FloatArray | None
) -> list[float] | None:
    """Evidence of harm from sound windows, after one more; None while all were sound."""
    if sound:
        if rail.sound is None:
            return None
        process = EProcess.restore(rail.sound, weights)
        process.update(harm)
        return process.state()
    return rail.processes["harm"] if rail.sound is None else rail.sound


def sound_evidence(rail: Rail) -> float:
    """Highest log e-value of harm over sound windows."""
    return (rail.processes["harm"] if rail.sound is None else rail.sound)[-1]


def benefit_margin(margin: float, plan: Plan) -> float:
    """By how much a version may be worse and still go on: an A/B plan wants it to be better."""
    return 0.0 if plan.kind == "ab" else margin


def _plus(known: float | None, more: float | None) -> float | None:
    return known if more is None else (known or 0.0) + more


def processes_of(guardrail: Guardrail, rail: Rail | None, *, sound: bool = False) -> Processes:
    """The e-processes of a guardrail; None stands for one that has seen no window.

    With ``sound``, that of harm has seen sound windows alone.
    """
    if rail is None:
        return Processes(guardrail.metric, two_sample.WEIGHTS)
    state = rail.processes
    if sound and rail.sound is not None:
        state = {"harm": rail.sound, "benefit": state["benefit"]}
    return Processes.restore(guardrail.metric, state, two_sample.WEIGHTS)


def _increments(
    difference: DifferenceSequence,
    pair: Pair,
    guess: float,
    margin: float,
    better_by: float,
    rows_per_unit: int,
) -> tuple[FloatArray, FloatArray]:
    """Increments of harm and of benefit; the interval takes the window in.

    Evidence is linear in the sums, so those of one row in so many temper it.
    """
    canary, baseline = pair.canary, pair.baseline
    if canary.q is None or baseline.q is None:
        counts = {"n_c": canary.n, "k_c": canary.s, "n_b": baseline.n, "k_b": baseline.s}
        counts = {name: value / rows_per_unit for name, value in counts.items()}
        difference.update(**counts, b0=guess)
        return (
            two_sample.increments_binary(**counts, b0=guess, d=margin, side="harm"),
            two_sample.increments_binary(**counts, b0=guess, d=better_by, side="benefit"),
        )
    sums = {
        "n_c": canary.n,
        "s_c": canary.s,
        "q_c": canary.q,
        "n_b": baseline.n,
        "s_b": baseline.s,
        "q_b": baseline.q,
    }
    sums = {name: value / rows_per_unit for name, value in sums.items()}
    difference.update_bounded(**sums, b0=guess)
    return (
        two_sample.increments_bounded(**sums, b0=guess, d=margin, side="harm"),
        two_sample.increments_bounded(**sums, b0=guess, d=better_by, side="benefit"),
    )


def _guess(rail: Rail, start: float) -> float:
    return (rail.s_baseline + start * PRIOR_EVENTS) / (rail.n_baseline + PRIOR_EVENTS)


def prior(policy: Policy, metric: str) -> float:
    """First guess of a metric's level: its budget, else 0.1."""
    budgets = policy.budgets
    levels = {
        "error_rate": budgets.error_rate,
        "brier": budgets.brier,
        "service_errors": budgets.service_errors,
        "latency": None if budgets.latency is None else budgets.latency.rate,
    }
    return levels[metric] or 0.1


def split_of(track: Track, canary: Canary) -> SampleRatio:
    """The test on the traffic split, as a track remembers it."""
    if track.split is None:
        return SampleRatio(canary.alpha_share)
    return SampleRatio.restore(track.split, canary.alpha_share)


def evidence(
    guardrails: Sequence[Guardrail], track: Track, canary: Canary, *, n_tests: int
) -> list[GuardrailEvidence]:
    """What is known of each guardrail; ``n_tests`` share the rollback level among them."""
    return [
        _evidence(guardrail, track.rails[guardrail.metric], canary, n_tests)
        for guardrail in guardrails
        if guardrail.metric in track.rails
    ]


def _evidence(guardrail: Guardrail, rail: Rail, canary: Canary, n_tests: int) -> GuardrailEvidence:
    processes = processes_of(guardrail, rail)
    mean_c = rail.s_canary / rail.n_canary if rail.n_canary else None
    mean_b = rail.s_baseline / rail.n_baseline if rail.n_baseline else None
    low, high = _interval(rail)
    return GuardrailEvidence(
        metric=guardrail.metric,
        margin=guardrail.margin,
        n_canary=rail.n_canary,
        n_baseline=rail.n_baseline,
        mean_canary=mean_c,
        mean_baseline=mean_b,
        difference=None if mean_c is None or mean_b is None else mean_c - mean_b,
        low=low,
        high=high,
        log_e_harm=processes.harm.highest_log_e,
        log_e_benefit=processes.benefit.highest_log_e,
        threshold_harm=harm_threshold(canary, n_tests),
        threshold_benefit=log_threshold(canary.alpha_promote),
    )


def harm_threshold(canary: Canary, n_tests: int) -> float:
    """Log e-value at which harm is proven, where so many tests share the level."""
    return log_threshold(canary.alpha_rollback) + math.log(n_tests)


def _interval(rail: Rail) -> tuple[float | None, float | None]:
    """Interval of the difference; of pairs, n, sum and sum of squares are remembered."""
    if not rail.difference:
        return None, None
    if len(rail.difference) == PAIRED_MEMORY:
        return BoundedConfidenceSequence.restore(rail.difference, lo=-1.0).interval(LEVEL)
    return DifferenceSequence.restore(rail.difference).interval(LEVEL)
