"""INGEST: the join, lateness and the panes, row by row and in any division into batches."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from shards import DAY, HOUR, MINUTE, Bench, at_once, in_any_batches

from schemas import cloudevents
from schemas.policy import Budgets, FeatureContract, Labels, LatencyBudget, Policy, Task
from schemas.reference import CategoricalReference, NumericReference, ReferenceProfile

POLICY = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="1h",
    lateness="10m",
    labels=Labels(horizon="2d", maturity="6h", lateness="1h"),
    features={"age": FeatureContract(min=18, max=99)},
    segments=["region"],
    max_segments=2,
    budgets=Budgets(latency=LatencyBudget(limit_ms=100)),
)
REFERENCE = ReferenceProfile(
    model="fraud",
    n=100,
    numeric={
        "age": NumericReference(
            n=100, missing=0, mean=40, sd=10, min=18, max=90, edges=[30, 50], counts=[30, 40, 30]
        )
    },
    categorical={
        "kind": CategoricalReference(n=100, missing=0, categories=["a", "b"], counts=[50, 50, 0])
    },
)
T0 = 100 * DAY


def prediction(i: int, time_ms: int, **more: Any) -> dict[str, Any]:
    return {
        "prediction_id": f"p{i}",
        "model": "fraud",
        "version": "v1",
        "time": time_ms,
        "output": {"score": 0.25},
        "features": {"age": 35, "kind": "a"},
        **more,
    }


def truth(i: int, time_ms: int, label: Any = True, **more: Any) -> dict[str, Any]:
    return {"prediction_id": f"p{i}", "model": "fraud", "time": time_ms, "label": label, **more}


@pytest.fixture
def bench() -> Bench:
    return Bench(POLICY, REFERENCE)


def test_a_prediction_and_its_truth_meet(bench: Bench) -> None:
    """The label counts in the pane of the prediction."""
    bench.apply(bench.predict(**prediction(1, T0)), bench.tell(**truth(1, T0 + 3 * HOUR)))
    bench.checkpoint()
    assert bench.field("input", "n") == 1
    assert bench.field("label", "n") == bench.field("label", "err") == 1
    assert {key[4] for key in bench.sums()} == {T0}


def test_feedback_may_come_before_its_prediction(bench: Bench) -> None:
    """Also in an earlier checkpoint, and after a restart."""
    bench.apply(bench.tell(**truth(1, T0 + HOUR)))
    bench.checkpoint()
    bench.restart()
    bench.apply(bench.predict(**prediction(1, T0)))
    bench.checkpoint()
    assert bench.field("label", "n") == 1


def test_a_duplicate_counts_once(bench: Bench) -> None:
    """The first wins, within a batch and over checkpoints; the others are counted as such."""
    bench.apply(bench.predict(**prediction(1, T0)), bench.predict(**prediction(1, T0 + 1)))
    bench.checkpoint()
    bench.apply(bench.predict(**prediction(1, T0 + 2)))
    bench.checkpoint()
    assert bench.field("input", "n") == 1
    assert bench.field("input", "n_duplicate") == 2


def test_a_correction_is_a_signed_delta(bench: Bench) -> None:
    """After maturity the window changes and the bet does not."""
    bench.apply(bench.predict(**prediction(1, T0)), bench.tell(**truth(1, T0 + HOUR)))
    bench.checkpoint()
    late = T0 + DAY
    bench.apply(bench.tell(**truth(1, late, label=False, kind="correction")))
    bench.checkpoint()
    assert bench.field("label", "err") == 1
    assert bench.field("late_label", "err") == -1
    assert bench.field("late_label", "n") == 0


def test_a_correction_before_maturity_changes_the_bet(bench: Bench) -> None:
    """Tests see the label state at maturity."""
    bench.apply(bench.predict(**prediction(1, T0)), bench.tell(**truth(1, T0 + HOUR)))
    bench.apply(bench.tell(**truth(1, T0 + 2 * HOUR, label=False, kind="correction")))
    bench.checkpoint()
    assert (bench.field("label", "n"), bench.field("label", "err")) == (1, 0)
    assert bench.field("late_label", "n") == 0


def test_a_retraction_takes_the_label_away(bench: Bench) -> None:
    """Within maturity nothing is left of it."""
    bench.apply(bench.predict(**prediction(1, T0)), bench.tell(**truth(1, T0 + HOUR)))
    bench.apply(bench.tell(**truth(1, T0 + 2 * HOUR, label=None, kind="retraction")))
    bench.checkpoint()
    assert bench.field("label", "n") == 0
    assert all(key[5] == "input" for key in bench.sums())


def test_the_later_feedback_holds_whatever_comes_first(bench: Bench) -> None:
    """Order is that of event time."""
    bench.apply(bench.predict(**prediction(1, T0)))
    bench.apply(bench.tell(**truth(1, T0 + 2 * HOUR, label=False, kind="correction")))
    bench.apply(bench.tell(**truth(1, T0 + HOUR + 30 * MINUTE, label=True)))
    bench.checkpoint()
    assert (bench.field("label", "n"), bench.field("label", "err")) == (1, 0)


def test_a_late_prediction_shows_and_is_not_bet_on(bench: Bench) -> None:
    """Lateness is judged by the watermark before the row."""
    bench.apply(
        bench.predict(**prediction(1, T0 + HOUR)),
        bench.predict(**prediction(2, T0)),
        bench.tell(**truth(2, T0 + 2 * HOUR)),
    )
    bench.checkpoint()
    assert bench.field("input", "n") == bench.field("late_input", "n") == 1
    assert bench.field("label", "n") == 0
    assert bench.field("late_label", "n") == 1


def test_feedback_that_never_meets_its_prediction_is_a_dead_letter(bench: Bench) -> None:
    """With a reason, once the horizon has passed; nothing stays in the store."""
    bench.apply(bench.tell(**truth(1, T0)))
    bench.checkpoint()
    bench.apply(bench.predict(**prediction(2, T0 + 4 * DAY)))
    bench.checkpoint()
    assert [dead.reason for dead in bench.dead] == ["unmatched"]
    assert not [key for key in bench.base.data if key.startswith(b"w")]


def test_pending_predictions_lapse(bench: Bench) -> None:
    """Only after both watermarks passed the horizon; late feedback is refused with a reason."""
    bench.apply(bench.predict(**prediction(1, T0)))
    bench.checkpoint()
    bench.apply(bench.predict(**prediction(2, T0 + 5 * DAY)))
    assert bench.checkpoint().state.pending == 2
    bench.apply(bench.tell(**truth(1, T0 + 3 * DAY)), bench.tell(**truth(2, T0 + 5 * DAY)))
    assert bench.checkpoint().state.pending == 1
    assert [dead.reason for dead in bench.dead] == ["too_late"]


def test_bad_records_cost_only_themselves(bench: Bench) -> None:
    """Each gives a dead letter with reason and place; the others count."""
    batch = [prediction(1, T0), {"prediction_id": 7}, prediction(2, T0)]
    bench.apply(
        bench.record("predictions", b"\xff\xfe"),
        bench.record("predictions", batch),
        bench.record("predictions", prediction(3, T0, model="unknown")),
        bench.record("predictions", prediction(4, T0, time="2026-02-30T00:00:00Z")),
        bench.record("predictions", prediction(5, T0), timestamp_ms=T0 - HOUR),
        bench.record("feedback", truth(1, T0 + 1, label="perhaps")),
    )
    bench.checkpoint()
    assert bench.field("input", "n") == 2
    assert sorted((dead.reason, dead.row) for dead in bench.dead) == [
        ("bad_shape", 1),
        ("bad_time", 0),
        ("future", 0),
        ("no_policy", 0),
        ("not_json", 0),
        ("unusable_label", 0),
    ]
    assert all(dead.message for dead in bench.dead)


def test_a_row_in_the_future_moves_no_watermark(bench: Bench) -> None:
    """Else one wrong clock would make all other rows late."""
    bench.apply(
        bench.record("predictions", prediction(1, T0 + DAY), timestamp_ms=T0),
        bench.record("predictions", prediction(2, T0), timestamp_ms=T0),
    )
    bench.checkpoint()
    assert bench.field("input", "n") == 1
    assert bench.field("late_input", "n") == 0


def test_strays_are_refused_and_counted() -> None:
    """A row on the wrong partition could never meet its feedback."""
    bench = Bench(POLICY, number=0, count=2, partitions_of=lambda keys: [1] * len(keys))
    bench.apply(bench.predict(**prediction(1, T0)))
    bench.checkpoint()
    assert [dead.reason for dead in bench.dead] == ["stray"]
    assert (bench.field("input", "n"), bench.field("input", "n_stray")) == (0, 1)


def test_contracts_are_counted_and_the_other_fields_used(bench: Bench) -> None:
    """Missing, invalid and out of range each have their count."""
    for i, age in enumerate((35, None, "old", 17, 200)):
        features = {"age": age, "kind": "z" if i == 0 else "b"}
        bench.apply(bench.predict(**prediction(i, T0, features=features)))
    bench.checkpoint()
    counts = {m: bench.field("input", f"age:{m}") for m in ("n", "missing", "invalid", "out")}
    assert counts == {"n": 5, "missing": 1, "invalid": 1, "out": 2}
    assert bench.field("input", "n_violation") == 3
    start = bench.plan().inputs.start("kind:hist")
    (total,) = [t for key, t in bench.panes.items() if key[3] == ""]
    assert total[start : start + 3].tolist() == [0, 4, 1]


def test_segments_are_streams_of_their_own_and_bounded(bench: Bench) -> None:
    """Values beyond the policy's number go to one stream for all others."""
    for i, region in enumerate(("EU", "US", "EU", "AP", "AF")):
        bench.apply(bench.predict(**prediction(i, T0, segments={"region": region, "x": "y"})))
    bench.checkpoint()
    assert {k: bench.field("input", "n", segment=k) for k in {key[3] for key in bench.panes}} == {
        "": 5,
        "region=EU": 2,
        "region=US": 1,
        "region=<other>": 2,
    }


