"""Routes: the streams that a row belongs to, interned as small numbers.

What events name is theirs to choose, so a policy bounds how many routes it makes. Values of
segments beyond ``max_segments`` share the stream `OTHER`; a row of a new combination beyond
``max_combinations`` counts in no segment, only in the stream of all; new versions beyond
``max_versions`` are refused. Combinations and versions are those that are new in a stretch of 30
days of event time, so that those of last year take no room. Who finds room follows from the order
of the log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import numpy as np

from detectors.summary import Ints
from schemas.summaries import OTHER
from streams.ingest.admit.known_routes import UNKNOWN, KnownRoutes
from streams.ingest.admit.numbered import REFUSED, Found, Numbered
from streams.ingest.columns.codes import crossed, first_of
from streams.ingest.decode.rows import Kind
from streams.ingest.plan import Plan, Plans

MAX_LENGTH = 200
"""Longest value of a segment or group, in characters: it is repeated with every pane."""

STRETCH_MS = 30 * 86_400_000
"""New combinations and versions are counted in stretches of event time of this length."""


class Route(msgspec.Struct, frozen=True):
    """Who made a prediction, under which policy, and in which segments and groups
    (``key=value``). ``since_ms`` is the time of the first row."""

    model: str
    version: str
    arm: str
    segments: tuple[str, ...]
    policy: str
    reference: str
    since_ms: int = 0

    @property
    def stretch(self) -> int:
        """The stretch in which it was new."""
        return self.since_ms // STRETCH_MS


_Identity: TypeAlias = tuple[str, str, str, tuple[str, ...], str, str]


class Routes:
    """An append-only table of routes; its growth is part of the checkpoint.

    Parameters
    ----------
    deployed
        Whether a deployment names a version of a model: such a version is always let in.
    """

    def __init__(self, deployed: Callable[[str, str], bool] = lambda model, version: False) -> None:
        self._deployed = deployed
        self._routes: list[Route] = []
        self._numbers: dict[_Identity, int] = {}
        self._values: defaultdict[str, set[str]] = defaultdict(set)
        self._versions: defaultdict[str, set[str]] = defaultdict(set)
        self._new_versions: Counter[tuple[str, int]] = Counter()
        self._new_combinations: Counter[tuple[str, str, str, int]] = Counter()
        self._known = KnownRoutes()
        self._saved = 0

    def __getitem__(self, number: int) -> Route:
        return self._routes[number]

    def __len__(self) -> int:
        return len(self._routes)

    def find(self, plan: Plan, kind: Kind, time_ms: int) -> Found:
        """The route of a kind of rows: version, arm, and the values of the policy's slices."""
        version, arm, *values = kind
        if version is None or arm is None:
            raise ValueError(f"a row without version or arm has no route: {kind}")
        if not self._lets_in(plan, version, time_ms):
            return Found(REFUSED)
        known = self._values[plan.policy.model]
        room = plan.policy.max_segments - len(known)
        segments: list[str] = []
        capped = long = 0
        for place, (key, value) in enumerate(zip(plan.slices, values, strict=True)):
            if value is None:
                continue
            segment = f"{key}={value}"
            if len(value) > MAX_LENGTH:
                long |= 1 << place
            elif segment not in known:
                if room > 0:
                    room -= 1
                else:
                    capped |= 1 << place
            segments.append(f"{key}={OTHER}" if (long | capped) >> place else segment)
        route = _route(plan, version, arm, tuple(segments), time_ms)
        number = self._numbers.get(_identity(route))
        if number is not None:
            return Found(number, capped, long)
        if not segments or self._has_room(plan, route):
            return Found(self._append(route), capped, long)
        present = sum(1 << place for place, value in enumerate(values) if value is not None)
        whole = _route(plan, version, arm, (), time_ms)
        number = self._numbers.get(_identity(whole))
        return Found(self._append(whole) if number is None else number, present & ~long, long)

    def find_each(
        self,
        plans: Sequence[Plan],
        which: Ints,
        kinds: Sequence[Kind],
        groups: Ints,
        times_ms: Ints,
    ) -> Numbered:
        """`find` for rows, once for each kind under each plan.

        What finds no room is looked up anew in each call: the segments of a model may fill up
        under another plan. So a model must not have two plans here.

        Parameters
        ----------
        plans, which
            Plans that slice by the same keys, and the place of each row's, shape (n,).
        kinds, groups
            Kinds in order of their first row, and the place of each row's, shape (n,).
        times_ms
            Shape (n,).
        """
        routes = self._known.find(plans, which, kinds, groups)
        new = np.flatnonzero(routes == UNKNOWN)
        if not new.size:
            return Numbered(routes)
        found = self._find_new(plans, which[new], kinds, groups[new], times_ms[new])
        if new.size == len(routes):
            return found
        old = np.flatnonzero(routes != UNKNOWN)
        return Numbered.together(len(routes), [(old, Numbered(routes[old])), (new, found)])

    def _find_new(
        self,
        plans: Sequence[Plan],
        which: Ints,
        kinds: Sequence[Kind],
        groups: Ints,
        times_ms: Ints,
    ) -> Numbered:
        """`find_each`, of kinds that have not been seen or have not found room."""
        stretches = times_ms // STRETCH_MS
        if (stretches != stretches[:1]).any():
            # What finds no room in one stretch may find it in the next, and is known from then on.
            crosses = list(zip(which.tolist(), groups.tolist(), strict=True))
            first = places = np.arange(len(groups))
        else:
            crosses, places = crossed([(range(len(plans)), which), (range(len(kinds)), groups)])
            first = first_of(places, len(crosses))
        pairs = [(plans[place], kinds[group]) for place, group in crosses]
        found = [
            self.find(plan, kind, time_ms)
            for (plan, kind), time_ms in zip(pairs, times_ms[first].tolist(), strict=True)
        ]
        # What has found room keeps it.
        self._known.add(
            (plan, kind, one.number)
            for (plan, kind), one in zip(pairs, found, strict=True)
            if one.number != REFUSED and not one.capped and not one.long
        )
        return Numbered.of(found, places)

    def plan_of(self, number: int, plans: Plans) -> Plan:
        """The plan under which the rows of a route were read.

        Raises
        ------
        LookupError
            If its policy or reference is no longer in the log.
        """
        route = self._routes[number]
        plan = plans.of(route.policy, route.reference)
        if plan is None:
            raise LookupError(f"policy {route.policy} of {route.model} is gone from the log")
        return plan

    def new(self) -> dict[int, Route]:
        """Routes added since the last call."""
        added = {i: self._routes[i] for i in range(self._saved, len(self._routes))}
        self._saved = len(self._routes)
        return added

    def load(self, routes: dict[int, Route]) -> None:
        """Restore the table."""
        for number in sorted(routes):
            self._append(routes[number])
        self._saved = len(self._routes)

    def _append(self, route: Route) -> int:
        number = self._numbers[_identity(route)] = len(self._routes)
        self._routes.append(route)
        self._values[route.model].update(
            segment for segment in route.segments if not segment.endswith(f"={OTHER}")
        )
        if route.version not in self._versions[route.model]:
            self._versions[route.model].add(route.version)
            self._new_versions[route.model, route.stretch] += 1
        if route.segments:
            self._new_combinations[_combinations(route)] += 1
        return number

    def _lets_in(self, plan: Plan, version: str, time_ms: int) -> bool:
        """Whether a version is known, finds room, or is deployed."""
        model = plan.policy.model
        return (
            version in self._versions[model]
            or self._new_versions[model, time_ms // STRETCH_MS] < plan.policy.max_versions
            or self._deployed(model, version)
        )

    def _has_room(self, plan: Plan, route: Route) -> bool:
        """Whether one more combination may be new."""
        return self._new_combinations[_combinations(route)] < plan.policy.max_combinations


def _route(plan: Plan, version: str, arm: str, segments: tuple[str, ...], time_ms: int) -> Route:
    model, policy, reference = plan.policy.model, plan.policy_hash, plan.reference_hash
    return Route(model, version, arm, segments, policy, reference, time_ms)


def _identity(route: Route) -> _Identity:
    """All but the time."""
    return (
        route.model,
        route.version,
        route.arm,
        route.segments,
        route.policy,
        route.reference,
    )


def _combinations(route: Route) -> tuple[str, str, str, int]:
    """What a combination counts towards."""
    return route.model, route.policy, route.reference, route.stretch
