"""Routes: the streams that a row belongs to, interned as small numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from schemas.hot import HotPrediction
from schemas.summaries import OTHER
from streams.ingest.plan import Plan

MAX_LENGTH = 200
"""Longest value of a segment or group, in characters: it is repeated with every pane."""


class Route(msgspec.Struct, frozen=True):
    """Who made a prediction, under which policy, and in which segments and groups
    (``key=value``)."""

    model: str
    version: str
    arm: str
    segments: tuple[str, ...]
    policy: str
    reference: str


class Routes:
    """An append-only table of routes; its growth is part of the checkpoint."""

    def __init__(self) -> None:
        self._routes: list[Route] = []
        self._numbers: dict[Route, int] = {}
        self._values: dict[str, set[str]] = {}
        self._saved = 0

    def __getitem__(self, number: int) -> Route:
        return self._routes[number]

    def number(
        self,
        plan: Plan,
        version: str,
        arm: str,
        segments: Mapping[str, str],
        groups: Mapping[str, str] = MappingProxyType({}),
    ) -> int:
        """Number of a row's route."""
        route = Route(
            plan.policy.model,
            version,
            arm,
            tuple(
                self._segment(plan, key, value)
                for key in plan.policy.slices
                if (value := _value(segments, groups, key)) is not None
            ),
            plan.policy_hash,
            plan.reference_hash,
        )
        number = self._numbers.get(route)
        return self._append(route) if number is None else number

    def number_each(self, plan: Plan, events: Sequence[HotPrediction]) -> list[int]:
        """`number` for rows of one plan, once for each kind of row.

        What is remembered holds for this call only: the segments of a model may fill up under
        another plan.
        """
        columns: list[list[str | None]] = [
            [event.version for event in events],
            [event.arm for event in events],
            *(
                [_value(event.segments, event.groups, key) for event in events]
                for key in plan.policy.slices
            ),
        ]
        kinds = list(zip(*columns, strict=True))
        found: dict[tuple[str | None, ...], int] = {}
        for kind, event in zip(kinds, events, strict=True):
            if kind not in found:
                found[kind] = self.number(
                    plan, event.version, event.arm, event.segments, event.groups
                )
        return [found[kind] for kind in kinds]

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
        self._routes.append(route)
        self._numbers[route] = len(self._routes) - 1
        self._values.setdefault(route.model, set()).update(route.segments)
        return len(self._routes) - 1

    def _segment(self, plan: Plan, key: str, value: str) -> str:
        """`OTHER` stands for values beyond the policy's ``max_segments``, and for long ones."""
        segment = f"{key}={value}"
        known = self._values.get(plan.policy.model, set())
        if len(value) > MAX_LENGTH:
            return f"{key}={OTHER}"
        if segment in known or len(known) < plan.policy.max_segments:
            return segment
        return f"{key}={OTHER}"


def _value(segments: Mapping[str, str], groups: Mapping[str, str], key: str) -> str | None:
    """A row's value of a key; where it is both a segment's and a group's, the segment's."""
    value = segments.get(key)
    return groups.get(key) if value is None else value
