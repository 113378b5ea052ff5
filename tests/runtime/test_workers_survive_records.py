"""No record that anybody can publish stops INGEST: each costs only itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from scenario import T0

from schemas import topics
from schemas.dead_letters import DeadLetter
from schemas.policy import FeatureContract, Labels, Policy, Task
from schemas.windows import WindowResult
from streams.records import Message
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.local_log import LARGEST_MESSAGE
from streams.runtime.settings import Settings

HOUR = 3_600_000
SETTINGS = Settings(shards=1, poll_ms=0, checkpoint_ms=1 << 60, checkpoint_records=1 << 60)
POLICY = Policy(
    model="prices",
    task=Task.REGRESSION,
    labels=Labels(horizon="2h", maturity="1h", lateness="0s", coverage=0.1),
    features={"area": FeatureContract(min=0, max=1_000)},
    segments=["region"],
)
ROOM = LARGEST_MESSAGE - 2_000


def prediction(name: str, **more: Any) -> dict[str, Any]:
    return {
        "prediction_id": name,
        "model": "prices",
        "version": "v1",
        "time": T0,
        "output": {"value": 3.0, "interval": [1.0, 4.0]},
        **more,
    }


def feedback(name: str, **more: Any) -> dict[str, Any]:
    return {"prediction_id": name, "model": "prices", "time": T0 + 1, "value": 2.0, **more}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster(SETTINGS, clock=ManualClock())
    sender = made.transport.sender()
    activate(sender, SETTINGS, POLICY)
    with made:
        yield made


def publish(cluster: Cluster, topic: str, value: Any, *, stamp_ms: int = T0 + HOUR) -> None:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    cluster.transport.sender().send(Message(topic, raw, key=b"k", timestamp_ms=stamp_ms))


def outcome(cluster: Cluster) -> tuple[WindowResult, list[DeadLetter]]:
    """The window of the whole stream, and the dead letters, once a good row has been added."""
    publish(cluster, topics.PREDICTIONS, prediction("good"))
    publish(cluster, topics.FEEDBACK, feedback("good"))
    for hours in (9, 10):
        time_ms = T0 + hours * HOUR
        name = f"last-{hours}"
        publish(cluster, topics.PREDICTIONS, prediction(name, time=time_ms), stamp_ms=time_ms)
        publish(cluster, topics.FEEDBACK, feedback(name, time=time_ms), stamp_ms=time_ms)
        cluster.drain()
    windows = [
        WindowResult.model_validate_json(record.value or b"")
        for record in cluster.transport.read(topics.WINDOWS, 0)
    ]
    whole = [w for w in windows if w.segment == "" and w.start_ms == T0]
    dead = [
        DeadLetter.model_validate_json(record.value or b"")
        for record in cluster.transport.read(topics.DEAD_LETTERS, 0)
    ]
    return whole[-1], dead


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"x" * ROOM,
        b"[" * ROOM,
        b'{"prediction_id": "' + b"i" * ROOM,
        json.dumps(prediction("p", time="t" * ROOM)).encode(),
        json.dumps(prediction("p", features={"f" * (ROOM - 300): []})).encode(),
        json.dumps(prediction("p", model="m" * ROOM)).encode(),
        json.dumps(prediction("p", model="unknown", error="e" * (ROOM - 200))).encode(),
    ],
    ids=["empty", "null", "noise", "brackets", "cut", "time", "feature", "model", "no policy"],
)
def test_an_unusable_record_is_one_dead_letter_that_fits(cluster: Cluster, value: bytes) -> None:
    """However long: the dead letter holds its first bytes and where all of it stands."""
    publish(cluster, topics.PREDICTIONS, value)
    window, dead = outcome(cluster)
    assert (window.predictions, window.coverage.labelled) == (1, 1)
    assert len(dead) == 1
    assert (dead[0].topic, dead[0].partition, dead[0].offset) == (topics.PREDICTIONS, 0, 0)
    kept = base64.b64decode(dead[0].value_base64)
    assert value.startswith(kept)
    assert len(kept) in (len(value), 600_000)
    assert ("bytes are kept" in dead[0].message) == (len(kept) < len(value))


def test_a_bad_row_of_a_batch_brings_only_itself(cluster: Cluster) -> None:
    """A thousand bad rows are not a thousand copies of the batch."""
    batch = [{"prediction_id": f"bad-{i}"} for i in range(1_000)]
    rows = [prediction(f"new-{i}", model="unknown", trace={"a": "b"}) for i in range(500)]
    publish(cluster, topics.PREDICTIONS, [*batch, prediction("fine"), *rows])
    window, dead = outcome(cluster)
    assert window.predictions == 2
    assert [letter.row for letter in dead] == [*range(1_000), *range(1_001, 1_501)]
    values = [json.loads(base64.b64decode(letter.value_base64)) for letter in dead]
    assert values[:1_000] == batch
    assert [v["prediction_id"] for v in values[1_000:]] == [r["prediction_id"] for r in rows]


def test_numbers_beyond_every_float_are_no_end(cluster: Cluster) -> None:
    """A feature is out of range then, a truth unusable."""
    features = {"area": 10**400}
    publish(cluster, topics.PREDICTIONS, prediction("p", features=features, latency_ms=1e300))
    publish(cluster, topics.FEEDBACK, feedback("p", value=None, label=10**400))
    window, dead = outcome(cluster)
    assert window.predictions == 2
    rate = next(m for m in window.metrics if m.name == "out_of_range_rate")
    assert (rate.feature, rate.value, rate.n) == ("area", 1.0, 1)
    assert [letter.reason for letter in dead] == ["unusable_label"]


def test_labels_as_long_as_a_record(cluster: Cluster) -> None:
    """The message repeats only their beginning."""
    publish(cluster, topics.PREDICTIONS, prediction("p"))
    cluster.step()
    publish(cluster, topics.FEEDBACK, feedback("p", value=None, label="l" * (ROOM - 200)))
    _, dead = outcome(cluster)
    assert [letter.reason for letter in dead] == ["unusable_label"]
    assert len(dead[0].message) < 4_200


def test_long_segments_count_with_the_others(cluster: Cluster) -> None:
    """They would be repeated with every pane."""
    publish(cluster, topics.PREDICTIONS, prediction("p", segments={"region": "r" * (ROOM - 300)}))
    window, dead = outcome(cluster)
    assert (window.predictions, dead) == (2, [])
    segments = {
        WindowResult.model_validate_json(record.value or b"").segment
        for record in cluster.transport.read(topics.WINDOWS, 0)
    }
    assert segments == {"", "region=<other>"}


def test_feedback_without_end_for_a_prediction_that_never_comes(cluster: Cluster) -> None:
    """What waits for one prediction is bounded; the rest is dead at once, with the reason."""
    for i in range(2_000):
        publish(cluster, topics.FEEDBACK, feedback("ghost", time=T0 + i))
    publish(cluster, topics.FEEDBACK, feedback("large", source="s", label="l" * (ROOM - 300)))
    window, dead = outcome(cluster)
    assert window.coverage.labelled == 1
    ghosts = [letter for letter in dead if "events that wait for it" in letter.message]
    assert len(ghosts) > 500
    assert {letter.reason for letter in dead} == {"unmatched"}
    assert len(dead) == 2_001
