"""Rows of many models that are summed at once count as those of each model by itself."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import hypothesis.strategies as st
from hypothesis import given, settings
from shards import DAY, HOUR, MINUTE, Bench, Event, at_once, in_any_batches

from schemas.policy import (
    Activation,
    Budgets,
    FeatureContract,
    Join,
    Labels,
    LatencyBudget,
    Overload,
    Policy,
    PolicyRecord,
    Review,
    Task,
)
from schemas.reference import CategoricalReference, NumericReference, ReferenceProfile
from streams.ingest.panes import cohorts
from streams.ingest.panes.cohorts import Cohorts, shape_of
from streams.ingest.plan import Plan

T0 = 100 * DAY
NUMBERS = (-5.0, 0.5, 7.0, 40.0)


def reference(model: str, *, shift: float, rare: int = 0) -> ReferenceProfile:
    """A profile whose numbers are the model's own."""
    edges = [shift, shift + 10]
    age = NumericReference(
        n=100, missing=0, mean=shift, sd=4, min=shift - 9, max=shift + 20, edges=edges,
        counts=[30, 40, 30],
    )  # fmt: skip
    score = age.model_copy(update={"edges": [0.1 + shift / 100, 0.6], "mean": 0.3})
    kind = CategoricalReference(
        n=100, missing=0, categories=["a", "b"] if shift else ["b", "c"], counts=[50, 50, rare]
    )
    return ReferenceProfile(
        model=model, n=100, numeric={"age": age}, categorical={"kind": kind}, score=score
    )


def policy(model: str, *, pane: str = "1h", limit_ms: float | None = None, **more: Any) -> Policy:
    latency = None if limit_ms is None else LatencyBudget(limit_ms=limit_ms)
    return Policy(
        model=model,
        pane=pane,
        window="2h",
        lateness="10m",
        labels=Labels(horizon="2d", maturity="6h", lateness="1h"),
        segments=["region"],
        max_segments=2,
        budgets=Budgets(latency=latency),
        **{"task": Task.BINARY, **more},
    )


def contract(low: float, high: float) -> dict[str, FeatureContract]:
    return {"age": FeatureContract(min=low, max=high)}


SAMPLED: dict[str, Any] = {"join": Join(sample=0.5)}

FLEET: tuple[tuple[Policy, ReferenceProfile | None], ...] = (
    (policy("a", limit_ms=20, features=contract(0, 10)), reference("a", shift=0)),
    (policy("b", pane="30m", features=contract(-9, 5)), reference("b", shift=5)),
    (policy("c", limit_ms=60, owner="team"), reference("c", shift=30, rare=1)),
    (policy("d", features={"size": FeatureContract(max=1)}), None),
    (policy("e", task=Task.REGRESSION), None),
    (policy("f", review=Review(audit=0.5)), reference("f", shift=7)),
    (policy("g", **SAMPLED), reference("g", shift=0)),
    (policy("h", pane="30m", **SAMPLED), reference("h", shift=5)),
    (policy("i", overload=Overload(lag="1s")), reference("i", shift=5)),
)
MODELS = tuple(each.model for each, _ in FLEET)


def put_in_force(bench: Bench, at_ms: int, policy: Policy, known: ReferenceProfile | None) -> None:
    record = PolicyRecord(hash=policy.hash, policy=policy)
    start = Activation(
        model=policy.model,
        policy=policy.hash,
        reference=known.hash if known else None,
        effective_at_ms=at_ms,
    )
    if known is not None:
        bench.control.apply("references", known.model_dump_json().encode())
    for item in (record, start):
        bench.control.apply("policies", item.model_dump_json().encode())