def test_latency_and_service_errors_are_counted(bench: Bench) -> None:
    """Over the limit, and with an error text."""
    bench.apply(
        bench.predict(**prediction(1, T0, latency_ms=99.0)),
        bench.predict(**prediction(2, T0, latency_ms=101, error="timeout")),
    )
    bench.checkpoint()
    fields = ("latency_n", "latency_over", "n_error")
    assert [bench.field("input", name) for name in fields] == [2, 1, 1]


def test_heartbeats_move_the_watermark_without_rows(bench: Bench) -> None:
    """In their place among the rows."""
    headers = cloudevents.headers(type=cloudevents.HEARTBEAT, source="/t", id="1", time_ms=T0)
    beat = {"time": T0 + HOUR}
    bench.apply(
        bench.predict(**prediction(1, T0)),
        bench.record("predictions", beat, headers=headers),
        bench.predict(**prediction(2, T0)),
    )
    assert bench.checkpoint().mark.predictions_ms == T0 + HOUR
    assert (bench.field("input", "n"), bench.field("late_input", "n")) == (1, 1)


def test_idle_moves_the_mark_and_not_the_lateness_of_rows(bench: Bench) -> None:
    """A row is as late as its partition says, however long the pause was."""
    bench.apply(bench.predict(**prediction(1, T0)))
    bench.shard.idle(5 * HOUR)
    mark = bench.checkpoint().mark
    assert (mark.predictions_ms, mark.labels_ms, mark.idle) == (T0 + 5 * HOUR, T0 + 5 * HOUR, True)
    bench.apply(bench.predict(**prediction(2, T0)))
    assert not bench.checkpoint().mark.idle
    assert bench.field("input", "n") == 2


