"""What is shed while a shard is too far behind: in order, counted exactly, and never a label."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from shards import DAY, HOUR, MINUTE, Bench, in_any_batches

from detectors.embeddings.columns import with_embeddings
from detectors.inputs import shed_field
from schemas.overload import Overload, Shed
from schemas.policy import Labels, Patterns, Policy, Review, Task
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from streams.ingest.panes.shedding import Level, levels_after, next_level

LAG_MS = 10 * MINUTE
BEHIND = {level: LAG_MS << (level - 1) if level else 0 for level in Level}
"""How far behind each level begins."""

CALM = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="1h",
    lateness="10m",
    labels=Labels(horizon="2d", maturity="6h", lateness="1h"),
    segments=["region"],
    patterns=Patterns(repeats=True),
    review=Review(audit=0.5),
)
POLICY = CALM.model_copy(update={"overload": Overload(lag="10m")})
T0 = 100 * DAY
N = 400


@cache
def reference() -> ReferenceProfile:
    known = build("fraud", {"x": [i / 1_000 for i in range(1_000)], "c": ["a", "b"] * 500})
    return with_embeddings(known, [{"text": [float(i % 7), 1.0]} for i in range(1_000)])


def prediction(i: int, **more: Any) -> dict[str, Any]:
    """Four of five have a segment, one of four is a shadow's own."""
    return {
        "prediction_id": f"p{i}",
        "model": "fraud",
        "version": "v1" if i % 4 else "v2",
        "arm": "baseline" if i % 4 else "shadow",
        "time": T0 + i * 1_000,
        "features": {"x": (i % 100) / 100, "c": "ab"[i % 2]},
        "segments": {"region": "EU" if i % 3 else "US"} if i % 5 else {},
        "embeddings": {"text": [float(i % 7), 1.0]},
        "latency_ms": 5.0 + i % 11,
        "output": {"score": (i % 97) / 100},
        **more,
    }


def truth(i: int, **more: Any) -> dict[str, Any]:
    told = {"prediction_id": f"p{i}", "model": "fraud", "time": T0 + HOUR + i * 1_000}
    return {**told, "label": i % 7 == 0, **more}


def shed_at(level: Level, **more: Any) -> Bench:
    """A shard that counted all rows at a level."""
    bench = Bench(POLICY.model_copy(update=more), reference())
    bench.apply(bench.predict(**prediction(-1)))
    bench.checkpoint(BEHIND[level])
    bench.panes.clear()
    bench.apply(*[bench.predict(**prediction(i)) for i in range(N)])
    bench.checkpoint(BEHIND[level])
    return bench


def total(bench: Bench, name: str, **where: Any) -> int:
    """All entries of a field of input panes, over segments as well if one is named."""
    layout, segments = bench.plan().inputs, where.pop("segments", False)
    keys = {"model": 0, "version": 1, "arm": 2}
    return sum(
        int(layout.counts(vector[: layout.size], name).sum())
        for key, vector in bench.panes.items()
        if "input" in key[5]
        and bool(key[3]) == segments
        and all(key[keys[each]] == value for each, value in where.items())
    )


@given(st.lists(st.integers(0, 40 * LAG_MS), max_size=20))
def test_levels_rise_at_once_and_fall_below_half(lags: list[int]) -> None:
    """At or above its beginning a level is in force; between half of it and that, if it was."""
    level = Level.NONE
    for behind_ms in lags:
        after = next_level(level, behind_ms=behind_ms, lag_ms=LAG_MS)
        for each in Level:
            if each and behind_ms >= BEHIND[each]:
                assert after >= each
            if each and 2 * behind_ms < BEHIND[each]:
                assert after < each
        if after > level:
            assert behind_ms >= BEHIND[after]
        assert after >= level or 2 * behind_ms < BEHIND[Level(after + 1)]
        level = after


