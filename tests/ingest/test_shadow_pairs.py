"""Shadows meet the answer that served and share its label, in any order and any division."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from shards import DAY, HOUR, Bench, at_once, in_any_batches

from schemas.policy import Activation, Labels, Policy, PolicyRecord, Task
from streams.ingest.join.shadows import unpack_shadows
from streams.ingest.store import keys

POLICY = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="1h",
    lateness="10m",
    labels=Labels(horizon="2d", maturity="6h", lateness="1h"),
    segments=["region"],
)
T0 = 100 * DAY
PAIRS = ("pair_n", "pair_10", "pair_01", "pair_both")


def served(i: int, time_ms: int, **more: Any) -> dict[str, Any]:
    return {
        "prediction_id": f"p{i}",
        "model": "fraud",
        "version": "v1",
        "time": time_ms,
        "output": {"score": 0.25},
        **more,
    }


def shadow(i: int, time_ms: int, of: int, **more: Any) -> dict[str, Any]:
    known = served(i, time_ms, version="v2", arm="shadow", pair_id=f"p{of}")
    return {**known, "prediction_id": f"s{i}", "output": {"score": 0.75}, **more}


def truth(i: int, time_ms: int, label: Any = True, **more: Any) -> dict[str, Any]:
    return {"prediction_id": f"p{i}", "model": "fraud", "time": time_ms, "label": label, **more}


@pytest.fixture
def bench() -> Bench:
    return Bench(POLICY)


def pairs(bench: Bench, part: str = "label") -> list[int]:
    """n, shadow wrong only, served wrong only, both wrong."""
    return [bench.field(part, name, arm="shadow") for name in PAIRS]


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
)
@pytest.mark.parametrize("restart", [False, True], ids=["in one", "with restarts"])
def test_a_pair_counts_in_the_stream_of_the_shadow(
    bench: Bench, order: tuple[int, int, int], restart: bool
) -> None:
    """Whichever of shadow, served answer and label comes first; both take the label."""
    makers = (
        lambda: bench.predict(**served(1, T0 + 1)),
        lambda: bench.predict(**shadow(1, T0, of=1)),
        lambda: bench.tell(**truth(1, T0 + HOUR)),
    )
    for place in order:
        bench.apply(makers[place]())
        if restart:
            bench.checkpoint()
            bench.restart()
    bench.checkpoint()
    assert pairs(bench) == [1, 0, 1, 0]
    for arm, errors in (("shadow", 0), ("baseline", 1)):
        assert bench.field("label", "n", arm=arm) == 1
        assert bench.field("label", "err", arm=arm) == errors
        assert bench.field("input", "n", arm=arm) == 1
    assert bench.field("input", "n_pair", arm="shadow") == 1
    met = [bench.field(part, "n_pair_met", arm="shadow") for part in ("input", "late_input")]
    assert sum(met) == 1
    assert bench.state.pending == 2


def test_corrections_and_retractions_reach_the_pair(bench: Bench) -> None:
    """A correction before maturity moves the bet, one after it the window only."""
    bench.apply(bench.predict(**served(1, T0)), bench.predict(**shadow(1, T0, of=1)))
    bench.apply(bench.tell(**truth(1, T0 + HOUR)))
    bench.apply(bench.tell(**truth(1, T0 + 2 * HOUR, False, kind="correction")))
    bench.checkpoint()
    assert pairs(bench) == [1, 1, 0, 0]
    bench.apply(bench.tell(**truth(1, T0 + DAY, None, kind="retraction")))
    bench.checkpoint()
    assert pairs(bench) == [1, 1, 0, 0]
    assert pairs(bench, "late_label") == [-1, -1, 0, 0]


def test_a_label_that_came_late_is_in_no_bet_on_a_pair(bench: Bench) -> None:
    """As for any label; so is the label of a shadow that came after its cohort was judged."""
    bench.apply(bench.predict(**served(1, T0)), bench.predict(**shadow(1, T0, of=1)))
    bench.apply(bench.tell(**truth(1, T0 + DAY)))
    bench.apply(bench.predict(**served(2, T0 + DAY)), bench.tell(**truth(2, T0 + DAY + HOUR)))
    bench.apply(bench.predict(**shadow(2, T0 + DAY + 8 * HOUR, of=2)))
    bench.checkpoint()
    assert pairs(bench) == [0, 0, 0, 0]
    assert pairs(bench, "late_label") == [2, 0, 2, 0]
    assert bench.field("label", "n", arm="baseline") == 1


def test_a_shadow_without_its_answer_is_counted_and_lapses(bench: Bench) -> None:
    """It shows as an answer that has met none, and leaves the store with its horizon."""
    bench.apply(bench.predict(**shadow(1, T0, of=1)))
    bench.checkpoint()
    assert bench.field("input", "n_pair") == 1
    assert bench.field("input", "n_pair_met") == bench.field("label", "n") == 0
    far = T0 + 5 * DAY
    bench.apply(bench.predict(**served(9, far)), bench.tell(**truth(9, far)))
    assert bench.checkpoint().state.pending == 1
    assert not [key for key in bench.base.data if key[:1] in b"sv"]
    bench.apply(bench.predict(**served(1, far)), bench.tell(**truth(1, far)))
    bench.checkpoint()
    assert pairs(bench) == pairs(bench, "late_label") == [0, 0, 0, 0]


def test_a_duplicate_shadow_counts_once(bench: Bench) -> None:
    """Within a batch and over checkpoints; another version beside it is none."""
    twice = shadow(1, T0, of=1)
    bench.apply(bench.predict(**twice), bench.predict(**served(1, T0)), bench.predict(**twice))
    bench.checkpoint()
    bench.apply(bench.predict(**twice), bench.predict(**shadow(2, T0, of=1, version="v3")))
    bench.apply(bench.tell(**truth(1, T0 + HOUR)))
    bench.checkpoint()
    assert bench.field("input", "n_duplicate") == 2
    assert [bench.field("label", "pair_n", version=v) for v in ("v2", "v3")] == [1, 1]


def test_a_shadow_without_a_pair_has_a_label_of_its_own(bench: Bench) -> None:
    """As any prediction; no pair is counted."""
    alone = {**served(1, T0), "prediction_id": "s1", "arm": "shadow", "version": "v2"}
    bench.apply(bench.predict(**alone))
    bench.apply(bench.tell(**{**truth(1, T0 + HOUR), "prediction_id": "s1"}))
    bench.checkpoint()
    assert bench.field("label", "n", arm="shadow") == 1
    assert pairs(bench) == [0, 0, 0, 0]


def test_a_shadow_of_a_canary_or_of_a_shadow_makes_no_pair(bench: Bench) -> None:
    """Beside a canary it has the label; only a baseline is what it is compared with."""
    bench.apply(bench.predict(**served(1, T0, arm="canary", version="v3")))
    bench.apply(bench.predict(**served(2, T0, arm="shadow", version="v3")))
    bench.apply(*[bench.predict(**shadow(i, T0, of=i)) for i in (1, 2)])
    bench.apply(*[bench.tell(**truth(i, T0 + HOUR)) for i in (1, 2)])
    bench.checkpoint()
    assert bench.field("label", "n", version="v2") == 1
    assert pairs(bench) == [0, 0, 0, 0]


def test_answers_read_under_two_policies_are_no_pair(bench: Bench) -> None:
    """Their panes do not mix; the shadow shows as one that has met none."""
    newer = POLICY.model_copy(update={"owner": "new"})
    record = PolicyRecord(hash=newer.hash, policy=newer)
    start = Activation(model="fraud", policy=newer.hash, reference=None, effective_at_ms=T0 + HOUR)
    for item in (record, start):
        bench.control.apply("policies", item.model_dump_json().encode())
    bench.apply(bench.predict(**served(1, T0)), bench.predict(**shadow(1, T0 + HOUR, of=1)))
    bench.apply(bench.tell(**truth(1, T0 + HOUR)))
    bench.checkpoint()
    assert bench.field("input", "n_pair") == 1
    assert bench.field("input", "n_pair_met") == 0
    assert pairs(bench) == [0, 0, 0, 0]


def test_many_shadows_of_one_answer_are_too_many(bench: Bench) -> None:
    """A pair_id that never changes must not fill the store; each too many dies with a reason."""
    rows = [shadow(i, T0, of=1) for i in range(70)]
    bench.apply(*[bench.predict(**row) for row in rows[:30]])
    bench.checkpoint()
    bench.apply(*[bench.predict(**row) for row in rows[30:]])
    bench.checkpoint()
    assert bench.field("input", "n") == 64
    assert [dead.field for dead in bench.dead] == ["pair_id"] * 6


def test_a_pair_id_that_never_changes_gathers_only_shadows_that_may_still_meet(
    bench: Bench,
) -> None:
    """Those that lapsed alone make room, so one value of the log stays as small as it is."""
    for day in range(0, 50, 10):
        rows = [shadow(100 * day + i, T0 + day * DAY, of=1) for i in range(40)]
        bench.apply(*[bench.predict(**row) for row in rows])
        bench.checkpoint()
        bench.restart()
    (kept,) = [value for key, value in bench.base.data.items() if key.startswith(keys.SHADOWS)]
    assert {entry.time_ms for entry in unpack_shadows(kept).entries} == {T0 + 40 * DAY}
    assert bench.state.pending == len(unpack_shadows(kept).entries) == 40
    assert bench.dead == []


def test_a_shadow_that_met_its_answer_stays_while_labels_may_come(bench: Bench) -> None:
    """Feedback may be far behind predictions: the label still reaches both answers."""
    bench.apply(bench.predict(**served(1, T0)), bench.predict(**shadow(1, T0, of=1)))
    bench.apply(bench.predict(**shadow(2, T0 + 10 * DAY, of=1)))
    bench.apply(bench.predict(**shadow(3, T0 + 20 * DAY, of=1)))
    bench.apply(bench.tell(**truth(1, T0 + HOUR)))
    bench.checkpoint()
    assert pairs(bench) == [1, 0, 1, 0]


def test_a_shadow_is_keyed_by_its_pair() -> None:
    """On the partition of the answer that served it is no stray, on another it is one."""
    bench = Bench(POLICY, partitions_of=lambda keys: [int(key != b"p1") for key in keys])
    bench.apply(bench.predict(**shadow(1, T0, of=1)), bench.predict(**shadow(2, T0, of=2)))
    bench.checkpoint()
    assert [dead.reason for dead in bench.dead] == ["stray"]
    assert (bench.field("input", "n"), bench.field("input", "n_stray")) == (1, 1)


MOMENTS = st.integers(0, 30).map(lambda h: T0 + h * HOUR // 4)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Served answers, shadows and feedback, with duplicates, disorder and missing partners.

    An id that is used again after its horizon breaks the contract that ids are unique: what its
    feedback then means depends on which topic is read first. So later days have ids of their own.
    """
    ids = st.integers(0, 3)
    predictions = []
    for _ in range(draw(st.integers(0, 12))):
        output = {"score": draw(st.sampled_from([0.1, 0.9, 2.0]))}
        # Some come days later: then others have lapsed.
        day = draw(st.sampled_from([0, 0, 0, 0, 2, 4]))
        when, first = draw(MOMENTS) + DAY * day, 10 * day
        if draw(st.booleans()):
            predictions.append(served(first + draw(ids), when, output=output))
        else:
            version = draw(st.sampled_from(["v2", "v3"]))
            i, of = first + draw(ids), first + draw(ids)
            row = shadow(i, when, of=of, output=output, version=version)
            predictions.append(row)
    feedback = [
        truth(
            draw(ids),
            draw(MOMENTS) + HOUR * draw(st.integers(0, 50)),
            label=draw(st.booleans()),
            kind=draw(st.sampled_from(["truth", "correction", "review", "retraction"])),
        )
        for _ in range(draw(st.integers(0, 8)))
    ]
    return _unique(predictions), feedback


def _unique(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without those that repeat an id once its horizon has passed."""
    kept_ms = POLICY.horizon_ms + POLICY.lateness_ms + POLICY.label_lateness_ms
    latest_ms, first_ms, fine = 0, {}, []
    for row in rows:
        known_ms = first_ms.setdefault(row["prediction_id"], row["time"])
        if latest_ms <= known_ms + kept_ms:
            fine.append(row)
        latest_ms = max(latest_ms, row["time"])
    return fine


@settings(deadline=None, max_examples=200)
@given(streams(), st.data())
def test_any_division_into_batches_gives_the_same_pairs(
    events: tuple[list[dict[str, Any]], list[dict[str, Any]]], data: st.DataObject
) -> None:
    """Also any interleaving of the two topics, any checkpoints and any restarts between."""
    predictions, feedback = events
    whole, split = Bench(POLICY), Bench(POLICY)
    at_once(whole, predictions, feedback)
    in_any_batches(split, predictions, feedback, data)
    assert split.sums() == whole.sums()
