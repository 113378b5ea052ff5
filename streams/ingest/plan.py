"""Plan: how rows of one policy and reference are read, worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from detectors.answers import Answers, answers_of
from detectors.embeddings.columns import EmbeddingColumn, columns_of
from detectors.inputs import (
    Feature,
    counted_fields,
    features_of,
    input_layout,
    score_edges,
)
from detectors.numeric import NumericFeature
from detectors.outcomes import Outcome, layout, outcome_of
from detectors.outcomes.feedback import PAIRED, SHARED, sources_of
from detectors.summary import Floats, Ints, Layout
from schemas.base import MAX_TIME_MS
from schemas.policy import Policy
from schemas.reference import ReferenceProfile
from streams.control import Control
from streams.durations import Durations
from streams.ingest.columns.codes import coded


@dataclass(frozen=True)
class Plan(Durations):
    """A policy, its reference and the layouts they give."""

    policy: Policy
    policy_hash: str
    reference: ReferenceProfile | None
    reference_hash: str

    @cached_property
    def outcome(self) -> Outcome:
        """The task."""
        return outcome_of(self.policy, self.reference)

    @cached_property
    def answers(self) -> Answers:
        """What input panes keep of the answers."""
        return answers_of(self.policy, self.reference)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Features in order of name."""
        return features_of(self.policy, self.reference)

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """Names of numeric features."""
        return tuple(one.name for one in self.features if isinstance(one, NumericFeature))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Names of the other features."""
        return tuple(one.name for one in self.features if not isinstance(one, NumericFeature))

    @cached_property
    def embeddings(self) -> tuple[EmbeddingColumn, ...]:
        """Embeddings in order of name."""
        return columns_of(self.reference)

    @cached_property
    def inputs(self) -> Layout:
        """Layout of the input pane of all segments."""
        return input_layout(self.policy, self.reference, whole=True)

    @cached_property
    def segment_size(self) -> int:
        """How much of an input vector a segment keeps; its layout is a prefix of the whole."""
        return input_layout(self.policy, self.reference, whole=False).size

    @cached_property
    def counted_size(self) -> int:
        """How much of an input vector a segment keeps, come what may."""
        return len(counted_fields(self.policy))

    @cached_property
    def asks(self) -> bool:
        """Whether a prediction itself may be a reason to ask for its review."""
        review = self.policy.review
        return bool(review.flagged or review.uncertain or review.audit)

    @cached_property
    def has_extras(self) -> bool:
        """Whether anything is done with rows that is given up first."""
        return self.asks or bool(self.embeddings) or "repeats" in self.inputs

    @cached_property
    def labels(self) -> Layout:
        """Layout of the label pane."""
        return layout(self.outcome, self.policy)

    @cached_property
    def slices(self) -> tuple[str, ...]:
        """Keys of segments and groups, in the order in which routes have them."""
        return tuple(self.policy.slices)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Sources of feedback that are counted apart."""
        return sources_of(self.policy)

    @cached_property
    def edges(self) -> Floats:
        """Inner edges of the score histogram."""
        return score_edges(self.reference)

    @cached_property
    def shares_truth(self) -> bool:
        """Whether the truth of the answer that was served is that of its shadows."""
        return self.policy.task in SHARED

    @cached_property
    def pairs(self) -> bool:
        """Whether a shadow and the answer that was served are right or wrong."""
        return self.policy.task in PAIRED

    @cached_property
    def sample(self) -> float:
        """Share of predictions that wait for a label."""
        return self.policy.join.sample

    @cached_property
    def dedupe_ms(self) -> int:
        """How long a prediction that waits for no label is kept, past its time."""
        return self.policy.dedupe.horizon_ms

    @cached_property
    def least_kept_ms(self) -> int:
        """How long any prediction is kept, past its time, at least."""
        return min(self.kept_ms, self.dedupe_ms) if self.sample < 1.0 else self.kept_ms

    def pane(self, time_ms: int) -> int:
        """Start of the pane of a time."""
        return time_ms - time_ms % self.pane_ms

    def window_end(self, time_ms: int) -> int:
        """End of the window of a time."""
        return time_ms - time_ms % self.window_ms + self.window_ms


