"""Numbers that are read out of MessagePack are those that one object after the other gives."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.columns.packed import floats_of, integers_of

FIELDS = (0, 1, 2, 15, 16, 40)
"""A map of 16 fields or more has a longer head."""

numbers = st.floats(allow_nan=False, allow_infinity=False)


def kind(fields: int) -> type[msgspec.Struct]:
    names = [f"f{place}" for place in range(fields)]
    # Names of every length of head: up to 31 bytes, up to 255, beyond.
    rename = {name: name + "é" * (place * 40) for place, name in enumerate(names)}
    return msgspec.defstruct(
        "Features", [(name, float | None, None) for name in names], rename=rename
    )


KINDS = {fields: kind(fields) for fields in FIELDS}


@given(st.data(), st.sampled_from(FIELDS), st.integers(1, 40))
def test_numbers_of_structs(data: st.DataObject, fields: int, rows: int) -> None:
    make: Any = KINDS[fields]
    table = data.draw(st.lists(st.tuples(*[numbers] * fields), min_size=rows, max_size=rows))
    found = floats_of([make(*row) for row in table])
    assert found is not None
    np.testing.assert_array_equal(found, np.array(table, np.float64).reshape(rows, fields))


@given(st.integers(1, 40), st.integers(0, 39), st.integers(0, 2))
def test_one_that_is_missing(rows: int, row: int, place: int) -> None:
    make: Any = msgspec.defstruct("Three", [(name, float | None, None) for name in "abc"])
    table = [[0.5, 1.5, 2.5] for _ in range(rows)]
    table[row % rows][place] = None
    assert floats_of([make(*each) for each in table]) is None


@given(
    st.lists(
        st.one_of(
            st.integers(2**32, 2**64 - 1),
            st.integers(-(2**70), 2**70),
            st.text(min_size=8, max_size=8),
        )
    )
)
def test_integers(values: list[int | str]) -> None:
    found = integers_of(values)
    large = all(isinstance(value, int) and 2**32 <= value < 2**64 for value in values)
    if not values or not large:
        assert found is None
    else:
        assert found is not None
        assert found.tolist() == values


@pytest.mark.parametrize("count", [15, 16, 65_535, 65_536])
def test_heads_of_lists_of_every_length(count: int) -> None:
    values = list(range(2**40, 2**40 + count))
    found = integers_of(values)
    assert found is not None
    assert found.tolist() == values
