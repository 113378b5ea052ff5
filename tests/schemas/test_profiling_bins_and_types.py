"""A reference profile says what the rows say, in bins that windows can count into."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.outcomes.contract import text
from schemas.errors import ProfileError
from schemas.policy import FeatureType
from schemas.profiling import build, categorical_reference, category, numeric_reference
from schemas.reference import NumericReference, ReferenceProfile


def numeric(values: Sequence[object], *, bins: int = 20) -> NumericReference:
    """The numeric reference of values that have one."""
    found = numeric_reference("x", values, bins=bins)
    assert found is not None
    return found


numbers = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, -0.0, 1e-300, -999.0]),
    st.floats(-1e100, 1e100),
    st.sampled_from([float("nan"), float("inf"), 10**400]),
)


@settings(max_examples=300, deadline=None)
@given(values=st.lists(numbers, min_size=1, max_size=300), bins=st.integers(2, 30))
def test_every_number_lies_in_a_bin_and_no_bin_is_empty(values: list[object], bins: int) -> None:
    """Counts are those of a search in the edges; only a constant has empty bins beside it."""
    found = numeric_reference("x", values, bins=bins)
    kept = [
        float(value)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e200
    ]
    if found is None:
        assert kept == []
        return
    places = np.searchsorted(found.edges, kept, "right")
    assert found.counts == np.bincount(places, minlength=len(found.counts)).tolist()
    assert (found.n, found.missing) == (len(kept), len(values) - len(kept))
    assert found.min == min(kept)
    assert found.max == max(kept)
    if found.min == found.max:
        assert found.counts == [0, len(kept), 0]
    else:
        assert min(found.counts) > 0
        assert len(found.counts) <= 2 * bins


def test_quantile_bins_are_equally_full() -> None:
    """20,000 continuous values in 20 bins: 1,000 each."""
    values = np.random.default_rng(7).normal(size=20_000)
    found = numeric(values.tolist())
    assert found.counts == [1_000] * 20
    assert found.mean == pytest.approx(values.mean())
    assert found.sd == pytest.approx(values.std())


def test_values_that_fill_a_bin_get_one_of_their_own() -> None:
    """Zeros and a sentinel do not hide among their neighbours."""
    light = np.random.default_rng(7).uniform(1, 2, size=6_000).tolist()
    found = numeric([*light, *[0.0] * 3_000, *[-999.0] * 1_000], bins=20)
    assert found.counts[:2] == [1_000, 3_000]
    assert found.edges[0] == 0.0
    assert found.edges[1] == np.nextafter(0.0, 1)
    assert np.ptp(found.counts[2:]) <= 1
    assert len(found.counts) == 20


def test_two_values_make_two_bins() -> None:
    """A flag as a number has no bin that nothing can fall into."""
    found = numeric([0, 1, 1, 0, 1])
    assert (found.edges, found.counts) == ([1.0], [2, 3])


def test_few_rows_get_coarse_bins() -> None:
    """Fifty rows a bin, at least; two bins, at least."""
    assert len(numeric(list(range(500))).counts) == 10
    assert len(numeric(list(range(99))).counts) == 2
    assert numeric([5]).edges == [5.0, np.nextafter(5.0, 6)]


def test_a_constant_shows_when_it_is_left() -> None:
    """Values below and above a constant have bins of their own."""
    found = numeric([3] * 100)
    assert found.counts == [0, 100, 0]
    assert np.searchsorted(found.edges, [2.9, 3.0, 3.1], "right").tolist() == [0, 1, 2]
    assert found.sd == 0


def test_categories_are_named_as_windows_count_them() -> None:
    """The profile and the pipeline say the same word for the same value."""
    for value in (True, False, 0, 1, 3.0, -2.5, 1e300, "DE", "", "true", None):
        assert category(value) == text(value)


def test_rare_categories_count_together() -> None:
    """The most frequent are kept, equals in order of name."""
    found = categorical_reference(["b", "a", "c", "c", None, float("nan")], max_categories=2)
    assert (found.categories, found.counts) == (["c", "a"], [2, 1, 1])
    assert (found.n, found.missing) == (4, 2)


def test_types_are_told_from_values_or_given() -> None:
    """Truth values and texts are categories, numbers numeric; a given type wins."""
    columns: dict[str, Sequence[object]] = {
        "amount": [1, 2.5, None],
        "new": [True, False, None],
        "country": ["DE", None, "FR"],
        "mixed": [1, "x", None],
        "code": [1, 2, 2],
        "empty": [None, float("nan"), None],
        "array": list(np.array([1.0, np.nan, 2.0])),
    }
    profile = build("m", columns, types={"code": FeatureType.CATEGORICAL}, source="test")
    assert set(profile.numeric) == {"amount", "array"}
    assert set(profile.categorical) == {"new", "country", "mixed", "code"}
    assert profile.categorical["code"].categories == ["2", "1"]
    assert profile.categorical["new"].categories == ["false", "true"]
    assert profile.feature_type("empty") is None
    assert (profile.n, profile.source) == (3, "test")


def test_a_profile_travels_and_keeps_its_hash() -> None:
    """JSON and back: equal, with an equal hash; the source does not count."""
    rng = np.random.default_rng(1)
    score = rng.uniform(size=500).tolist()
    columns = {"x": rng.normal(size=500).tolist(), "zero": [0.0] * 250 + list(range(250))}
    profile = build("m", columns, score=score, source="a")
    again = ReferenceProfile.model_validate_json(profile.model_dump_json())
    assert again == profile
    assert again.hash == build("m", columns, score=score, source="b").hash
    assert again.hash != build("m", columns, score=score, source="a", bins=5).hash


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "no rows"),
        ({"x": []}, "no rows"),
        ({"x": [1], "y": [1, 2]}, "columns differ in length"),
        ({"x": [None], "y": [float("nan")]}, "no column has a usable value"),
        ({"x": [1e308, 1.7e308]}, "x has numbers near 1.7e"),
    ],
)
def test_rows_that_make_no_profile(columns: dict[str, list[object]], message: str) -> None:
    """The error says what is wrong with the rows."""
    with pytest.raises(ProfileError, match=message):
        build("m", columns)
    with pytest.raises(ProfileError, match="at least 2"):
        build("m", {"x": [1]}, bins=1)