def test_silent_feedback_holds_labels_back_no_longer_than_the_horizon(bench: Bench) -> None:
    """A model that gets no labels has its windows judged (as: cannot tell) and lets go of rows."""
    bench.apply(bench.predict(**prediction(1, T0)))
    bench.checkpoint()
    bench.apply(bench.predict(**prediction(2, T0 + 30 * DAY)))
    mark = bench.checkpoint().mark
    assert mark.labels_ms is None
    bench.shard.silent(True)
    done = bench.checkpoint()
    assert done.mark.labels_ms == T0 + 30 * DAY - bench.plan().kept_ms
    assert done.state.pending == 1


MOMENTS = st.integers(0, 30).map(lambda h: T0 + h * HOUR // 4)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Predictions and feedback with duplicates, disorder, corrections and retractions."""
    ids = st.integers(0, 7)
    predictions = [
        prediction(
            draw(ids),
            draw(MOMENTS),
            output={"score": draw(st.sampled_from([0.1, 0.6, 0.9, 2.0]))},
            segments={"region": draw(st.sampled_from(["EU", "US"]))},
        )
        for _ in range(draw(st.integers(0, 12)))
    ]
    feedback = [
        truth(
            draw(ids),
            draw(MOMENTS) + HOUR * draw(st.integers(0, 50)),
            label=draw(st.booleans()),
            kind=draw(st.sampled_from(["truth", "correction", "retraction"])),
        )
        for _ in range(draw(st.integers(0, 12)))
    ]
    return predictions, feedback


@settings(deadline=None, max_examples=300)
@given(streams(), st.data())
def test_any_division_into_batches_gives_the_same_panes(
    events: tuple[list[dict[str, Any]], list[dict[str, Any]]], data: st.DataObject
) -> None:
    """Also any interleaving of the two topics, any checkpoints and any restarts between."""
    predictions, feedback = events
    whole, split = Bench(POLICY, REFERENCE), Bench(POLICY, REFERENCE)
    at_once(whole, predictions, feedback)
    in_any_batches(split, predictions, feedback, data)
    assert split.sums() == whole.sums()
