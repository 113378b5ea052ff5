"""Where batches and checkpoints end changes nothing: not segments, not what has lapsed."""

from __future__ import annotations

from typing import Any

import pytest
from shards import DAY, HOUR, Bench

from schemas.policy import Activation, Labels, Policy, PolicyRecord, Task
from streams.ingest.join.shadows import Shadow, Shadows, pack_shadows
from streams.ingest.store.lapse import Lapses, lapse
from streams.ingest.store.overlay import Overlay

POLICY = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="1h",
    lateness="10m",
    labels=Labels(horizon="2d", maturity="6h", lateness="1h"),
    segments=["region"],
    max_segments=1,
)
T0 = 100 * DAY


def prediction(i: int, time_ms: int, region: str = "eu") -> dict[str, Any]:
    return {
        "prediction_id": f"p{i}",
        "model": "fraud",
        "version": "v1",
        "time": time_ms,
        "output": {"score": 0.25},
        "segments": {"region": region},
    }


def truth(i: int, time_ms: int, **more: Any) -> dict[str, Any]:
    known = {"prediction_id": f"p{i}", "model": "fraud", "time": time_ms, "label": True}
    return {**known, **more}


def put_in_force(bench: Bench, policy: Policy, *, at_ms: int) -> None:
    record = PolicyRecord(hash=policy.hash, policy=policy)
    start = Activation(
        model=policy.model, policy=policy.hash, reference=None, effective_at_ms=at_ms
    )
    for item in (record, start):
        bench.control.apply("policies", item.model_dump_json().encode())


def sums_of(rows: list[dict[str, Any]], *, together: bool, lost: str = "") -> dict[Any, Any]:
    """Panes of rows; those with id ``lost`` lie on the wrong partition."""
    bench = Bench(POLICY, partitions_of=lambda keys: [int(key == lost.encode()) for key in keys])
    put_in_force(bench, POLICY.model_copy(update={"owner": "new"}), at_ms=T0 + HOUR)
    records = [bench.predict(**row) for row in rows]
    for batch in [records] if together else [[record] for record in records]:
        bench.apply(*batch)
    bench.checkpoint()
    return bench.sums()


@pytest.mark.parametrize(
    ("rows", "lost"),
    [
        ([prediction(1, T0), prediction(2, T0, "eu"), prediction(1, T0, "us")], ""),
        ([prediction(1, T0, "eu"), prediction(2, T0, "us")], "p2"),
        ([prediction(3, T0 + HOUR, "us"), prediction(1, T0, "eu"), prediction(4, T0)], ""),
        ([prediction(1, T0), prediction(2, T0 + HOUR, "us"), prediction(3, T0, "as")], ""),
    ],
    ids=["a duplicate", "a stray", "an older policy", "a newer policy"],
)
def test_the_first_segments_of_the_log_find_room(rows: list[dict[str, Any]], lost: str) -> None:
    """However rows of other kinds stand among them in a batch."""
    together, alone = (sums_of(rows, together=flag, lost=lost) for flag in (True, False))
    assert together == alone
    first = rows[0]["segments"]["region"]
    segments = {key[3] for key in together}
    assert segments == {"", f"region={first}", "region=<other>"} or segments == {
        "",
        f"region={first}",
    }


@pytest.mark.parametrize("between", [False, True], ids=["in one", "a checkpoint between"])
def test_a_lapsed_prediction_is_none_whether_it_has_left_the_store_or_not(between: bool) -> None:
    """Feedback for an id that is used again waits for the new prediction, and counts for it."""
    bench = Bench(POLICY)
    bench.apply(bench.predict(**prediction(1, T0)))
    bench.checkpoint()
    far = T0 + 10 * DAY
    bench.apply(bench.predict(**prediction(9, far)), bench.tell(**truth(9, far)))
    if between:
        bench.checkpoint()
    bench.apply(bench.tell(**truth(1, far + HOUR)))
    bench.apply(bench.predict(**prediction(1, far + HOUR // 2)))
    bench.checkpoint()
    assert bench.dead == []
    assert bench.field("input", "n") == 3
    assert bench.field("label", "n") == 2
    assert bench.state.pending == 2


@pytest.mark.parametrize("between", [False, True], ids=["in one", "a checkpoint between"])
def test_a_longer_horizon_does_not_bring_lapsed_predictions_back(between: bool) -> None:
    """An id is kept by the policy of its prediction, not by that of the row that repeats it."""
    bench = Bench(POLICY)
    longer = POLICY.model_copy(update={"labels": Labels(horizon="30d", lateness="1h")})
    put_in_force(bench, longer, at_ms=T0 + DAY)
    bench.apply(bench.predict(**prediction(1, T0)))
    bench.checkpoint()
    far = T0 + 10 * DAY
    bench.apply(bench.predict(**prediction(9, far)), bench.tell(**truth(9, far)))
    if between:
        bench.checkpoint()
    bench.apply(bench.predict(**prediction(1, far)))
    bench.checkpoint()
    assert bench.field("input", "n_duplicate") == 0
    assert bench.field("input", "n") == 3


@pytest.mark.parametrize("between", [False, True], ids=["in one", "a checkpoint between"])
def test_waiting_feedback_is_kept_for_the_longest_of_its_policies(between: bool) -> None:
    """Whether two events for one prediction come in one batch or in two."""
    bench = Bench(POLICY.model_copy(update={"labels": Labels(horizon="30d", lateness="1h")}))
    put_in_force(bench, POLICY, at_ms=T0 + DAY)
    bench.apply(bench.tell(**truth(1, T0 + DAY - 1)))
    if between:
        bench.checkpoint()
    bench.apply(bench.tell(**truth(1, T0 + DAY)))
    bench.checkpoint()
    far = T0 + 10 * DAY
    bench.apply(bench.predict(**prediction(9, far)), bench.tell(**truth(9, far)))
    bench.checkpoint()
    assert bench.dead == []
    bench.apply(bench.predict(**prediction(1, T0 + DAY - 2)))
    bench.checkpoint()
    assert bench.field("late_label", "n") == 1


def test_much_that_lapses_at_once_leaves_in_several_checkpoints() -> None:
    """An hour of a busy shard does not have to fit into one transaction."""
    bench = Bench(POLICY)
    store = Overlay(bench.base)
    for sequence in range(50):
        lapses = Lapses()
        for i in range(10):
            key = b"s%d/%d" % (sequence, i)
            alone = Shadow("s", True, 0, time_ms=5, until_ms=5, tail=b"")
            store.put(key, pack_shadows(Shadows(5, [alone])))
            lapses.note(b"s", key, until_ms=5)
        lapses.save(store, 0, sequence)
        bench.base.write(store.take())
    sizes = []
    while True:
        lapsed = lapse(store, pending_ms=DAY, waiting_ms=DAY, at_once=100)
        bench.base.write(store.take())
        sizes.append(lapsed.dropped)
        if not lapsed.more:
            break
    assert sizes == [100] * 5
    assert bench.base.data == {}


def test_an_activation_that_names_the_policy_of_another_model_puts_nothing_in_force() -> None:
    """Rows of one model never count for another; they are refused, with the reason."""
    bench = Bench(POLICY)
    start = Activation(model="other", policy=POLICY.hash, reference=None, effective_at_ms=0)
    bench.control.apply("policies", start.model_dump_json().encode())
    bench.apply(bench.predict(**{**prediction(1, T0), "model": "other"}))
    bench.checkpoint()
    assert [dead.reason for dead in bench.dead] == ["no_policy"]
    assert bench.sums() == {}
