"""What input panes keep of answers, and what a reference learns from them."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from detectors.answers import (
    Answers,
    Items,
    PredictedClasses,
    answers_of,
    item_lists,
    with_answers,
)
from detectors.inputs import NumericFeature, input_layout
from detectors.numeric import NumericFeatures, numbers_of
from detectors.outcomes import Multiclass, Outcome, Ranking
from detectors.quantities import Sums, sums_of
from detectors.summary import CellBuilder, Ints, Layout, merge, scatter
from schemas.policy import FeatureContract, Policy, Task
from schemas.predictions import Output
from schemas.reference import CategoricalReference, ReferenceProfile

KNOWN = CategoricalReference(n=9, missing=0, categories=["cat", "dog"], counts=[5, 3, 1])


def pane_of(kept: Answers, outcome: Outcome, answers: Sequence[Output]) -> tuple[Layout, Ints]:
    """Sums of some answers and their layout."""
    fields = Layout(kept.fields(whole=True))
    build = CellBuilder(fields)
    kept.add(build, outcome.pack(answers))
    rows = np.zeros(len(answers), np.int64)
    return fields, scatter(build.build(), rows, rows + 1, 1, fields.size)[0]


def test_predicted_classes_are_counted_by_name() -> None:
    """The best class counts; unknown ones share the last bin; no class, no count."""
    answers = [
        Output(scores={"cat": 0.7, "dog": 0.3}),
        Output(label="dog", score=0.5),
        Output(scores={"cow": 0.9, "cat": 0.1}),
        Output(),
    ]
    fields, pane = pane_of(PredictedClasses(KNOWN), Multiclass(), answers)
    assert fields.counts(pane, "class").tolist() == [1, 1, 1]


def test_a_list_counts_once_whatever_its_length() -> None:
    """Its first ten items share it equally; an empty list is counted apart."""
    lists = [[f"i{k}" for k in range(length)] for length in (0, 1, 3, 7, 10, 40)]
    answers = [Output(items=items) for items in lists] + [Output()]
    fields, pane = pane_of(Items(hashed=True), Ranking(), answers)
    held = item_lists(fields, pane)
    assert held.sum() == pytest.approx(5.0, abs=1e-12)
    assert held.max() >= 1 + 1 / 3 + 1 / 7 + 2 / 10 - 1e-12
    assert fields.count(pane, "n_empty") == 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.sampled_from("abcdefghijklm"), unique=True), min_size=1, max_size=20))
def test_items_of_parts_add_up_to_the_whole(lists: list[list[str]]) -> None:
    """Whatever the order: the same bits."""
    kept = Items(hashed=True)
    answers = [Output(items=items) for items in lists]
    _, whole = pane_of(kept, Ranking(), answers)
    total = np.zeros_like(whole)
    for answer in reversed(answers):
        merge(total, pane_of(kept, Ranking(), [answer])[1])
    assert total.tobytes() == whole.tobytes()


def test_answers_are_kept_where_task_and_reference_ask_for_them() -> None:
    """And a segment's fields begin the whole's."""
    profile = ReferenceProfile(model="m", n=9, classes=KNOWN)
    ranked = with_answers(profile, [Output(items=["a"])])
    for task, reference, names in (
        (Task.BINARY, profile, []),
        (Task.MULTICLASS, None, []),
        (Task.MULTICLASS, profile, ["class"]),
        (Task.RANKING, profile, ["n_empty"]),
        (Task.RANKING, ranked, ["n_empty", "items"]),
    ):
        policy = Policy(model="m", task=task)
        kept = answers_of(policy, reference)
        assert [field.name for field in kept.fields(whole=True)] == names
        whole = input_layout(policy, reference, whole=True)
        part = input_layout(policy, reference, whole=False)
        assert whole.fields[: len(part.fields)] == part.fields


def test_a_reference_learns_classes_items_quantiles_and_empty_lists() -> None:
    """From the answers alone; a level counts that every answer with quantiles states."""
    base = ReferenceProfile(model="m", n=3)
    classes = with_answers(base, [Output(scores={"a": 0.9}), Output(label="b")]).classes
    assert classes is not None
    assert dict(zip(classes.categories, classes.counts, strict=False)) == {"a": 1, "b": 1}
    quantiles = [{"0.9": 3.0, "0.1": 1.0, "0.5": 2.0}, {"0.1": 1.0, "0.90": 3.0}, None]
    found = with_answers(base, [Output(value=1.0, quantiles=q) for q in quantiles])
    assert (found.quantiles, found.classes, found.items) == ([0.1, 0.9], None, None)
    lists = with_answers(base, [Output(items=["a", "b"]), Output(items=["a"]), Output(items=[])])
    assert lists.items is not None
    assert (lists.items.n, max(lists.items.shares)) == (2, 0.75)
    assert (lists.outcomes["zero_results"].n, lists.outcomes["zero_results"].sum) == (3, 1.0)
    assert ReferenceProfile.model_validate_json(lists.model_dump_json()) == lists


def test_a_reference_states_quantiles_in_order() -> None:
    """Else counts between them would mean nothing."""
    with pytest.raises(ValueError, match="do not ascend"):
        ReferenceProfile(model="m", n=1, quantiles=[0.9, 0.1])


def test_a_mean_is_summed_in_the_units_of_its_contract() -> None:
    """Values beyond the range count as its ends; missing ones and words do not count."""
    feature = NumericFeature("cost", FeatureContract(min=-2, max=6, max_mean=3), None)
    layout = Layout(feature.fields())
    build = CellBuilder(layout)
    numbers = numbers_of([0, 4.0, 100, -100, None, "much"], 1)
    NumericFeatures(layout, [[feature]]).add(build, *numbers)
    rows = np.zeros(6, np.int64)
    (pane,) = scatter(build.build(), rows, rows + 1, 1, layout.size)
    values = np.array([0.0, 4.0, 6.0, -2.0])
    found = sums_of(layout, pane, "mean", "cost")
    assert found is not None
    assert found.q is not None
    assert (found.n, found.lo, found.hi) == (4, -2, 6)
    assert found.s == pytest.approx(values.sum(), abs=1e-4)
    assert found.q == pytest.approx((values**2).sum(), abs=1e-3)


def test_a_feature_without_a_level_on_its_mean_keeps_no_sum() -> None:
    """Panes hold what the policy asks for."""
    fields = NumericFeature("cost", FeatureContract(min=0, max=1), None).fields()
    assert [field.name for field in fields] == [
        f"cost:{mark}" for mark in ("n", "missing", "invalid", "out")
    ]
    assert sums_of(Layout(fields), Layout(fields).zeros(), "mean", "cost") is None
    assert Sums(0, 0.0).mean is None
