"""The bank example as a stream: the same each time, in order, with the faults it declares."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from itertools import islice

import pytest
from pydantic import BaseModel, ValidationError

from examples.bank.events import (
    CANARY_FROM_MS,
    CANARY_SHARE,
    CANARY_UNTIL_MS,
    Publication,
    events,
    publications,
)
from examples.bank.simulate import DAY_MS, LABEL_MAX_MS, Event
from schemas.deployments import DeploymentEvent
from schemas.feedback import FeedbackEvent
from schemas.predictions import PredictionEvent

TYPES: dict[str, type[BaseModel]] = {
    "predictions": PredictionEvent,
    "feedback": FeedbackEvent,
    "deployments": DeploymentEvent,
}
DIGEST = "14bbeabf3034f2f033c346617c35f28a7c1d43fcb9a4227772755aeff9033972"
COUNTS = {"predictions": 41_336, "feedback": 41_222, "deployments": 3}
BROKEN = {"predictions": 23, "feedback": 4}
TWICE = {"predictions": 125, "feedback": 209}
KINDS = {"truth": 40_951, "correction": 220, "retraction": 47}


@pytest.fixture(scope="module")
def stream() -> list[Publication]:
    return list(publications())


def accepted(topic: str, event: Event) -> bool:
    try:
        TYPES[topic].model_validate_json(json.dumps(event))
    except ValidationError:
        return False
    return True


@pytest.fixture(scope="module")
def good(stream: list[Publication]) -> list[Publication]:
    return [one for one in stream if accepted(one.topic, one.event)]


def of(stream: list[Publication], topic: str) -> list[Publication]:
    return [one for one in stream if one.topic == topic]


def test_the_stream_is_the_same_each_time(stream: list[Publication]) -> None:
    """Every byte of the stream is pinned."""
    digest = hashlib.sha256()
    for one in stream:
        digest.update(json.dumps(one, sort_keys=True).encode())
    assert digest.hexdigest() == DIGEST


def test_events_are_in_order_of_publication(stream: list[Publication]) -> None:
    """Nothing is published before what precedes it, nor before it happened."""
    times = [one.time_ms for one in stream]
    assert times == sorted(times)
    assert all(
        one.event["time"] <= one.time_ms for one in stream if isinstance(one.event["time"], int)
    )


def test_counts_are_those_declared(stream: list[Publication], good: list[Publication]) -> None:
    """So many events of each topic, broken ones, kinds of feedback."""
    assert Counter(one.topic for one in stream) == COUNTS
    broken = Counter(one.topic for one in stream) - Counter(one.topic for one in good)
    assert broken == BROKEN
    assert Counter(one.event["kind"] for one in of(good, "feedback")) == KINDS


@pytest.mark.parametrize("topic", ["predictions", "feedback"])
def test_only_declared_duplicates_repeat(good: list[Publication], topic: str) -> None:
    """What comes twice is byte for byte the same, and comes no third time."""
    bodies = Counter(json.dumps(one.event, sort_keys=True) for one in of(good, topic))
    assert set(bodies.values()) == {1, 2}
    assert sum(count == 2 for count in bodies.values()) == TWICE[topic]
    if topic == "predictions":
        assert len({one.key for one in of(good, topic)}) == len(bodies) == 41_188


def test_keys_are_the_ids(stream: list[Publication]) -> None:
    """Predictions and feedback are keyed alike, so that they meet in one partition."""
    for one in stream:
        field = "model" if one.topic == "deployments" else "prediction_id"
        assert one.key == one.event[field]


def test_labels_come_late_but_within_two_weeks(good: list[Publication]) -> None:
    """The median label is booked after three days, the last after fourteen."""
    called = {one.key: one.event["time"] for one in of(good, "predictions")}
    first = {
        one.key: one.event["time"] for one in of(good, "feedback") if one.event["kind"] == "truth"
    }
    delays = sorted(
        booked - made
        for key, booked in first.items()
        if isinstance(booked, int) and isinstance(made := called[key], int)
    )
    assert 2.9 * DAY_MS < delays[len(delays) // 2] < 3.1 * DAY_MS
    assert (delays[0] > 0, delays[-1]) == (True, LABEL_MAX_MS)


def test_changes_of_a_label_follow_it(good: list[Publication]) -> None:
    """A correction or retraction comes after the label it changes, within 24 days of the call."""
    seen: dict[str, int] = {}
    changes = 0
    for one in good:
        if one.topic == "predictions":
            continue
        if one.topic == "feedback" and one.event["kind"] == "truth":
            seen.setdefault(one.key, one.time_ms)
        elif one.topic == "feedback":
            changes += 1
            assert DAY_MS <= one.time_ms - seen[one.key] <= 10 * DAY_MS
    assert changes == KINDS["correction"] + KINDS["retraction"]


def test_the_canary_serves_its_share_in_its_time(good: list[Publication]) -> None:
    """v2 serves three calls of ten of the planned time, v1 everything else."""
    predictions = {one.key: one.event for one in of(good, "predictions")}.values()
    during = [
        event
        for event in predictions
        if isinstance(time := event["time"], int) and CANARY_FROM_MS <= time < CANARY_UNTIL_MS
    ]
    canary = [event for event in predictions if event["arm"] == "canary"]
    assert all(event in during for event in canary)
    assert abs(len(canary) / len(during) - CANARY_SHARE) < 0.02
    assert {(event["arm"], event["version"]) for event in predictions} == {
        ("baseline", "v1"),
        ("canary", "v2"),
    }


def test_a_consumer_can_end_the_canary() -> None:
    """Once told to stop, the stream says so and routes every later call to v1, for good."""
    stop_ms = CANARY_FROM_MS + 3 * DAY_MS
    asked: list[int] = []

    def live(time_ms: int) -> bool:
        asked.append(time_ms)
        return time_ms < stop_ms

    steered = [
        one for one in publications(limit=24_000, canary_live=live) if one.topic != "feedback"
    ]
    stopped = [one for one in steered if one.event.get("action") == "canary_stopped"]
    assert len(stopped) == 1
    assert stopped[0].time_ms == asked[-1] >= stop_ms
    after = steered[steered.index(stopped[0]) :]
    assert {one.event.get("arm") for one in after if one.topic == "predictions"} == {"baseline"}


def test_deployments_tell_the_plan(stream: list[Publication]) -> None:
    """v1 is deployed before the first call; the canary starts and stops as planned."""
    told = [(one.event["action"], one.event["generation"]) for one in of(stream, "deployments")]
    assert told == [("deployed", 1), ("canary_started", 2), ("canary_stopped", 3)]
    assert stream[0].event["action"] == "deployed"


def test_a_limit_changes_no_call() -> None:
    """The first calls look the same however many follow."""
    few = {json.dumps(event) for _, _, event in events(limit=200)}
    more = {json.dumps(event) for _, _, event in events(limit=2_000)}
    assert few <= more


def test_the_stream_is_lazy() -> None:
    """A consumer that takes ten events gets ten."""
    assert len(list(islice(events(), 10))) == 10
