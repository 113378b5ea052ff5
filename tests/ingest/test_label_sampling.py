"""Of a model with very many predictions only a share waits for labels; the rest is counted."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from shards import DAY, HOUR, MINUTE, Bench, Event, at_once, in_any_batches

from detectors.inputs import SAMPLED
from schemas.dead_letters import Reason
from schemas.ids import content_id
from schemas.policy import Activation, Dedupe, Join, Labels, Policy, PolicyRecord, Task
from streams.ingest.admit.sampling import draws
from streams.ingest.store.names import Names

ALL = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="1h",
    lateness="10m",
    labels=Labels(horizon="10d", maturity="6h", lateness="1h"),
    segments=["region"],
)
HALF = ALL.model_copy(update={"join": Join(sample=0.5), "dedupe": Dedupe(horizon="2h")})
T0 = 100 * DAY
N = 40


def is_in(i: int, share: float = 0.5) -> bool:
    """Whether a prediction waits for its label."""
    return bool(draws(Names.of("fraud", [f"p{i}"]).hashes)[0] < share)


INSIDE = [i for i in range(N) if is_in(i)]
OUTSIDE = [i for i in range(N) if not is_in(i)]
IN, OUT = INSIDE[0], OUTSIDE[0]


def served(i: int, time_ms: int | None = None, **more: Any) -> Event:
    return {
        "prediction_id": f"p{i}",
        "model": "fraud",
        "version": "v1",
        "time": T0 + i * 1_000 if time_ms is None else time_ms,
        "segments": {"region": "EU" if i % 3 else "US"},
        "output": {"score": (i % 10) / 10},
        **more,
    }


def shadow(i: int, time_ms: int | None = None) -> Event:
    beside = {"version": "v2", "arm": "shadow", "pair_id": f"p{i}", "prediction_id": f"s{i}"}
    return {**served(i, time_ms), **beside, "output": {"score": 0.75}}


def truth(i: int, time_ms: int | None = None, **more: Any) -> Event:
    when = T0 + HOUR + i * 1_000 if time_ms is None else time_ms
    return {
        "prediction_id": f"p{i}",
        "model": "fraud",
        "time": when,
        "label": i % 3 == 0,
        **more,
    }


def parts(bench: Bench, part: str) -> dict[Any, dict[str, list[int]]]:
    """Panes of a kind by name of field, but for the count of the sample."""
    plan, found = bench.plan(), {}
    layout = plan.labels if part == "label" else plan.inputs
    for key, vector in bench.panes.items():
        if part in key[5] and vector.any():
            found[key] = {
                field.name: layout.counts(vector[: layout.size], field.name).tolist()
                for field in layout.fields
                if field.name != SAMPLED
            }
    return found


def move_on(bench: Bench, time_ms: int) -> None:
    """Both watermarks, by rows of another day."""
    own = 10_000 + (time_ms - T0) // HOUR
    bench.apply(bench.predict(**served(own, time_ms)), bench.tell(**truth(own, time_ms)))
    bench.checkpoint()


def stored(bench: Bench, *numbers: int) -> dict[str, int]:
    """Bytes of the records of predictions that the join store has."""
    held = bench.base.pending("fraud", [f"p{i}" for i in numbers])
    return {name: len(record) for name, record in held.items()}


@pytest.fixture
def bench() -> Bench:
    return Bench(HALF)


@given(st.data())
@settings(max_examples=12, deadline=None)
def test_labels_are_those_of_the_sample_and_inputs_those_of_all(data: st.DataObject) -> None:
    """In any batches, with restarts, duplicates, shadows, corrections, feedback that came first."""
    every = [served(i) for i in range(N)] + [served(i) for i in range(0, N, 7)]
    told = [truth(i) for i in range(N)]
    told += [truth(i, T0 + DAY, label=True, kind="correction") for i in range(0, N, 4)]
    beside = [shadow(i) for i in range(0, N, 3)]
    half, whole, few = Bench(HALF), Bench(ALL), Bench(ALL)
    in_any_batches(half, every + beside, told, data)
    in_any_batches(whole, every, told, data)
    chosen = {f"p{i}" for i in INSIDE}
    at_once(
        few,
        [e for e in every + beside if e.get("pair_id", e["prediction_id"]) in chosen],
        [e for e in told if e["prediction_id"] in chosen],
    )
    assert parts(half, "label") == parts(few, "label") != {}
    own = {key: pane for key, pane in parts(half, "input").items() if key[2] != "shadow"}
    assert own == parts(whole, "input") != {}
    assert half.dead == []
    assert half.field("input", SAMPLED, arm="baseline") == len(INSIDE) < N
    pairs = len([i for i in range(0, N, 3) if is_in(i)])
    assert half.field("input", SAMPLED, arm="shadow") == pairs
    assert half.field("input", "n", arm="shadow") == len(beside)
    met = sum(half.field(part, "n_pair_met", arm="shadow") for part in ("input", "late_input"))
    assert met == half.field("input", "n_pair", arm="shadow") == pairs


def test_the_share_is_of_the_size_that_it_says_and_nested() -> None:
    drawn = draws(Names.of("fraud", [f"p{i}" for i in range(20_000)]).hashes)
    for share in (0.01, 0.1, 0.5):
        assert (drawn < share).mean() == pytest.approx(share, abs=4 * (share / 20_000) ** 0.5)
    other = draws(Names.of("other", [f"p{i}" for i in range(20_000)]).hashes)
    both = ((drawn < 0.5) & (other < 0.5)).mean()
    assert both == pytest.approx(0.25, abs=0.02)


def test_an_id_outside_of_the_sample_leaves_no_bytes_in_the_store(bench: Bench) -> None:
    at_once(bench, [served(IN), served(OUT)], [])
    held = stored(bench, IN, OUT)
    assert held[f"p{OUT}"] == 0 < held[f"p{IN}"]
    assert bench.state.pending == 2


@pytest.mark.parametrize("restart", [False, True], ids=["in one", "with a restart"])
@pytest.mark.parametrize("make", [served, shadow])
def test_duplicates_outside_are_found_within_their_horizon_and_not_after(
    bench: Bench, make: Any, restart: bool
) -> None:
    """Those of the sample are found as long as they wait."""
    bench.apply(*[bench.predict(**make(i)) for i in (IN, OUT)])
    bench.checkpoint()
    if restart:
        bench.restart()
    bench.apply(bench.predict(**served(10_000, T0 + 2 * HOUR - MINUTE)))
    bench.apply(*[bench.predict(**make(i)) for i in (IN, OUT)])
    bench.checkpoint()
    duplicates = [bench.field(part, "n_duplicate") for part in ("input", "late_input")]
    assert sum(duplicates) == 2
    bench.apply(bench.predict(**served(10_000 + N, T0 + 3 * HOUR)))
    bench.apply(*[bench.predict(**make(i, T0 + 3 * HOUR)) for i in (IN, OUT)])
    bench.checkpoint()
    assert sum(bench.field(part, "n_duplicate") for part in ("input", "late_input")) == 3


def test_one_batch_longer_than_the_horizon_is_cut_where_ids_lapse(bench: Bench) -> None:
    """As if the rows had come one by one."""
    rows = [served(OUT), served(10_000, T0 + 3 * HOUR), served(OUT, T0 + 3 * HOUR)]
    alone = Bench(HALF)
    at_once(bench, rows, [])
    for row in rows:
        at_once(alone, [row], [])
    assert bench.sums() == alone.sums()
    assert bench.field("input", "n_duplicate") == 0


@pytest.mark.parametrize("first", ["prediction", "feedback"])
def test_feedback_outside_is_counted_and_makes_no_dead_letter(bench: Bench, first: str) -> None:
    """Whichever comes first, however late; what never meets a prediction inside still does."""
    topics = [bench.predict(**served(OUT)), bench.tell(**truth(OUT))]
    for record in topics if first == "prediction" else topics[::-1]:
        bench.apply(record)
    bench.apply(bench.tell(**truth(IN)))
    assert bench.checkpoint().tally.sampled_out == {"fraud": 1}
    assert [key[:1] for key in bench.base.data if key[:1] == b"w"] == [b"w"]
    move_on(bench, T0 + DAY)
    bench.apply(bench.tell(**truth(OUT, T0 + DAY)))
    assert bench.checkpoint().tally.sampled_out == {"fraud": 1}
    assert bench.dead == []
    move_on(bench, T0 + 30 * DAY)
    assert [(letter.reason, letter.row) for letter in bench.dead] == [(Reason.UNMATCHED, 0)]
    assert parts(bench, "label").keys() <= {key for key in bench.panes if key[4] >= T0 + DAY}


def test_what_is_outside_leaves_the_store_with_its_own_horizon(bench: Bench) -> None:
    at_once(bench, [served(i) for i in range(N)] + [shadow(i) for i in range(N)], [])
    assert bench.state.pending == 2 * N
    move_on(bench, T0 + DAY)
    assert set(stored(bench, *range(N))) == {f"p{i}" for i in INSIDE}
    assert bench.state.pending == 2 * len(INSIDE) + 1


def in_force(bench: Bench, policy: Policy, from_ms: int) -> None:
    """Let another policy take over."""
    known = PolicyRecord(hash=policy.hash, policy=policy)
    start = Activation(model="fraud", policy=policy.hash, reference=None, effective_at_ms=from_ms)
    for record in (known, start):
        bench.control.apply("policies", record.model_dump_json().encode())


@pytest.mark.parametrize("before, after", [(ALL, HALF), (HALF, ALL)], ids=["to half", "to all"])
def test_each_prediction_keeps_to_the_policy_it_was_read_by(before: Policy, after: Policy) -> None:
    """A label meets a prediction of before; of those that did not wait none is a dead letter."""
    bench, turn_ms = Bench(before), T0 + 5 * HOUR
    in_force(bench, after, turn_ms)
    at_once(bench, [served(IN), served(OUT)], [])
    move_on(bench, T0 + 2 * DAY)
    labelled = bench.field("label", "n")
    bench.apply(*[bench.tell(**truth(i, T0 + 2 * DAY + 1)) for i in (IN, OUT)])
    bench.checkpoint()
    joined = sum(bench.field(part, "n") for part in ("label", "late_label")) - labelled
    assert joined == (2 if before is ALL else 1)
    move_on(bench, T0 + 40 * DAY)
    assert bench.dead == []


def test_feedback_waits_for_a_prediction_that_a_later_policy_lets_wait() -> None:
    """The prediction comes after its feedback, and after the share has risen."""
    bench = Bench(HALF)
    in_force(bench, ALL, T0)
    bench.apply(bench.tell(**truth(OUT, T0 - MINUTE)))
    bench.checkpoint()
    bench.apply(bench.predict(**served(OUT, T0)))
    bench.checkpoint()
    assert bench.field("label", "n") + bench.field("late_label", "n") == 1


def test_feedback_that_waited_for_a_prediction_outside_is_counted_when_it_comes() -> None:
    bench = Bench(ALL)
    in_force(bench, HALF, T0)
    bench.apply(bench.tell(**truth(OUT, T0 + MINUTE)))
    assert bench.checkpoint().tally.sampled_out == {}
    bench.apply(bench.predict(**served(OUT, T0)))
    assert bench.checkpoint().tally.sampled_out == {"fraud": 1}
    assert not [key for key in bench.base.data if key[:1] == b"w"]
    assert bench.field("label", "n") == 0


def test_a_policy_that_leaves_it_out_says_what_it_said_before() -> None:
    """The hash, and so every id that follows from it; and the layout of panes."""
    silent = ALL.model_dump(mode="json", exclude={"join", "dedupe"})
    assert ALL.hash == content_id(silent) == Policy.model_validate(ALL.model_dump()).hash
    assert HALF.hash != ALL.hash
    assert SAMPLED not in Bench(ALL).plan().inputs
    assert SAMPLED in Bench(HALF).plan().inputs
