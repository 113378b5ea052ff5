"""From a prediction to a reviewer and back: the whole loop in one process, and through crashes."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from crashes import INGEST_POINTS, CrashingTransport, Crew
from job import published
from kittiwake_client.events import encode
from kittiwake_client.kinds import FEEDBACK_EVENT
from rich.text import Text
from scenario import Scenario, closing, scenario

from schemas import topics
from schemas.policy import Labels, Policy, Task
from schemas.review import Review, ReviewReason, ReviewRequest
from schemas.windows import Metric
from streams.commands.follow import Output, _line
from streams.records import Message
from streams.results import ResultReader
from streams.runtime import catalogue
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
T0 = 20_000 * DAY
N = 400
SETTINGS = Settings(
    shards=2, poll_ms=0, poll_records=100, checkpoint_ms=1 << 60, checkpoint_records=150
)


def policy(review: Review) -> Policy:
    return Policy(
        model="fraud",
        task=Task.BINARY,
        pane="1h",
        lateness="1m",
        labels=Labels(horizon="1d", maturity="6h", lateness="1h", coverage=0.1, propensity=True),
        segments=["region"],
        review=review,
    )


def send(cluster: Cluster, topic: str, **event: Any) -> None:
    key = event["prediction_id"].encode()
    value = json.dumps({"model": "fraud", **event}).encode()
    cluster.transport.sender().send(
        Message(topic=topic, key=key, value=value, timestamp_ms=event["time"])
    )


def answer(request: ReviewRequest, label: bool, *, time_ms: int) -> Message:
    """The reviewer's word, as the client publishes it."""
    event = {
        "prediction_id": request.prediction_id,
        "model": request.model,
        "time": time_ms,
        "kind": "review",
        "label": label,
        "source": "reviewer",
        "propensity": 1 / request.weight,
    }
    made = encode(FEEDBACK_EVENT, event, source="desk", now_ms=time_ms)
    headers = tuple((name, value) for name, value in made.headers)
    return Message(
        topic=made.topic, key=made.key, value=made.value, headers=headers, timestamp_ms=time_ms
    )


def requests_of(transport: Any, settings: Settings = SETTINGS) -> list[ReviewRequest]:
    """Every request on the topic; a model's lie in one partition."""
    name = settings.topic(topics.REVIEW)
    records = [r for p in range(transport.partition_count(name)) for r in transport.read(name, p)]
    assert {record.key for record in records} <= {b"fraud"}
    return [ReviewRequest.model_validate_json(record.value) for record in records]


def test_a_review_comes_back_as_the_label_and_as_a_disagreement() -> None:
    """Labels miss every fraud; reviewers of an audit say how many there are among all."""
    fraud = [i % 8 == 0 for i in range(N)]
    metrics = Metrics("test")
    cluster = Cluster(SETTINGS, clock=ManualClock(), metrics=metrics)
    activate(cluster.transport.sender(), SETTINGS, policy(Review(audit=0.2)))
    with cluster:
        for i in range(N):
            row = {"prediction_id": f"tx-{i}", "time": T0 + i * 1_000}
            send(cluster, topics.PREDICTIONS, **row, version="v1", output={"score": 0.2})
            send(cluster, topics.FEEDBACK, **{**row, "time": T0 + HOUR}, label=False)
        cluster.drain()
        asked = requests_of(cluster.transport)
        for one in asked:
            label = fraud[int(one.prediction_id.removeprefix("tx-"))]
            cluster.transport.sender().send(answer(one, label, time_ms=T0 + 2 * HOUR))
        for message in closing(SETTINGS, T0):
            cluster.transport.sender().send(message)
        cluster.drain()
        reader = ResultReader(cluster.transport, SETTINGS)
        reader.read()
        counted = metrics.value(catalogue.REVIEWS, model="fraud", reason="audit")
    [window] = [w for w in reader.results.windows.values() if w.segment == ""]
    shown: dict[str, Metric] = {metric.name: metric for metric in window.metrics}
    changed = sum(fraud[int(one.prediction_id.removeprefix("tx-"))] for one in asked)
    assert 60 < len(asked) < 100
    assert 5 < changed < 20
    assert shown["disagreements"].n == len(asked)
    assert shown["disagreements"].value == pytest.approx(changed / len(asked))
    assert shown["error_rate"].value == pytest.approx(changed / N)
    weighted = shown["error_rate_weighted"]
    assert weighted.value == pytest.approx(changed / len(asked), rel=0.2)
    assert weighted.low <= 1 / 8 <= weighted.high
    assert counted == len(asked)


def test_tail_shows_a_request_in_one_line() -> None:
    """With what to look at, why, and what it stands for."""
    request = ReviewRequest(
        id="r1",
        model="fraud",
        version="v1",
        prediction_id="tx-[7]",
        time_ms=T0,
        reason=ReviewReason.AUDIT,
        stratum="0.2-0.3",
        weight=20.0,
        score=0.25,
        label=None,
        segment={},
        policy="p",
    )
    line = _line(Output.REVIEW, request.model_dump_json().encode())
    assert Text.from_markup(line or "").plain == (
        "2024-10-04 00:00  fraud v1  review tx-[7]: audit, score 0.25, stands for 20 of 0.2-0.3"
    )


@pytest.fixture(scope="module")
def story() -> Scenario:
    return scenario(600, span_ms=HOUR)


REVIEW = Review(uncertain=0.5, flagged=0.5, audit=0.2, disputed=0.7)


def start(transport: CrashingTransport, settings: Settings) -> None:
    transport.ensure_topics(settings.topics())
    activate(transport.sender(), settings, policy(REVIEW))


def bodies(transport: CrashingTransport) -> dict[str, set[bytes]]:
    return published(transport, SETTINGS, topics.REVIEW)


@pytest.fixture(scope="module")
def uninterrupted(story: Scenario) -> dict[str, set[bytes]]:
    """What one process asks that nobody disturbs."""
    transport = CrashingTransport()
    start(transport, SETTINGS)
    with Cluster(SETTINGS, transport=transport, clock=ManualClock()) as cluster:
        for message in [*story.messages, *closing(SETTINGS, story.end_ms)]:
            transport.sender().send(message)
        cluster.drain()
        found = bodies(transport)
    reasons = Counter(json.loads(body)["reason"] for [body] in found.values())
    assert reasons.keys() == {"uncertain", "audit", "disputed"}
    return found


@pytest.mark.parametrize("keep_disk", [True, False])
def test_crashes_ask_for_the_same_once(
    keep_disk: bool, story: Scenario, uninterrupted: dict[str, set[bytes]], tmp_path: Path
) -> None:
    """Requests leave with the checkpoint that holds their predictions, or not at all."""
    rng, transport = random.Random(11), CrashingTransport()
    start(transport, SETTINGS)
    crew = Crew(transport, SETTINGS, tmp_path, keep_disk=keep_disk)
    messages = [*story.messages, *closing(SETTINGS, story.end_ms)]
    while messages:
        size = rng.randint(60, 180)
        for message in messages[:size]:
            transport.sender().send(message)
        del messages[:size]
        crew.step()
        crew.crash_ingest(0, rng.choice(INGEST_POINTS), rng)
    crew.drain()
    crew.close()
    assert {f"ingest {point}" for point in INGEST_POINTS} == crew.crashes.keys()
    assert bodies(transport) == uninterrupted
    assert len(requests_of(transport)) == len(uninterrupted)
