"""Feedback joined in columns: the same as row by row, whatever comes and in whichever batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from shards import DAY, HOUR, MINUTE, Bench, Event

from detectors.answers import with_answers
from schemas.policy import Labels, Policy, Review, Task
from schemas.predictions import Output
from schemas.reference import ReferenceProfile
from streams.ingest.feedback import Feedback
from streams.ingest.join.label_columns import after, of_states
from streams.ingest.join.label_state import NO_LABEL, LabelState

T0 = 100 * DAY
IDS = 60
OUTPUTS: dict[str, list[dict[str, Any]]] = {
    "binary": [{"score": 0.2}, {"score": 0.9, "label": False}, {}],
    "multiclass": [{"scores": {"cat": 0.7, "dog": 0.3}}, {"label": "1", "score": 0.5}, {}],
    "regression": [{"value": 1.5, "interval": [1.0, 2.0]}, {"value": -3.0}, {}],
    "ranking": [{"items": ["a", "b", "c"]}, {"items": []}, {}],
    "chat": [{"signals": {"tokens": 12.0}}],
}
USUAL: dict[str, list[dict[str, Any]]] = {
    "binary": [{"label": label} for label in (True, False, 1, 0, "1", "no")],
    "multiclass": [{"label": label} for label in ("cat", "dog", 1, "1", True)],
    "regression": [{"value": value} for value in (-0.0, 1.5, 1e300)] + [{"label": 7}],
    "ranking": [{"label": "a"}, {"signals": {"clicked": "b"}}, {"signals": {"clicked": 0.0}}],
    "chat": [{"label": True}, {"signals": {"thumbs": -1.0, "regenerated": 1.0}}],
}
UNUSUAL: list[dict[str, Any]] = [
    {},
    {"label": "what?"},
    {"label": -(1 << 70)},
    {"label": 1 << 400},
    {"signals": {"revenue": 3.0}},
]
KINDS = ("truth", "correction", "retraction", "review", "signal")


def bench_of(task: str, *, disputed: float = 0.0, propensity: bool = True) -> Bench:
    """A shard of a task, with whatever a policy can ask of its labels."""
    answers = [Output.model_validate(output) for output in OUTPUTS[task] if output]
    profile = with_answers(ReferenceProfile(model="m", n=len(answers)), answers)
    policy = Policy(
        model="m",
        task=Task(task),
        pane="1h",
        lateness="10m",
        segments=["k"],
        labels=Labels(
            horizon="2d",
            maturity="6h",
            lateness="1h",
            sources=["crm", "bank"],
            propensity=propensity,
        ),
        review=Review(disputed=disputed),
    )
    return Bench(policy, profile)


Batch = tuple[str, list[Event]]


def prediction(random: Random, task: str) -> Event:
    """An answer that served, or the shadow of one."""
    number = random.randrange(IDS)
    served = {"prediction_id": f"p{number}", "arm": random.choice(["baseline", "canary"])}
    beside = {"prediction_id": f"s{number}", "arm": "shadow", "pair_id": f"p{number}"}
    return {
        **(beside if random.random() < 0.1 else served),
        "model": "m",
        "version": random.choice(["v1", "v2"]),
        "time": T0 + random.randrange(40) * 10 * MINUTE,
        "output": random.choice(OUTPUTS[task]),
        "segments": random.choice([{}, {"k": "a"}, {"k": "b"}]),
    }


def feedback(random: Random, task: str, hour: float) -> Event:
    """What may be said of a prediction around an hour, also of one that never was."""
    return {
        "prediction_id": f"p{random.randrange(IDS + 2)}",
        "model": "m" if random.random() < 0.97 else "unknown",
        "time": T0 + int((hour + random.choice([-9, -2, 0, 0, 0, 0.5, 1])) * HOUR),
        "kind": random.choice(KINDS) if random.random() < 0.5 else "truth",
        **random.choice(USUAL[task] if random.random() < 0.85 else UNUSUAL),
        **random.choice([{}, {}, {"propensity": random.choice([0.25, 1e-9, 1.0])}]),
        **random.choice([{}, {"source": random.choice(["crm", "bank", "nobody"])}]),
    }


def batches(random: Random, task: str) -> list[Batch]:
    """What is read, batch by batch; a batch without rows is a checkpoint and a restart."""
    found: list[Batch] = [("predictions", [prediction(random, task) for _ in range(IDS)])]
    hours = sorted(random.choice([0, 1, 5, 10, 15, 47, 50, 54, 80]) for _ in range(8))
    for hour in hours:
        found.append(("feedback", [feedback(random, task, hour) for _ in range(30)]))
        if random.random() < 0.3:
            found.append(("predictions", [prediction(random, task) for _ in range(5)]))
        if random.random() < 0.3:
            found.append(("", []))
    return found


def read(bench: Bench, found: Sequence[Batch]) -> dict[str, Any]:
    """All that a shard makes of batches."""
    joined: Counter[str] = Counter()
    reviews: list[Any] = []
    for topic, events in [*found, ("", [])]:
        if events:
            bench.apply(*(bench.record(topic, event) for event in events))
            continue
        done = bench.checkpoint()
        joined.update(done.tally.joined)
        reviews += done.reviews
        bench.restart()
    return {
        "panes": bench.sums(),
        "predictions": bench.base.pending("m", [f"p{number}" for number in range(IDS)]),
        "dead": bench.dead,
        "joined": joined,
        "reviews": reviews,
        "pending": bench.state.pending,
    }


@pytest.mark.parametrize("task", OUTPUTS)
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1 << 32), disputed=st.sampled_from([0.0, 0.5, 1.0]))
def test_columns_are_the_same_as_rows(task: str, seed: int, disputed: float) -> None:
    """Sums, packed labels, dead letters, reviews and tallies are equal, bit for bit."""
    found = batches(Random(seed), task)
    with pytest.MonkeyPatch.context() as patch:
        left = left_over(patch)
        columns = read(bench_of(task, disputed=disputed), found)
    assert sum(left) < sum(len(events) for topic, events in found if topic == "feedback")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Feedback, "_in_columns", lambda _self, heard, *_: range(len(heard.names)))
        rows = read(bench_of(task, disputed=disputed), found)
    assert columns == rows


def left_over(patch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each batch leaves to be joined one by one, as they come."""
    left: list[int] = []
    by_row = Feedback._one_by_one

    def counted(self: Feedback, heard: Any, found: Any, rest: Sequence[int], more: Any) -> None:
        left.append(len(rest))
        by_row(self, heard, found, rest, more)

    patch.setattr(Feedback, "_one_by_one", counted)
    return left


