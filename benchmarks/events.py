"""Predictions of about 300 bytes with eight numeric features, and a truth for each."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from schemas import topics
from schemas.policy import Budgets, FeatureContract, LatencyBudget, Policy, Task
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from streams.records import Message
from streams.runtime.settings import Settings

MODEL = "fraud"
START_MS = 1_750_000_000_000
STEP_MS = 1
"""A thousand predictions in each second of event time."""

FEATURES = ("amount", "age", "balance", "tenure", "velocity", "distance", "hour", "risk")

POLICY = Policy(
    model=MODEL,
    task=Task.BINARY,
    features={"amount": FeatureContract(min=0), "age": FeatureContract(min=18, max=99)},
    segments=["region"],
    budgets=Budgets(error_rate=0.2, latency=LatencyBudget(limit_ms=200)),
)


def predictions(settings: Settings, count: int) -> Iterator[Message]:
    """``count`` predictions: two versions, three values of a segment, in order of time."""
    rng = np.random.default_rng(1)
    features = _features(rng, count)
    scores = rng.beta(1, 6, count).round(4).tolist()
    latency = rng.lognormal(3.5, 0.6, count).round(2).tolist()
    canary = (rng.random(count) < 0.1).tolist()
    region = rng.choice(["EU", "US", "AP"], count).tolist()
    columns = [features[name].tolist() for name in FEATURES]
    for i, values in enumerate(zip(*columns, strict=True)):
        event = {
            "prediction_id": f"tx-{i:08d}",
            "model": MODEL,
            "version": "v2" if canary[i] else "v1",
            "arm": "canary" if canary[i] else "baseline",
            "time": START_MS + i * STEP_MS,
            "output": {"score": scores[i]},
            "features": dict(zip(FEATURES, values, strict=True)),
            "segments": {"region": region[i]},
            "latency_ms": latency[i],
        }
        yield _message(settings.topic(topics.PREDICTIONS), i, event)


def feedback(settings: Settings, count: int) -> Iterator[Message]:
    """The truth of each of these predictions, ten minutes later."""
    labels = (np.random.default_rng(2).random(count) < 0.15).tolist()
    for i, label in enumerate(labels):
        event = {
            "prediction_id": f"tx-{i:08d}",
            "model": MODEL,
            "time": START_MS + i * STEP_MS + 600_000,
            "label": label,
        }
        yield _message(settings.topic(topics.FEEDBACK), i, event)


def reference() -> ReferenceProfile:
    """A profile of such predictions, so that every feature has its histogram."""
    rng = np.random.default_rng(3)
    columns = {name: column.tolist() for name, column in _features(rng, 5_000).items()}
    return build(MODEL, columns, score=rng.beta(1, 6, 5_000).tolist(), source="benchmark")


def _features(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    return {
        "amount": rng.lognormal(3, 1, count).round(2),
        "age": rng.integers(18, 90, count),
        "balance": rng.normal(1_500, 800, count).round(2),
        "tenure": rng.integers(0, 240, count),
        "velocity": rng.exponential(2, count).round(3),
        "distance": rng.lognormal(2, 1.5, count).round(2),
        "hour": rng.integers(0, 24, count),
        "risk": rng.random(count).round(4),
    }


def _message(topic: str, i: int, event: dict[str, object]) -> Message:
    value = json.dumps(event, separators=(",", ":")).encode()
    return Message(topic=topic, key=f"tx-{i:08d}".encode(), value=value)