Spell: TypeAlias = tuple[int, int, Plan]
"""A plan, after the times from which on and before which it holds."""


class Plans:
    """Plans of every model, from the control records."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._plans: dict[tuple[str, str], Plan] = {}

    def at(self, model: str, time_ms: int) -> Plan | None:
        """The plan for a row, None while the model has no policy."""
        activation = self._control.active(model, time_ms)
        if activation is None:
            return None
        plan = self.of(activation.policy, activation.reference or "")
        # By mistake an activation may name the policy of another model.
        return None if plan is None or plan.policy.model != model else plan

    def spells(self, model: str) -> list[Spell]:
        """The plans of a model, one after the other."""
        active = self._control.activations(model)
        ends = [*(each.effective_at_ms for each in active[1:]), MAX_TIME_MS + 1]
        every = [
            (each.effective_at_ms, end_ms, self.of(each.policy, each.reference or ""))
            for each, end_ms in zip(active, ends, strict=False)
        ]
        return [
            (start_ms, end_ms, plan)
            for start_ms, end_ms, plan in every
            if plan is not None and plan.policy.model == model and start_ms < end_ms
        ]

    def longest_kept_ms(self, time_ms: int) -> int | None:
        """How long any model keeps pending predictions at a time; None while there is no model."""
        plans = [self.at(model, time_ms) for model in self._control.models()]
        return max((plan.kept_ms for plan in plans if plan is not None), default=None)

    def policies(self, hashes: Iterable[str]) -> dict[str, Policy]:
        """Policies that rows were read by, and those of some hashes, as far as they are known."""
        known = {hash_: self._control.policy(hash_) for hash_ in hashes}
        found = {hash_: policy for hash_, policy in known.items() if policy is not None}
        return found | {plan.policy_hash: plan.policy for plan in self._plans.values()}

    def in_codes(
        self, models: Sequence[str], codes: Ints, times_ms: Ints
    ) -> tuple[list[Plan | None], Ints]:
        """`at` for n rows, of which row i is of ``models[codes[i]]``.

        Returns
        -------
        The plans, and the place among them of each row's, shape (n,).

        Examples
        --------
        >>> from schemas.policy import Activation, PolicyRecord, Task
        >>> control = Control()
        >>> for window, start_ms in (("5m", 100), ("1h", 200)):
        ...     policy = Policy(model="m", task=Task.BINARY, pane="1m", window=window)
        ...     known = PolicyRecord(hash=policy.hash, policy=policy)
        ...     start = Activation(
        ...         model="m", policy=policy.hash, reference=None, effective_at_ms=start_ms
        ...     )
        ...     for record in (known, start):
        ...         control.apply("policies", record.model_dump_json().encode())
        >>> codes, times_ms = np.array([0, 1, 0, 0]), np.array([100, 150, 200, 50])
        >>> found, which = Plans(control).in_codes(["m", "x"], codes, times_ms)
        >>> [plan and plan.policy.window for plan in found], which.tolist()
        (['5m', None, '1h'], [0, 1, 2, 1])
        """
        if not len(codes):
            return [], np.zeros(0, np.int64)
        first_ms, last_ms = int(times_ms.min()), int(times_ms.max())
        active = self._control.active
        if all(active(model, first_ms) is active(model, last_ms) for model in models):
            return [self.at(model, last_ms) for model in models], codes
        each = [
            self.at(models[code], time_ms)
            for code, time_ms in zip(codes.tolist(), times_ms.tolist(), strict=True)
        ]
        _, which = coded([id(plan) for plan in each])
        return list({id(plan): plan for plan in each}.values()), which

    def of(self, policy_hash: str, reference_hash: str) -> Plan | None:
        """The plan of two hashes, None while one of them is not known."""
        key = (policy_hash, reference_hash)
        if key not in self._plans:
            policy = self._control.policy(policy_hash)
            reference = self._control.reference(reference_hash) if reference_hash else None
            if policy is None or (reference_hash and reference is None):
                return None
            self._plans[key] = Plan(policy, policy_hash, reference, reference_hash)
        return self._plans[key]
