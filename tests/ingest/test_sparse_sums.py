"""Sparse sums are a dict of sums."""

from __future__ import annotations

from collections import defaultdict
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.summary import LIMIT, Cells
from streams.ingest.panes import sparse_sums
from streams.ingest.panes.sparse_sums import SparseSums

cells = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(-9, 9)), max_size=12)
panes = st.lists(st.lists(st.integers(0, 4), unique=True), min_size=3, max_size=3)


def columns_of(entries: list[tuple[int, int, int]]) -> Cells:
    table = np.array(entries, np.int64).reshape(-1, 3)
    return Cells(*table.T)


@given(st.lists(st.tuples(panes, cells), max_size=12), st.integers(0, 30), st.integers(1, 5))
def test_they_sum_like_a_dict(
    additions: list[tuple[list[list[int]], list[tuple[int, int, int]]]], least: int, most: int
) -> None:
    """However often it is sorted meanwhile; nothing is left once it has been taken."""
    known: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    with (
        patch.object(sparse_sums, "LEAST", least),
        patch.object(sparse_sums, "MOST_ADDITIONS", most),
    ):
        held = SparseSums()
        for numbers, entries in additions:
            held.add(numbers, columns_of(entries))
            for row, column, value in entries:
                for number in numbers[row]:
                    known[number][column] += value
        found = held.take()
    entries_of = {
        number: sorted((place, value) for place, value in each.items() if value)
        for number, each in known.items()
    }
    assert {number: list(zip(*each, strict=True)) for number, each in found.items()} == {
        number: each for number, each in entries_of.items() if each
    }
    assert held.take() == {}
    assert held.nbytes == 0


def test_what_is_held_is_counted_and_shrinks_when_equal_entries_are_added_up() -> None:
    """Many additions to one entry take no more room than a bounded number of them."""
    held = SparseSums()
    for _ in range(10 * sparse_sums.MOST_ADDITIONS):
        held.add([[1]], columns_of([(0, 7, 1)]))
        assert 0 < held.nbytes <= 16 * (sparse_sums.MOST_ADDITIONS + 1)
    assert held.take() == {1: ([7], [10 * sparse_sums.MOST_ADDITIONS])}


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_beyond_the_limit_is_refused(sign: int) -> None:
    """Before it wraps around."""
    held = SparseSums()
    with pytest.raises(OverflowError, match="shorter pane"):
        for _ in range(LIMIT >> 50):
            held.add([[1]], columns_of([(0, 7, sign << 51)]))
