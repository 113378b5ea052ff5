"""Cohorts: plans whose panes are alike, so that rows of many models are summed at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from detectors.inputs import Features, input_layout
from detectors.summary import Floats, Ints
from streams.ingest.admit.block import Block
from streams.ingest.plan import Plan

ALONE = 1_000
"""From so many rows of one plan on, looking each one's plan up costs more than it saves."""


@dataclass(frozen=True)
class Cohort:
    """Plans of one `shape_of`, and what differs between them as a column for each."""

    plans: tuple[Plan, ...]

    @property
    def first(self) -> Plan:
        """For what is the same under all of them: layouts, and how answers are packed."""
        return self.plans[0]

    @cached_property
    def features(self) -> Features:
        """The features as they are summed."""
        return Features(self.first.inputs, [plan.features for plan in self.plans])

    @cached_property
    def edges(self) -> Floats:
        """Inner edges of the score histograms, shape (edges, plans)."""
        return np.stack([plan.edges for plan in self.plans], axis=1)

    @cached_property
    def limits_ms(self) -> Floats:
        """Latency above which a row is over the budget, shape (plans,); infinite without one."""
        budgets = [plan.policy.budgets.latency for plan in self.plans]
        return np.array([np.inf if one is None else one.limit_ms for one in budgets])

    @cached_property
    def pane_ms(self) -> Ints:
        """Length of a pane, shape (plans,)."""
        return np.array([plan.pane_ms for plan in self.plans], np.int64)

    def starts_ms(self, times_ms: Ints, which: Ints | None) -> Ints:
        """Start of the pane of each of n rows."""
        lengths = self.pane_ms if which is None else self.pane_ms[which]
        return times_ms - times_ms % lengths


class Member(NamedTuple):
    """Rows of a block that are summed at once: ``which`` is the place of each one's plan in the
    cohort, None if it has only one."""

    cohort: Cohort
    rows: Ints
    which: Ints | None


class Cohorts:
    """The cohorts of the plans that rows were read by."""

    def __init__(self) -> None:
        self._shapes: dict[bytes, int] = {}
        self._members: list[list[Plan]] = []
        self._cohorts: dict[int, Cohort] = {}
        self._places: dict[int, tuple[int, int]] = {}
        self._single: dict[int, Cohort] = {}

    def alone(self, plan: Plan) -> Cohort:
        """A cohort of one plan."""
        if id(plan) not in self._single:
            self._single[id(plan)] = Cohort((plan,))
        return self._single[id(plan)]

    def split(self, block: Block, apart: Collection[str]) -> list[Member]:
        """Rows by cohort, in order of the first; the policies ``apart``, by hash, and plans of many
        rows are cohorts of their own."""
        if not len(block):
            return []
        plans = block.plans
        counts = np.bincount(block.which, minlength=len(plans)).tolist()
        if len(plans) == 1:
            return [Member(self.alone(plans[0]), np.arange(len(block)), None)]
        single = [
            n >= ALONE or plan.policy_hash in apart for plan, n in zip(plans, counts, strict=True)
        ]
        places = [
            (-1 - i, 0) if single[i] or not counts[i] else self._place(plan)
            for i, plan in enumerate(plans)
        ]
        shape, place = np.array(places, np.int64)[block.which].T
        found = []
        for rows in _runs(shape):
            number, which = int(shape[rows[0]]), place[rows]
            plan = plans[int(block.which[rows[0]])]
            if number < 0 or (which == which[0]).all():
                found.append(Member(self.alone(plan), rows, None))
            else:
                found.append(Member(self._cohort(number), rows, which))
        return sorted(found, key=lambda member: int(member.rows[0]))

    def _place(self, plan: Plan) -> tuple[int, int]:
        """The number of a plan's cohort, and its place in it."""
        known = self._places.get(id(plan))
        if known is None:
            number = self._shapes.setdefault(shape_of(plan), len(self._shapes))
            if number == len(self._members):
                self._members.append([])
            known = self._places[id(plan)] = number, len(self._members[number])
            self._members[number].append(plan)
            self._cohorts.pop(number, None)
        return known

    def _cohort(self, number: int) -> Cohort:
        if number not in self._cohorts:
            self._cohorts[number] = Cohort(tuple(self._members[number]))
        return self._cohorts[number]


def shape_of(plan: Plan) -> bytes:
    """A digest of what plans must have in common for their rows to be summed at once.

    Examples
    --------
    >>> from schemas.policy import Policy, Task
    >>> one, other, third = (
    ...     shape_of(Plan(Policy(model=name, task=task, pane=pane), "", None, ""))
    ...     for name, task, pane in (
    ...         ("a", Task.BINARY, "1m"), ("b", Task.BINARY, "1h"), ("c", Task.CHAT, "1m")
    ...     )
    ... )
    >>> one == other, one == third
    (True, False)
    """
    policy, reference = plan.policy, plan.reference
    known = reference is not None and (reference.classes or plan.embeddings)
    # Not the plan's own layout: of a plan that is never alone, nobody needs that.
    fields = input_layout(policy, reference, whole=True).fields
    shape = (
        policy.task.value,
        policy.labels.positive,
        None if reference is None else reference.quantiles,
        # Classes and embeddings are each reference's own.
        plan.reference_hash if known else "",
        [(field.name, field.size) for field in fields],
        plan.segment_size,
        [feature.shape for feature in plan.features],
    )
    return blake2b(repr(shape).encode(), digest_size=16).digest()


def _runs(codes: Ints) -> Sequence[Ints]:
    """The rows of each code, ascending."""
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