def fleet() -> Bench:
    """A shard of every model; that of the first gets another policy half an hour later."""
    first, *others = FLEET
    bench = Bench(*first)
    for each in others:
        put_in_force(bench, 0, *each)
    put_in_force(bench, T0 + HOUR // 2, policy("a", limit_ms=90), reference("a", shift=9))
    return bench


@st.composite
def predictions(draw: st.DrawFn) -> Event:
    features = st.fixed_dictionaries(
        {},
        optional={
            "age": st.sampled_from((*NUMBERS, None, "old")),
            "size": st.sampled_from(NUMBERS),
            "kind": st.sampled_from(["a", "b", "c", "d", None, 3]),
        },
    )
    return {
        "prediction_id": f"p{draw(st.integers(0, 30))}",
        "model": draw(st.sampled_from(MODELS)),
        "version": draw(st.sampled_from(["v1", "v2"])),
        "time": T0 + draw(st.integers(0, 6)) * 10 * MINUTE,
        "output": draw(
            st.sampled_from([{"score": 0.05}, {"score": 0.5}, {"value": 3.0}, {"score": 7}, {}])
        ),
        "features": draw(features),
        "segments": draw(st.sampled_from([{}, *({"region": name} for name in "xyz")])),
        "latency_ms": draw(st.sampled_from([None, 10.0, 50.0, 100.0])),
        "arm": draw(st.sampled_from(["baseline", "canary"])),
    }


@st.composite
def truths(draw: st.DrawFn) -> Event:
    return {
        "prediction_id": f"p{draw(st.integers(0, 30))}",
        "model": draw(st.sampled_from(MODELS)),
        "time": T0 + draw(st.integers(0, 9)) * HOUR,
        "label": draw(st.booleans()),
    }


def said(bench: Bench) -> tuple[Any, ...]:
    dead = sorted((one.topic, one.offset, one.row, one.reason) for one in bench.dead)
    waiting = {model: bench.base.pending(model, [f"p{i}" for i in range(31)]) for model in MODELS}
    return bench.sums(), dead, {model: sorted(each) for model, each in waiting.items()}


@settings(deadline=None, max_examples=40)
@given(st.lists(predictions(), max_size=60), st.lists(truths(), max_size=15), st.data())
def test_no_cut_and_no_cohort_changes_a_sum(
    sent: list[Event], told: list[Event], data: st.DataObject
) -> None:
    """Polls and checkpoints may end anywhere, with a restart after any: sums, dead letters and
    what waits are those of a shard that takes each model by itself."""
    with patch.object(cohorts, "ALONE", 1):
        alone = fleet()
        at_once(alone, sent, [])
        at_once(alone, [], told)
    together, cut = fleet(), fleet()
    at_once(together, sent, [])
    at_once(together, [], told)
    in_any_batches(cut, sent, told, data)
    assert said(together) == said(alone)
    assert said(cut) == said(alone)


@settings(deadline=None, max_examples=15)
@given(st.lists(predictions(), min_size=5, max_size=40))
def test_what_is_shed_is_shed_for_its_own_policy_alone(sent: list[Event]) -> None:
    """A policy that sheds is summed by itself, and the others go on together."""
    found = []
    for rows in (1, cohorts.ALONE):
        with patch.object(cohorts, "ALONE", rows):
            bench = fleet()
            at_once(bench, [{**sent[0], "model": "i"}], [])
            bench.checkpoint(behind_ms=DAY)
            at_once(bench, sent, [])
            found.append(said(bench))
            assert set(bench.state.levels) == {FLEET[-1][0].hash}
    assert found[0] == found[1]


def plan(policy: Policy, known: ReferenceProfile | None) -> Plan:
    return Plan(policy, policy.hash, known, known.hash if known else "")


def test_plans_of_one_shape_differ_in_numbers_alone() -> None:
    """Layout, task, kinds of features and what is kept of them must be the same."""
    shapes = {each.model: shape_of(plan(each, known)) for each, known in FLEET}
    assert shapes["a"] == shapes["b"] == shapes["c"] == shapes["f"]
    assert shapes["g"] == shapes["h"]
    assert len({shapes[model] for model in "adegi"}) == 5


def test_a_positive_label_is_part_of_a_shape() -> None:
    """Answers of a cohort are packed at once."""
    named = policy("a").model_copy(update={"labels": Labels(positive="fraud")})
    assert shape_of(plan(named, None)) != shape_of(plan(policy("a"), None))


def test_plans_of_many_rows_are_cohorts_of_their_own() -> None:
    """Looking up each row's plan is for plans of few rows."""
    bench = fleet()
    rows = [
        {"prediction_id": f"p{i}", "model": "b" if i % 10 else "c", "version": "v", "time": T0,
         "output": {"score": 0.5}}
        for i in range(100)
    ]  # fmt: skip
    sizes: list[list[tuple[int, int]]] = []

    def noting(self: Cohorts, *args: Any) -> Any:
        members = split(self, *args)
        sizes.append([(len(each.cohort.plans), len(each.rows)) for each in members])
        return members

    split = Cohorts.split
    with patch.object(Cohorts, "split", noting):
        bench.apply(*(bench.predict(**row) for row in rows))
        with patch.object(cohorts, "ALONE", 50):
            again = [{**row, "prediction_id": f"q{i}"} for i, row in enumerate(rows)]
            bench.apply(*(bench.predict(**row) for row in again))
    assert sizes == [[(2, 100)], [(1, 10), (1, 90)]]
    assert bench.state.pending == 200
