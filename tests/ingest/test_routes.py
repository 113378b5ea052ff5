"""Routes are bounded by the policy, and who finds room follows from the order of the log."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.policy import Policy, Task
from streams.ingest.admit.numbered import REFUSED, marked
from streams.ingest.admit.routes import STRETCH_MS, Route, Routes
from streams.ingest.columns.codes import coded
from streams.ingest.plan import Plan

Row = tuple[str, str | None, str | None, int]
"""Version, two segments, time."""


def plan(**changes: Any) -> Plan:
    """A policy of two keys."""
    policy = Policy(model="m", task=Task.BINARY, segments=["a", "b"], **changes)
    return Plan(policy, policy.hash, None, "")


def numbered(routes: Routes, by: Plan, rows: list[Row]) -> list[tuple[Any, ...]]:
    """The segments of each row, None where it is refused, and the places that were cut."""
    kinds, groups = coded([(version, "baseline", a, b) for version, a, b, _ in rows])
    times_ms = np.array([row[3] for row in rows], np.int64)
    found = routes.find_each([by], np.zeros(len(rows), np.int64), kinds, groups, times_ms)
    cut = []
    for bits in (found.capped, found.long):
        pairs = marked(np.zeros(len(rows), np.int64) if bits is None else bits)
        cut.append(set(zip(*(each.tolist() for each in pairs), strict=True)))
    return [
        (
            None if number == REFUSED else routes[number].segments,
            *(tuple(sorted(place for row, place in each if row == i)) for each in cut),
        )
        for i, number in enumerate(found.routes.tolist())
    ]


def reloaded(routes: Routes) -> Routes:
    """The table of its routes, as after a restart."""
    found = Routes()
    found.load({number: routes[number] for number in range(len(routes))})
    return found


def test_values_beyond_the_bound_share_a_stream_and_say_so() -> None:
    """Those that came first keep theirs; a long value is told apart."""
    routes = Routes()
    rows: list[Row] = [("v", "x", "y", 0), ("v", "z", "y", 0), ("v", "x", "b" * 201, 0)]
    assert numbered(routes, plan(max_segments=2), rows) == [
        (("a=x", "b=y"), (), ()),
        (("a=<other>", "b=y"), (0,), ()),
        (("a=x", "b=<other>"), (), (1,)),
    ]


def test_both_values_of_a_row_take_room() -> None:
    """A row does not take more than there is."""
    routes = Routes()
    assert numbered(routes, plan(max_segments=1), [("v", "x", "y", 0)]) == [
        (("a=x", "b=<other>"), (1,), ())
    ]


def test_a_row_of_one_combination_too_many_is_in_no_segment() -> None:
    """It is counted as cut for every key that it has."""
    routes = Routes()
    rows: list[Row] = [("v", "x", None, 0), ("v", "x", "y", 0), ("v", None, "y", 0)]
    rows += [("v", "x", None, 0), ("v", None, None, 0)]
    assert numbered(routes, plan(max_combinations=1), rows) == [
        (("a=x",), (), ()),
        ((), (0, 1), ()),
        ((), (1,), ()),
        (("a=x",), (), ()),
        ((), (), ()),
    ]


def test_new_versions_beyond_the_bound_are_refused_until_the_next_stretch() -> None:
    """Those that are known stay, in every stretch."""
    by = plan(max_versions=2)
    routes = Routes()
    later = STRETCH_MS
    rows: list[Row] = [(f"v{i}", None, None, 0) for i in (1, 2, 3, 1)]
    rows += [("v3", None, None, later), ("v4", None, None, later), ("v5", None, None, later)]
    rows += [("v1", None, None, later)]
    found = [segments for segments, *_ in numbered(routes, by, rows)]
    assert found == [(), (), None, (), (), (), None, ()]


def test_a_deployed_version_always_fits() -> None:
    """Also where many others came before it."""
    routes = Routes(lambda model, version: (model, version) == ("m", "v9"))
    rows: list[Row] = [("v1", None, None, 0), ("v2", None, None, 0), ("v9", None, None, 0)]
    found = [segments for segments, *_ in numbered(routes, plan(max_versions=1), rows)]
    assert found == [(), None, ()]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["v1", "v2", "v3"]),
        st.sampled_from([None, "x", "y", "z"]),
        st.sampled_from([None, "p", "q", "q" * 201]),
        st.sampled_from([0, 1, STRETCH_MS, 2 * STRETCH_MS]),
    ),
    max_size=30,
)


@given(
    ROWS,
    st.sets(st.integers(0, 30)),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(1, 3),
)
def test_where_batches_end_changes_nothing(
    rows: list[Row], cuts: set[int], segments: int, combinations: int, versions: int
) -> None:
    """Nor does a restart after each of them."""
    by = plan(max_segments=segments, max_combinations=combinations, max_versions=versions)
    together = numbered(Routes(), by, rows)
    routes, apart = Routes(), []
    ends = [0, *sorted(cut for cut in cuts if 0 < cut < len(rows)), len(rows)]
    for start, end in pairwise(ends):
        apart += numbered(routes, by, rows[start:end])
        routes = reloaded(routes)
    assert apart == together


@pytest.mark.parametrize("keys", ["values", "combinations", "versions"])
def test_no_stream_of_names_makes_more_routes_than_the_policy_allows(keys: str) -> None:
    """A hundred thousand names, in batches as they come."""
    by = plan(max_segments=20, max_combinations=50, max_versions=10)
    routes = Routes()
    rng = np.random.default_rng(1)
    for batch in range(20):
        names = [f"{batch}-{i}" for i in range(5_000)]
        few = rng.integers(8, size=(5_000, 2)).tolist()
        kept: dict[str, list[Row]] = {
            "values": [("v", name, None, 0) for name in names],
            "combinations": [(f"v{i % 9}", f"x{a}", f"y{b}", 0) for i, (a, b) in enumerate(few)],
            "versions": [(name, None, None, 0) for name in names],
        }
        rows = kept[keys]
        kinds, groups = coded([(version, "baseline", a, b) for version, a, b, _ in rows])
        zeros = np.zeros(len(rows), np.int64)
        routes.find_each([by], zeros, kinds, groups, zeros)
    most = {"values": 20 + 1, "combinations": 50 + 9, "versions": 10}
    assert len(routes) == most[keys]


def test_a_route_is_known_by_all_but_its_time() -> None:
    """The time says in which stretch it was new."""
    routes = Routes()
    rows: list[Row] = [("v", "x", None, 5), ("v", "x", None, 7)]
    numbered(routes, plan(), rows)
    (route,) = routes.new().values()
    assert route == Route("m", "v", "baseline", ("a=x",), plan().policy_hash, "", 5)
