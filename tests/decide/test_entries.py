"""Panes as packed bytes hold exactly what was added to them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.summary import LIMIT
from schemas.summaries import Part
from streams.decide import merge
from streams.decide.entries import added, densely, packed
from streams.decide.state import State

SIZE = 70_000
PLACES = st.integers(0, 40) | st.integers(0, SIZE - 1) | st.sampled_from([65_535, 65_536])
EDGES = [sign * (1 << bits) - less for bits in (7, 15, 31) for sign in (1, -1) for less in (0, 1)]
AMOUNTS = st.integers(-3, 3) | st.integers(-(1 << 40), 1 << 40) | st.sampled_from(EDGES)
"""Also those at which numbers become wider."""

VECTORS = st.lists(st.lists(st.tuples(PLACES, AMOUNTS), max_size=12), max_size=6)


def plain(vector):
    """What stands at each place that is not empty."""
    sums = Counter()
    for place, amount in vector:
        sums[place] += amount
    return {place: amount for place, amount in sorted(sums.items()) if amount}


def told(entries):
    """The same of entries."""
    return dict(zip(entries.index.tolist(), entries.amounts.tolist(), strict=True))


def columns(vector):
    """Places and amounts, as a delta has them."""
    return [place for place, _ in vector], [amount for _, amount in vector]


@given(VECTORS)
def test_vectors_are_packed_each_by_itself(vectors):
    """In any order, with places that come twice, with zeros, and empty ones between others."""
    found = packed([columns(vector) for vector in vectors])
    assert [told(one) for one in found] == [plain(vector) for vector in vectors]
    for one in found:
        assert list(told(one)) == sorted(told(one))
        assert one.n == len(told(one))


@given(VECTORS)
def test_a_vector_is_as_wide_as_the_largest_of_its_own_needs(vectors):
    """What stands beside it does not make it longer."""
    together = packed([columns(vector) for vector in vectors])
    assert together == [packed([columns(vector)])[0] for vector in vectors]


@given(VECTORS)
def test_entries_add_up(vectors):
    """One after the other as all at once."""
    every = packed([columns(vector) for vector in vectors])
    expected = plain(row for vector in vectors for row in vector)
    total = packed([([], [])])[0]
    for one in every:
        total = added(total, one)
    assert told(total) == expected
    dense = densely(every, SIZE)
    assert {int(i): int(dense[i]) for i in dense.nonzero()[0]} == expected


def test_no_vector_at_all():
    """A batch may only say how far its shard has read."""
    assert packed([]) == []


def test_places_and_amounts_are_as_many():
    """Else the amounts of one pane would count in the next."""
    with pytest.raises(ValueError, match="1 places and 2 amounts"):
        packed([([1], [1, 1]), ([1, 2], [1])])


@pytest.mark.parametrize("sign", [1, -1])
def test_too_many_rows_are_refused(sign):
    """Before a sum can wrap around."""
    most = sign * (LIMIT - 1)
    first, second = packed([([3], [most]), ([3], [sign])])
    for add in (lambda: added(first, second), lambda: densely([first, second], 4)):
        with pytest.raises(OverflowError, match="choose a shorter pane"):
            add()
    for places, amounts in (([3, 3], [most, sign]), ([3], [-(1 << 63)]), ([3] * 4, [1 << 61] * 4)):
        with pytest.raises(OverflowError, match="choose a shorter pane"):
            packed([([2], [1]), (places, amounts)])


def test_parts_of_inputs_and_of_labels_are_summed_apart(world):
    """Also where no pane has the part that does not belong."""
    there = world()
    window = merge.pane_key(there.deltas(0, n=3)[0])
    with pytest.raises(ValueError, match="sum them apart"):
        merge.total(State(), window, there.whole, (Part.INPUT, Part.LABEL))
