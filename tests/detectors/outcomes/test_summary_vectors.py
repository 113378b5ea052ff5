"""The vector under every pane: rounding, bounds, overflow, and the sparse form."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from detectors.summary import (
    LIMIT,
    SCALE,
    CellBuilder,
    Field,
    Layout,
    dense,
    merge,
    quantise,
    scatter,
    sparse,
)


@given(st.lists(st.floats(-511.999, 511.999), max_size=50))
def test_rounding_is_to_the_nearest_step(values: list[float]) -> None:
    """Off by half a step of 2**-20 at most, whatever the size."""
    steps = quantise(np.array(values, np.float64))
    assert steps.dtype == np.int64
    assert np.all(np.abs(steps / SCALE - np.array(values)) <= 0.5 / SCALE)


@pytest.mark.parametrize("value", [512.0, -512.0, 1e300, np.inf, -np.inf, np.nan])
def test_what_cannot_be_summed_is_refused(value: float) -> None:
    """The message names the value; one bad value among good ones is enough."""
    with pytest.raises(ValueError, match="cannot be summed: clip values") as caught:
        quantise(np.array([1.0, value, 2.0]))
    assert str(value) in str(caught.value)


def test_a_pane_never_overflows_in_silence() -> None:
    """Neither above nor below, and the pane stays as it was."""
    for sign in (1, -1):
        pane = np.array([7, sign * (LIMIT - 1)], np.int64)
        before = pane.copy()
        with pytest.raises(OverflowError, match="shorter pane"):
            merge(pane, np.array([1, sign], np.int64))
        assert pane.tolist() == before.tolist()
        merge(pane, np.array([1, -sign], np.int64))
        assert pane.tolist() == [8, sign * (LIMIT - 2)]


@given(st.lists(st.integers(-5, 5), max_size=40))
def test_the_sparse_form_is_the_vector(values: list[int]) -> None:
    """Zeros are left out and come back."""
    vector = np.array(values, np.int64)
    index, entries = sparse(vector)
    assert 0 not in entries
    assert dense(index, entries, len(values)).tolist() == values


def test_rows_are_summed_by_group_and_sign() -> None:
    """Also where a row adds twice to one entry, and where a group gets nothing."""
    layout = Layout((Field("n"), Field("bins", 3), Field("sum", fixed=True)))
    build = CellBuilder(layout)
    rows = np.arange(4)
    build.ones("n", rows)
    build.ones("bins", rows, np.array([0, 2, 2, 1]))
    build.ones("bins", np.array([1]), 2)
    build.add("sum", rows, quantise(np.array([0.5, 0.25, 0.25, 1.0])))
    groups, signs = np.array([0, 2, 2, 0]), np.array([1, 1, -1, 1])
    panes = scatter(build.build(), groups, signs, 3, layout.size)
    assert layout.counts(panes[0], "bins").tolist() == [1, 1, 0]
    assert layout.total(panes[0], "sum") == 1.5
    assert not panes[1].any()
    assert panes[2].tolist() == [0, 0, 0, 1, 0]
    assert scatter(CellBuilder(layout).build(), groups, signs, 3, layout.size).sum() == 0
