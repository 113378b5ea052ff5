"""Features, score edges and layouts of input panes."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from detectors.categorical import CategoricalFeature, CategoricalFeatures
from detectors.inputs import (
    Feature,
    NumericFeature,
    features_of,
    input_layout,
    score_edges,
)
from detectors.numeric import NumericFeatures, numbers_of
from detectors.summary import CellBuilder, Layout, scatter
from schemas.policy import FeatureContract, FeatureType, Policy, Task
from schemas.reference import CategoricalReference, NumericReference, ReferenceProfile

AGE = NumericReference(
    n=100, missing=0, mean=40, sd=10, min=18, max=90, edges=[30, 50], counts=[30, 40, 30]
)
KIND = CategoricalReference(n=100, missing=0, categories=["a", "true", "3"], counts=[50, 30, 20, 0])
POLICY = Policy(
    model="m",
    task=Task.BINARY,
    features={
        "age": FeatureContract(min=18, max=99),
        "zip": FeatureContract(type=FeatureType.CATEGORICAL, categories=["1", "2"]),
    },
)
REFERENCE = ReferenceProfile(model="m", n=100, numeric={"age": AGE}, categorical={"kind": KIND})


def added(feature: Feature, values: list[Any]) -> tuple[dict[str, list[float]], list[int]]:
    """All fields of the feature by mark, and the rows that break the contract."""
    layout = Layout(feature.fields())
    build = CellBuilder(layout)
    if isinstance(feature, NumericFeature):
        marked = NumericFeatures(layout, [[feature]]).add(build, *numbers_of(values, 1))
    else:
        marked = CategoricalFeatures([feature]).add(build, values)
    rows = np.zeros(len(values), np.int64)
    (pane,) = scatter(build.build(), rows, rows + 1, 1, layout.size)
    found = {f.name.partition(":")[2]: layout.values(pane, f.name).tolist() for f in layout.fields}
    return found, sorted(marked.broken.tolist())


def test_numbers_fall_into_the_bins_of_the_reference() -> None:
    """An inner edge belongs to the bin above it; bins at the ends are open."""
    found, broken = added(NumericFeature("age", FeatureContract(), AGE), [-1e9, 29.9, 30, 50, 1e9])
    assert found["hist"] == [2, 1, 2]
    assert broken == []


def test_moments_are_in_units_of_the_reference_and_clipped() -> None:
    """So that one wild value cannot drown a window."""
    found, _ = added(NumericFeature("age", FeatureContract(), AGE), [50, 20, 1e300, -1e300])
    assert found["s1"] == [1 - 2 + 20 - 20]
    assert found["s2"] == [1 + 4 + 400 + 400]


def test_each_break_of_a_numeric_contract_has_its_count() -> None:
    """Missing is no break; what is no number and what is out of range are."""
    feature = NumericFeature("age", FeatureContract(min=18, max=99), AGE)
    found, broken = added(feature, [None, "42", True, 17.9, 18, 99, 99.1])
    assert [found[m] for m in ("n", "missing", "invalid", "out")] == [[7], [1], [2], [2]]
    assert broken == [1, 2, 3, 6]
    assert found["hist"] == [2, 0, 2]


def test_a_number_too_large_for_a_float_is_out_of_range() -> None:
    """JSON knows such numbers; one must not stop a shard."""
    feature = NumericFeature("age", FeatureContract(min=18, max=99), AGE)
    found, broken = added(feature, [10**400, -(10**400), 40])
    assert (found["out"], found["invalid"], broken) == ([2], [0], [0, 1])
    assert found["hist"] == [1, 1, 1]


def test_categories_are_compared_as_text() -> None:
    """True is "true", 3 and 3.0 are "3"; whatever the reference did not know is "other"."""
    feature = CategoricalFeature("kind", FeatureContract(type=FeatureType.CATEGORICAL), KIND)
    found, broken = added(feature, ["a", True, 3, 3.0, "b", False, None])
    assert found["hist"] == [1, 1, 2, 2]
    assert [found[m] for m in ("n", "missing", "invalid", "out")] == [[7], [1], [0], [0]]
    assert broken == []


def test_a_category_not_in_the_contract_breaks_it() -> None:
    """Numbers may stand for the categories that they spell."""
    contract = FeatureContract(type=FeatureType.CATEGORICAL, categories=["1", "2"])
    found, broken = added(CategoricalFeature("zip", contract, None), ["1", 2, 2.0, "3", None])
    assert (found["out"], found["missing"], broken) == ([1], [1], [3])
    assert "hist" not in found


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)
)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=30))
def test_every_value_is_counted_once(values: list[Any]) -> None:
    """Missing, invalid or in a bin: n is their sum, for every kind of value."""
    for feature in (
        NumericFeature("age", FeatureContract(min=0), AGE),
        CategoricalFeature("kind", FeatureContract(type=FeatureType.CATEGORICAL), KIND),
    ):
        found, broken = added(feature, values)
        parts = found["missing"][0] + found["invalid"][0] + sum(found["hist"])
        assert found["n"] == [len(values)] == [parts]
        assert len(set(broken)) == len(broken)


def test_features_are_those_of_policy_and_reference_together() -> None:
    """In order of name; the contract says the kind, else the reference."""
    found = {f.name: type(f) for f in features_of(POLICY, REFERENCE)}
    assert list(found) == ["age", "kind", "zip"]
    assert found == {"age": NumericFeature, "kind": CategoricalFeature, "zip": CategoricalFeature}
    assert [f.bins for f in features_of(POLICY, REFERENCE)] == [3, 4, 0]
    assert [f.name for f in features_of(POLICY, None)] == ["age", "zip"]


def test_a_segments_layout_is_the_start_of_the_whole() -> None:
    """INGEST cuts segment panes from whole ones by length alone."""
    whole = input_layout(POLICY, REFERENCE, whole=True)
    part = input_layout(POLICY, REFERENCE, whole=False)
    assert whole.fields[: len(part.fields)] == part.fields
    assert part.size < whole.size
    assert not any(":" in field.name for field in part.fields)


def test_score_edges_come_from_the_reference_where_it_has_a_score() -> None:
    """Else they cut [0, 1] into twenty."""
    assert len(score_edges(None)) == len(score_edges(REFERENCE)) == 19
    scored = REFERENCE.model_copy(update={"score": AGE})
    assert score_edges(scored).tolist() == [30, 50]
    assert score_edges(None)[[0, -1]].tolist() == pytest.approx([0.05, 0.95])
