"""Sums and cells are two ways to the same panes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.inputs import Features, features_of, input_layout
from detectors.numeric import numbers_of
from detectors.summary import CellBuilder, scatter
from detectors.sums import MOST_ROWS, Sums
from schemas.policy import FeatureContract, FeatureType, Policy, Task
from schemas.profiling import build as profile

POLICY = Policy(
    model="m",
    task=Task.BINARY,
    features={
        "age": FeatureContract(min=18, max=99, max_mean=60),
        "free": FeatureContract(),
        "quiet": FeatureContract(drift=False),
        "kind": FeatureContract(type=FeatureType.CATEGORICAL, categories=["a", "b"]),
    },
)
REFERENCE = profile(
    "m",
    {"age": list(range(20, 80)), "quiet": [1.5, 2.5] * 30, "kind": ["a", "b"] * 30},
    source="test",
)
LAYOUT = input_layout(POLICY, REFERENCE, whole=True)

values = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.integers(-(10**320), 10**320),
    st.integers(15, 105),
    st.floats(allow_nan=False, allow_infinity=False),
)
rows = st.lists(st.tuples(st.integers(0, 4), *[values] * 4), max_size=30)


@given(rows, st.sampled_from([0, 1, 20]))
def test_sums_are_those_of_cells(given_rows: list[tuple[Any, ...]], apart: int) -> None:
    """Bit for bit, whatever values come, and whichever of one, few or many panes they go to."""
    features = Features(LAYOUT, [features_of(POLICY, REFERENCE)])
    groups = np.array([apart * row[0] for row in given_rows], np.int64)
    n_groups = 4 * apart + 1
    numbers = numbers_of([v for row in given_rows for v in row[1:4]], 3)
    words = [[row[4] for row in given_rows]]
    cells, sums = CellBuilder(LAYOUT), Sums(LAYOUT, groups, n_groups)
    for build in (cells, sums):
        features.add(build, numbers, words)
        build.ones("n", np.arange(len(given_rows)))
    plus = np.ones(len(given_rows), np.int64)
    assert np.array_equal(sums.sums, scatter(cells.build(), groups, plus, n_groups, LAYOUT.size))


@given(rows)
def test_no_split_changes_a_sum(given_rows: list[tuple[Any, ...]]) -> None:
    """One batch or one row at a time."""
    features = Features(LAYOUT, [features_of(POLICY, REFERENCE)])

    def summed(some: list[tuple[Any, ...]]) -> Any:
        sums = Sums(LAYOUT, np.zeros(len(some), np.int64), 1)
        numbers = numbers_of([v for row in some for v in row[1:4]], 3)
        features.add(sums, numbers, [[row[4] for row in some]])
        return sums.sums

    one_by_one = sum((summed([row]) for row in given_rows), start=summed([]))
    assert np.array_equal(summed(given_rows), one_by_one)


def test_no_rows_add_nothing() -> None:
    """Whatever type an array of nothing has."""
    nothing = np.array([])
    cells, sums = CellBuilder(LAYOUT), Sums(LAYOUT, np.zeros(2, np.int64), 1)
    for build in (cells, sums):
        build.ones("age:hist", np.array([], np.int64), nothing)
    assert not cells.build().rows.size
    assert not sums.sums.any()


def test_too_many_rows_are_refused() -> None:
    """Beyond this a float could round a sum."""
    groups = np.zeros(MOST_ROWS + 1, np.int8)
    with pytest.raises(ValueError, match=str(MOST_ROWS)):
        Sums(LAYOUT, groups, 1)
