"""Known routes: those of kinds that have been seen before, looked up for all rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from detectors.summary import Ints
from streams.ingest.decode.rows import Kind
from streams.ingest.plan import Plan

UNKNOWN = -1
"""Stands for the route of a kind that has not been seen."""

_WIDTH = 1 << 32


class KnownRoutes:
    """Numbers of routes by plan and kind, sorted by the numbers of both.

    Examples
    --------
    >>> from schemas.policy import Policy, Task
    >>> plan = Plan(Policy(model="m", task=Task.BINARY), "policy", None, "")
    >>> known, kinds = KnownRoutes(), [("v1", "baseline"), ("v2", "baseline")]
    >>> known.add([(plan, kinds[1], 7)])
    >>> known.find([plan], np.zeros(3, np.int64), kinds, np.array([0, 1, 1])).tolist()
    [-1, 7, 7]
    """

    def __init__(self) -> None:
        self._plans: dict[tuple[str, str], int] = {}
        self._kinds: dict[Kind, int] = {}
        self._codes: Ints = np.zeros(0, np.int64)
        self._routes: Ints = np.zeros(0, np.int64)

    def add(self, found: Iterable[tuple[Plan, Kind, int]]) -> None:
        """Remember the routes of kinds under plans."""
        codes, routes = [], []
        for plan, kind, route in found:
            of_plan = self._plans.setdefault(_key(plan), len(self._plans))
            codes.append(of_plan * _WIDTH + self._kinds.setdefault(kind, len(self._kinds)))
            routes.append(route)
        every = np.concatenate((self._codes, np.array(codes, np.int64)))
        self._codes, first = np.unique(every, return_index=True)
        self._routes = np.concatenate((self._routes, np.array(routes, np.int64)))[first]

    def find(self, plans: Sequence[Plan], which: Ints, kinds: Sequence[Kind], groups: Ints) -> Ints:
        """The route of each of n rows; row i is of ``kinds[groups[i]]`` under
        ``plans[which[i]]``."""
        if not len(self._codes):
            return np.full(len(groups), UNKNOWN)
        of_plans = np.array([self._plans.get(_key(plan), -1) for plan in plans], np.int64)
        of_kinds = np.array([self._kinds.get(kind, -1) for kind in kinds], np.int64)
        if len(plans) * len(kinds) <= len(groups):
            return self._routes_of(of_plans[:, None], of_kinds)[which, groups]
        return self._routes_of(of_plans[which], of_kinds[groups])

    def _routes_of(self, of_plan: Ints, of_kind: Ints) -> Ints:
        """The routes of numbers of plans and kinds, which are broadcast."""
        codes = np.where((of_plan < 0) | (of_kind < 0), -1, of_plan * _WIDTH + of_kind)
        places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(self._codes[places] == codes, self._routes[places], UNKNOWN)


def _key(plan: Plan) -> tuple[str, str]:
    return plan.policy_hash, plan.reference_hash