def test_the_order_is_declared_and_each_level_sheds_more() -> None:
    """Cheapest loss first; a level sheds all that those below it do, and keeps no more rows."""
    order = [[kind for kind in Shed if level.sheds(kind)] for level in Level]
    every = list(Shed)
    assert order == [[], every[:1], every[:2], every[:3], every, every]
    assert all(low.sample >= high.sample for low, high in pairwise(Level))


def test_only_policies_that_ask_for_it_are_shed() -> None:
    policies = {"a": POLICY, "b": CALM}
    assert levels_after({}, policies, BEHIND[Level.SIXTEENTH]) == {"a": Level.SIXTEENTH}
    assert levels_after({"a": 5}, policies, 0) == {}


@pytest.mark.parametrize("level", list(Level))
def test_what_is_shed_and_what_is_kept_are_all(level: Level) -> None:
    """Exactly, for each kind; counts and answers of what serves are whole at any level."""
    bench = shed_at(level)
    shadows = N // 4
    own, beside = {"arm": "baseline"}, {"arm": "shadow"}
    assert total(bench, "n", **own) == N - shadows
    assert total(bench, "n", **beside) == shadows
    assert total(bench, "latency_n", **own) == total(bench, "latency", **own) == N - shadows
    assert total(bench, "score", **own) == N - shadows
    lost = {kind: total(bench, shed_field(kind), **own) for kind in Shed}
    assert lost[Shed.EXTRAS] + total(bench, "repeats", **own) == N - shadows
    assert lost[Shed.FEATURES] + total(bench, "x:n", **own) == N - shadows
    assert lost[Shed.FEATURES] + total(bench, "c:hist", **own) == N - shadows
    sliced = total(bench, "n", segments=True, **own)
    assert sliced == sum(1 for i in range(N) if i % 4 and i % 5)
    assert total(bench, "latency_n", segments=True, **own) == sliced
    assert lost[Shed.SEGMENTS] + total(bench, "latency", segments=True, **own) == sliced
    assert total(bench, shed_field(Shed.SEGMENTS), segments=True, **own) == lost[Shed.SEGMENTS]
    gone = total(bench, shed_field(Shed.SHADOWS), **beside)
    assert gone + total(bench, "latency_n", **beside) == shadows
    expected = [lost[kind] > 0 if kind is not Shed.SHADOWS else gone > 0 for kind in Shed]
    assert expected == [level.sheds(kind) for kind in Shed]
    assert bench.last is not None
    tally = {kind: n for (_, kind), n in bench.last.tally.shed.items() if n}
    both = {kind: total(bench, shed_field(kind)) for kind in Shed}
    assert tally == {kind: n for kind, n in both.items() if n}
    assert bool(bench.last.reviews) is not level.sheds(Shed.EXTRAS)
    assert bench.last.mark.shedding == ({bench.plan().policy_hash: level} if level else {})


def test_the_sample_is_of_the_size_that_it_says_and_nested() -> None:
    """A stable hash of the id: whoever is among the few is among the more."""
    kept = {level: total(shed_at(level), "x:n", arm="baseline") for level in Level}
    assert kept[Level.QUARTER] == pytest.approx(300 / 4, abs=4 * np.sqrt(300 * 0.25 * 0.75))
    assert kept[Level.SIXTEENTH] == pytest.approx(300 / 16, abs=4 * np.sqrt(300 / 16))
    quarter, sixteenth = (
        bench.panes[next(key for key in bench.panes if key[2:4] == ("baseline", ""))]
        for bench in map(shed_at, (Level.QUARTER, Level.SIXTEENTH))
    )
    layout = shed_at(Level.QUARTER).plan().inputs
    for name in ("x:hist", "c:hist"):
        more, few = (layout.counts(each[: layout.size], name) for each in (quarter, sixteenth))
        assert (few <= more).all()


def test_what_a_policy_does_not_have_is_not_shed() -> None:
    """Without review, repeats and embeddings nothing is lost at the first level."""
    bench = Bench(
        POLICY.model_copy(update={"patterns": Patterns(), "review": Review()}),
        build("fraud", {"x": [i / 1_000 for i in range(1_000)]}),
    )
    bench.apply(bench.predict(**prediction(-1)))
    bench.checkpoint(BEHIND[Level.EXTRAS])
    bench.apply(*[bench.predict(**prediction(i)) for i in range(N)])
    assert bench.checkpoint(BEHIND[Level.EXTRAS]).tally.shed == {}


