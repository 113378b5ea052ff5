"""INGEST makes the same of events in Arrow as of the same events in JSON, whatever befalls them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from arrow_streams import batch_of, stream_of
from hypothesis import given, settings
from hypothesis import strategies as st
from shards import DAY, HOUR, Bench
from tasks import DRAWS, events

from detectors.answers import with_answers
from detectors.embeddings.columns import with_embeddings
from schemas import cloudevents
from schemas.policy import FeatureContract, FeatureType, Labels, Policy, Task
from schemas.predictions import Output
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from schemas.review import Review
from schemas.watch import Fairness, Patterns
from streams.ingest.decode import runs
from streams.runtime.partitioner import partition_of

Event = dict[str, Any]
Message = tuple[str, list[Event]]
"""A topic and the events of one of its messages."""

STAMP_MS = 6 * HOUR


def policy_of(task: str) -> tuple[Policy, ReferenceProfile]:
    """A policy that looks at everything, with a reference that knows it."""
    known, _ = events(task, hour=0, n=200, seed=9)
    profile = build(
        "m", {"x": [0.1 * i for i in range(200)], "kind": ["a", "b"] * 100}, source="test"
    )
    profile = with_answers(profile, [Output.model_validate(e["output"]) for e in known])
    profile = with_embeddings(profile, [{"text": [0.1 * i, 1.0]} for i in range(50)])
    policy = Policy(
        model="m",
        task=Task(task),
        pane="1h",
        lateness="10m",
        labels=Labels(horizon="1d", maturity="6h", lateness="3h"),
        features={
            "x": FeatureContract(min=-2, max=2),
            "kind": FeatureContract(type=FeatureType.CATEGORICAL, categories=["a", "b"]),
        },
        segments=["k"],
        fairness=Fairness(groups=["g"]),
        max_segments=2,
        patterns=Patterns(repeats=True),
        review=Review(audit=0.3),
    )
    return policy, profile


def traffic(task: str, seed: int) -> tuple[list[Event], list[Event]]:
    """Predictions of an hour and feedback on them, with everything that may go wrong."""
    predictions, feedback = events(task, hour=5, n=60, seed=seed)
    rng = np.random.default_rng(seed)
    for i, event in enumerate(predictions):
        event["segments"] = {"k": f"v{rng.integers(4)}"} if rng.random() < 0.6 else {}
        event["groups"] = {"g": "f"} if rng.random() < 0.5 else {}
        event["features"] |= {"kind": str(rng.choice(["a", "b", "c"]))}
        if rng.random() < 0.8:
            event["embeddings"] = {"text": rng.normal(size=int(rng.integers(1, 4))).tolist()}
        event["latency_ms"] = float(rng.lognormal(3))
        event["error"] = "down" if rng.random() < 0.1 else None
        event["version"] = f"v{rng.integers(2)}"
        match int(rng.integers(12)):
            case 0:
                event["prediction_id"] = predictions[int(rng.integers(60))]["prediction_id"]
            case 1:
                event |= {"arm": "shadow", "pair_id": f"5-{rng.integers(60)}", "version": "v9"}
            case 2:
                event["time"] -= int(rng.integers(HOUR))
            case 3:
                event["time"] += 2 * DAY
            case 4:
                event["time"] -= 5 * HOUR
            case 5:
                event["arm"] = "canary"
            case 6:
                event["latency_ms"] = -1.0
            case 7:
                event["features"]["kind"] = None
            case 8:
                event["prediction_id"] = "" if rng.random() < 0.5 else f"é{i}"
    return predictions, feedback


def encoded(message: Message, *, arrow: bool) -> bytes:
    topic, held = message
    if not arrow or topic == "feedback":
        return json.dumps([_without_nulls(event) for event in held]).encode()
    return stream_of(batch_of(held))


def _without_nulls(event: Event) -> Event:
    features = event.get("features")
    if features is None:
        return event
    return {**event, "features": {k: v for k, v in features.items() if v is not None}}


def told(task: str, messages: list[Message], arrow: list[bool], sizes: list[int]) -> Bench:
    """A shard that read the messages in batches of these sizes, with a checkpoint after each."""
    shard = Bench(
        *policy_of(task),
        partitions_of=lambda keys: [partition_of(key, 8) == 3 for key in keys],
    )
    records = [
        shard.record(message[0], encoded(message, arrow=flag), timestamp_ms=STAMP_MS)
        for message, flag in zip(messages, arrow, strict=True)
    ]
    start = 0
    for size in [*sizes, len(records)]:
        shard.apply(*records[start : start + size])
        shard.checkpoint()
        start += size
    return shard


def outcome(shard: Bench) -> dict[str, Any]:
    """Everything that a shard handed on; of dead letters, all but the bytes."""
    return {
        "panes": shard.sums(),
        "routes": shard.routes,
        "join": shard.base.tables,
        "dead": sorted(
            (dead.topic, dead.offset, dead.row, dead.id, dead.reason, dead.field, dead.message)
            for dead in shard.dead
        ),
        "state": shard.state,
    }


@pytest.mark.parametrize("task", sorted(DRAWS))
@settings(deadline=None, max_examples=5)
@given(data=st.data())
def test_the_same_events_make_the_same_panes(task: str, data: st.DataObject) -> None:
    """Panes, routes, join records, dead letters and state, for every task and in any batches."""
    predictions, feedback = traffic(task, data.draw(st.integers(0, 1_000)))
    messages: list[Message] = [("feedback", feedback[:30])]
    rest = predictions
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        messages.append(("predictions", rest[:size]))
        rest = rest[size:]
    messages.append(("feedback", feedback))
    sizes = data.draw(st.lists(st.integers(1, 3), max_size=3))
    mixed = [data.draw(st.booleans()) for _ in messages]
    wholly_json, wholly_arrow, some = (
        outcome(told(task, messages, arrow, sizes))
        for arrow in ([False] * len(messages), [True] * len(messages), mixed)
    )
    assert wholly_json["panes"]
    for name, value in wholly_json.items():
        assert wholly_arrow[name] == value, name
        # When keys lapse is listed once for each run of one format.
        assert name == "join" or some[name] == value, name


def test_all_that_may_go_wrong_goes_wrong() -> None:
    """The test above would say little if it did not."""
    predictions, feedback = traffic("binary", 1)
    messages = [("predictions", predictions), ("feedback", feedback)]
    shard = told("binary", messages, [True, False], [])
    reasons = {dead.reason.value for dead in shard.dead}
    assert reasons >= {"bad_shape", "future", "stray"}
    for name in ("n", "n_duplicate", "n_error", "n_pair"):
        assert shard.field("input", name) > 0, name
    assert shard.field("late_input", "n") > 0
    assert shard.field("label", "n") > 0
    assert shard.last is not None
    assert shard.last.reviews


def test_heartbeats_and_rows_keep_their_order() -> None:
    """A heartbeat between two Arrow messages makes the second late."""
    shard = Bench(*policy_of("binary"))
    predictions, _ = events("binary", hour=5, n=4, seed=1)
    kind = (("ce_type", cloudevents.HEARTBEAT.encode()),)
    shard.apply(
        shard.record("predictions", stream_of(batch_of(predictions[:2]))),
        shard.record("predictions", {"time": 5 * HOUR + 2 * HOUR}, headers=kind),
        shard.record("predictions", stream_of(batch_of(predictions[2:]))),
        shard.record("predictions", predictions[:1]),
    )
    shard.checkpoint()
    assert shard.field("input", "n") == 2
    assert shard.field("late_input", "n") == 2
    assert shard.field("late_input", "n_duplicate") == 1


def test_large_batches_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded by bytes, and nothing changes by it."""
    predictions, _ = events("binary", hour=5, n=50, seed=1)
    messages: list[Message] = [("predictions", [event]) for event in predictions]
    whole = outcome(told("binary", messages, [True] * 50, []))
    monkeypatch.setattr(runs, "ARROW_BYTES", 2_000)
    assert outcome(told("binary", messages, [True] * 50, [])) == whole


def test_ingest_starts_without_arrow() -> None:
    """It is imported when the first such message has come."""
    code = "import sys, streams.ingest.pipeline; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
