"""Codes are what a dictionary of the values would give, by whichever way they were found."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.columns.codes import coded, crossed, distinct, first_of, ranked

CLOSE, APART = st.integers(0, 9), st.integers(-(2**62), 2**62)
COLUMNS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[st.one_of(CLOSE, APART)] * width), max_size=40)
)


@given(st.lists(st.text(max_size=2)))
def test_coded_and_first_of(values: list[str]) -> None:
    """Values in order of their first, and where each one first was."""
    words, places = coded(values)
    assert words == list(dict.fromkeys(values))
    assert [words[place] for place in places] == values
    assert first_of(places, len(words)).tolist() == [values.index(word) for word in words]


@given(st.one_of(st.lists(CLOSE), st.lists(APART)))
def test_ranked(values: list[int]) -> None:
    """Ascending, whether they lie close together or not."""
    found, places = ranked(np.array(values, np.int64))
    assert found.tolist() == sorted(set(values))
    assert found[places].tolist() == values


@given(st.lists(CLOSE), st.integers(10, 20))
def test_distinct(values: list[int], span: int) -> None:
    """Rows of first values, in order; codes that no row has change nothing."""
    codes = np.array(values, np.int64)
    firsts, places = distinct(codes, span)
    assert codes[firsts].tolist() == list(dict.fromkeys(values))
    assert codes[firsts][places].tolist() == values


@given(COLUMNS)
def test_crossed(rows: list[tuple[int, ...]]) -> None:
    """Distinct rows in order of their first, from columns coded in either way."""
    width = len(rows[0]) if rows else 1
    columns = [[row[place] for row in rows] for place in range(width)]
    expected = coded(rows)
    ranks = [ranked(np.array(column, np.int64)) for column in columns]
    for each in (
        [coded(column) for column in columns],
        [(values.tolist(), places) for values, places in ranks],
    ):
        found, places = crossed(each)
        assert (found, places.tolist()) == (expected[0], expected[1].tolist())


def test_crossing_many_wide_columns_stays_within_integers() -> None:
    """The product of their sizes is beyond 64 bits."""
    column = np.random.default_rng(1).permutation(2_000)
    found, places = crossed([(range(2_000), column)] * 8)
    assert found == [(value,) * 8 for value in column.tolist()]
    assert places.tolist() == list(range(2_000))