def test_what_is_common_takes_no_way_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Truth, corrections, reviews and retractions, on time and late, are all joined in columns."""
    left = left_over(monkeypatch)
    bench = bench_of("binary")
    common = {"model": "m", "version": "v1", "time": T0, "output": {"score": 0.2}}
    bench.apply(*(bench.predict(prediction_id=f"p{i}", **common) for i in range(5)))
    for hour, kind in ((1, "truth"), (2, "correction"), (3, "review"), (30, "retraction")):
        told = {"model": "m", "time": T0 + hour * HOUR, "kind": kind, "label": hour == 1}
        bench.apply(*(bench.tell(prediction_id=f"p{i}", **told) for i in range(4)))
    bench.apply(bench.tell(prediction_id="p4", model="m", time=T0 + 31 * HOUR, label="what?"))
    assert left == [0, 0, 0, 0, 1]
    bench.checkpoint()
    assert [letter.field for letter in bench.dead] == ["label"]
    assert bench.field("label", "n") == 4
    assert bench.field("late_label", "n") == -4


@pytest.mark.parametrize(
    ("delay_ms", "found"),
    [
        (-HOUR - 1, (0, 0, "time")),
        (-HOUR, (1, 0, "")),
        (7 * HOUR, (1, 0, "")),
        (7 * HOUR + 1, (0, 1, "")),
        (2 * DAY, (0, 1, "")),
        (2 * DAY + 1, (0, 0, "time")),
    ],
)
def test_the_times_between_which_a_label_counts(delay_ms: int, found: tuple[int, int, str]) -> None:
    """From the allowed lateness before the prediction to the horizon; tests see it to maturity."""
    bench = bench_of("binary")
    common = {"model": "m", "version": "v1", "time": T0, "output": {"score": 0.2}}
    bench.apply(*(bench.predict(prediction_id=f"p{i}", **common) for i in range(3)))
    told = {"model": "m", "time": T0 + delay_ms, "label": True}
    bench.apply(*(bench.tell(prediction_id=f"p{i}", **told) for i in range(3)))
    bench.checkpoint()
    counted = [bench.field(part, "n") for part in ("label", "late_label")]
    assert counted == [3 * found[0], 3 * found[1]]
    assert [letter.field for letter in bench.dead] == ([found[2]] * 3 if found[2] else [])


STATES = st.builds(
    LabelState,
    truth=st.sampled_from([None, 0.0, 1.0, 2.5]),
    time_ms=st.integers(0, 4),
    marks=st.integers(0, 31),
    source=st.integers(0, 2),
    chance=st.sampled_from([0, 1, 60_000]),
)


@given(pairs=st.lists(st.tuples(st.one_of(st.just(NO_LABEL), STATES), STATES), min_size=1))
def test_states_follow_each_other_as_one_by_one(pairs: list[tuple[LabelState, LabelState]]) -> None:
    """`after` in columns is `LabelState.after`, and leaves what it was given as it was."""
    old, new = (of_states([pair[side] for pair in pairs]) for side in (0, 1))
    kept = old.copy(), new.copy()
    expected = of_states([before.after(said) for before, said in pairs])
    assert (after(old, new) == expected).all()
    assert (old == kept[0]).all() and (new == kept[1]).all()
