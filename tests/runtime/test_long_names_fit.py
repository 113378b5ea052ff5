"""Names and ids of the greatest length, in the longest characters, fit into every record."""

from __future__ import annotations

import json

from schemas import topics
from schemas.policy import Labels, Policy, Task
from streams.records import Message
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.settings import Settings

T0 = 20_000 * 86_400_000
HOUR = 3_600_000
MODEL = "🐦" * 200
SETTINGS = Settings(shards=1, poll_ms=0, checkpoint_ms=1 << 60, checkpoint_records=1 << 60)
POLICY = Policy(
    model=MODEL,
    task=Task.BINARY,
    labels=Labels(horizon="1h", maturity="0s", lateness="0s"),
    segments=["🐦" * 200],
)


def publish(cluster: Cluster, topic: str, event: dict[str, object], time_ms: int) -> None:
    value = json.dumps({"model": MODEL, "time": time_ms, **event}).encode()
    cluster.transport.sender().send(Message(topic, value, partition=0, timestamp_ms=time_ms))


def test_a_thousand_of_the_longest_ids_in_one_checkpoint() -> None:
    """They are joined, and lapse; nothing is too large for the log."""
    with Cluster(SETTINGS, clock=ManualClock()) as cluster:
        activate(cluster.transport.sender(), SETTINGS, POLICY)
        for i in range(1_000):
            name = {"prediction_id": "🐦" * 252 + f"{i:04}"}
            told = {"version": "🐦" * 200, "segments": {"🐦" * 200: "🐦" * 200}}
            publish(cluster, topics.PREDICTIONS, {**name, **told, "output": {"score": 0.9}}, T0)
            publish(cluster, topics.FEEDBACK, {**name, "label": True}, T0 + 1)
        cluster.drain()
        last = {"prediction_id": "last"}
        for topic, more in (
            (topics.PREDICTIONS, {"version": "v", "output": {"score": 0.9}}),
            (topics.FEEDBACK, {"label": True}),
        ):
            publish(cluster, topic, {**last, **more}, T0 + 5 * HOUR)
        cluster.drain()
        windows = [json.loads(r.value or b"") for r in cluster.transport.read(topics.WINDOWS, 0)]
        assert max(window["coverage"]["labelled"] for window in windows) == 1_000
        pending = cluster.metrics.registry.get_sample_value(
            "kittiwake_pending_predictions", {"shard": "0"}
        )
        assert pending == 1
