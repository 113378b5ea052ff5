"""A promoted version as it is seen: its windows, what was wrong with them, what they have shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detectors.quantities import Sums, sums_of
from schemas.policy import Guardrail, Policy, duration_ms
from schemas.predictions import Arm
from schemas.rollouts import GuardrailEvidence
from schemas.summaries import Part
from streams.control import Control
from streams.decide import merge
from streams.decide.clock import watermarks
from streams.decide.keys import WindowKey
from streams.decide.rollout import trouble
from streams.decide.rollout.arms import Cohort, cohort_at, enough_labels, first_pane
from streams.decide.rollout.facts import UNEQUAL
from streams.decide.rollout.faults import broken_in, chronic_of, name_of
from streams.decide.rollout.frozen import difference
from streams.decide.rollout.judge import guardrails_of, policy_at
from streams.decide.rollout.plan import Promoted, Rollout
from streams.decide.rollout.rails import METRICS, harm_threshold
from streams.decide.rollout.records import AfterRail, Frozen, Trouble
from streams.decide.state import State, Watermarks
from streams.decide.subject import Subjects


@dataclass(frozen=True, slots=True)
class Watch:
    """A promoted version: what it is judged by, and all that is known."""

    state: State
    control: Control
    subjects: Subjects
    rollout: Rollout
    promoted: Promoted
    policy: Policy
    frozen: dict[str, Frozen]
    now: Watermarks
    cut: dict[str, int]

    @property
    def end_ms(self) -> int:
        """When the watch ends: its time is over, or the version serves no more."""
        length_ms = duration_ms(self.policy.plan.watch_after or "0s")
        end_ms = self.promoted.start_ms + length_ms
        return end_ms if self.promoted.stop_ms is None else min(end_ms, self.promoted.stop_ms)

    @property
    def guardrails(self) -> tuple[Guardrail, ...]:
        """Guardrails in which the predecessor's level is known."""
        return tuple(g for g in guardrails_of(self.policy) if g.metric in self.frozen)

    @property
    def rows(self) -> int:
        """So many rows that depend on each other count as one."""
        return self.policy.dependence.rows_per_unit

    @property
    def threshold(self) -> float:
        """Log e-value at which harm is proven."""
        return harm_threshold(self.policy.canary, max(len(self.guardrails), 1))


@dataclass(frozen=True, slots=True)
class Seen:
    """One window of the promoted version, and what was wrong with it."""

    cohort: Cohort
    key: WindowKey
    sums: Sums | None
    inputs: tuple[str, ...]
    labels: tuple[str, ...]


def due(watch: Watch, time_ms: int, *, labels: bool) -> Iterator[Cohort]:
    """Windows after the promotion that are complete, in order; the last one ends with the watch."""
    watermark = watch.now.labels_ms if labels else watch.now.predictions_ms
    from_ms = first_pane(watch.promoted.start_ms, watch.policy.pane_ms)
    while watermark is not None:
        cohort = cohort_at(watch.control, watch.subjects, watch.rollout, time_ms, labels=labels)
        if cohort is None or cohort.due_ms > watermark or cohort.end_ms > watch.end_ms:
            return
        yield cohort._replace(from_ms=from_ms)
        time_ms = cohort.end_ms


def see(watch: Watch, cohort: Cohort, guardrail: Guardrail) -> Seen:
    """A window of the version in the role of the baseline."""
    state, rollout = watch.state, watch.rollout
    key = cohort.canary._replace(arm=Arm.BASELINE)
    before = trouble.standing(state, rollout.model, rollout.baseline, watch.promoted.start_ms)
    chronic = chronic_of([one for one in before if _of_data(one)])
    open_ = trouble.standing(state, rollout.model, rollout.canary, cohort.due_ms)
    inputs = (*broken_in(state, cohort, key), *chronic_of([one for one in open_ if _of_data(one)]))
    labels: tuple[str, ...] = ()
    if METRICS[guardrail.metric][1] is Part.LABEL:
        labels = tuple(name_of(x.metric, x.feature) for x in open_ if trouble.of_labels(x))
        labels = labels if enough_labels(state, cohort, key) else (*labels, UNEQUAL)
    sums = sums_in(state, cohort, key, guardrail.metric)
    return Seen(cohort, key, sums, tuple(sorted({*inputs} - chronic)), tuple(sorted({*labels})))


def sums_in(
    state: State, cohort: Cohort, key: WindowKey, metric: str, *, late: bool = False
) -> Sums | None:
    """A metric of a window; None where its labels are too few."""
    name, part = METRICS[metric]
    if part is Part.LABEL and not enough_labels(state, cohort, key):
        return None
    whole = merge.LABELS if part is Part.LABEL else merge.INPUTS
    parts = whole if late else (part,)
    vector = merge.total(state, key, cohort.subject, parts, from_ms=cohort.from_ms)
    return sums_of(cohort.subject.layout(part), vector, name)


def evidence(watch: Watch, guardrail: Guardrail, rail: AfterRail) -> GuardrailEvidence:
    """The version against the frozen level; there is no evidence of benefit to be had."""
    frozen, rows = watch.frozen[guardrail.metric], watch.rows
    mean_c = rail.s / rail.n if rail.n else None
    mean_b = frozen.s / frozen.n if frozen.n else None
    low, high = difference(Frozen(rail.n, rail.s, rail.q), frozen, rows)
    return GuardrailEvidence(
        metric=guardrail.metric,
        margin=guardrail.margin,
        n_canary=rail.n,
        n_baseline=frozen.n,
        mean_canary=mean_c,
        mean_baseline=mean_b,
        difference=None if mean_c is None or mean_b is None else mean_c - mean_b,
        low=low,
        high=high,
        log_e_harm=rail.harm[-1],
        log_e_benefit=0.0,
        threshold_harm=watch.threshold,
        threshold_benefit=harm_threshold(watch.policy.canary, 1),
    )


def shown(
    state: State, control: Control, subjects: Subjects, rollout: Rollout
) -> list[GuardrailEvidence]:
    """What a promoted version has shown by now in each guardrail."""
    policy = policy_at(control, rollout.model, rollout.start_ms)
    known, ended = state.aftercare.get(rollout.id), state.rollouts.get(rollout.id)
    if policy is None or known is None or ended is None or rollout.promoted is None:
        return []
    watch = Watch(
        state,
        control,
        subjects,
        rollout,
        rollout.promoted,
        policy,
        ended.frozen,
        watermarks(state),
        {},
    )
    return [
        evidence(watch, one, known.rails[one.metric])
        for one in watch.guardrails
        if one.metric in known.rails
    ]


def _of_data(one: Trouble) -> bool:
    return trouble.of_inputs(one) or trouble.of_drift(one)