def entries(bench: Bench) -> dict[Any, dict[str, list[int]]]:
    """Input and label panes by name of field, those of shedding left out."""
    plan, found = bench.plan(), {}
    for key, vector in bench.panes.items():
        layout = plan.labels if "label" in key[5] else plan.inputs
        found[key] = {
            field.name: layout.counts(vector[: layout.size], field.name).tolist()
            for field in layout.fields
            if not field.name.startswith("n_shed")
        }
    return found


def test_a_shard_that_keeps_up_counts_as_one_that_may_not_shed() -> None:
    """A lag below the policy's changes nothing; nor does one that is not known."""
    eager, calm = Bench(POLICY, reference()), Bench(CALM, reference())
    for bench, lags in ((eager, (None, LAG_MS - 1, 0)), (calm, (None, 1_000 * LAG_MS, 0))):
        for part, lag in enumerate(lags):
            rows = range(part * 100, part * 100 + 100)
            bench.apply(*[bench.predict(**prediction(i)) for i in rows])
            bench.apply(*[bench.tell(**truth(i)) for i in rows])
            bench.checkpoint(lag)
            assert bench.state.levels == {}
    assert entries(eager) == entries(calm)
    assert not any(total(eager, shed_field(kind)) for kind in Shed)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_labels_and_joins_are_those_of_a_shard_that_sheds_nothing(data: st.DataObject) -> None:
    """In any batches, with restarts, duplicates, shadows beside their answers and corrections."""
    seed = data.draw(st.integers(0, 1_000))
    rng = np.random.default_rng(seed)
    said = [prediction(i, arm="baseline", version="v1") for i in range(40)]
    said += [
        prediction(1_000 + i, arm="shadow", version="v2", pair_id=f"p{i}") for i in range(0, 40, 3)
    ]
    said += [said[int(i)] for i in rng.integers(0, 40, 5)]
    told = [truth(int(i)) for i in rng.permutation(40)]
    told += [truth(int(i), label=True, kind="correction", time=T0 + DAY) for i in range(0, 40, 4)]
    order = rng.permutation(len(said)).tolist()
    level = data.draw(st.sampled_from([each for each in Level if each]))
    whole, shed = (Bench(POLICY, reference()) for _ in range(2))
    shed.state.levels = {shed.plan().policy_hash: int(level)}
    shed.restart()
    for bench in (whole, shed):
        in_any_batches(bench, [said[i] for i in order], told, data)
    labels = [
        {key: part for key, part in bench.sums().items() if "label" in key[5]}
        for bench in (whole, shed)
    ]
    assert labels[0] == labels[1]
    assert labels[0]
    assert shed.state.levels == {shed.plan().policy_hash: int(level)}
    for name in ("n", "n_duplicate", "n_pair", "n_pair_met"):
        assert total(whole, name) == total(shed, name) > 0
    assert whole.state.pending == shed.state.pending
    assert [letter.id for letter in whole.dead] == [letter.id for letter in shed.dead]


def test_rows_read_again_after_a_death_are_shed_as_before() -> None:
    """The level stands in the checkpoint, and holds for the rows after it."""
    first = Bench(POLICY, reference())
    first.apply(first.predict(**prediction(-1)))
    first.checkpoint(BEHIND[Level.QUARTER])
    records = [first.predict(**prediction(i)) for i in range(50)]
    first.shard.apply(records)
    first.restart()
    first.shard.apply(records)
    again = first.checkpoint(0)
    assert again.mark.shedding == {first.plan().policy_hash: Level.QUARTER}
    assert total(first, shed_field(Shed.FEATURES)) + total(first, "x:n", arm="baseline") == (
        total(first, "n", arm="baseline")
    )
    assert again.state.levels == {}
