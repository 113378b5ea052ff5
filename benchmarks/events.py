"""Predictions of about 300 bytes with eight numeric features, and a truth for each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks import messages
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

REPEATED = frozenset({"version", "arm", "segments.region"})
"""Columns of a few different texts."""

POLICY = Policy(
    model=MODEL,
    task=Task.BINARY,
    features={"amount": FeatureContract(min=0), "age": FeatureContract(min=18, max=99)},
    segments=["region"],
    budgets=Budgets(error_rate=0.2, latency=LatencyBudget(limit_ms=200)),
)


def key(number: int) -> str:
    """The id of a prediction."""
    return f"tx-{number:08d}"


def predictions(settings: Settings, count: int, *, step_ms: int = STEP_MS) -> Iterator[Message]:
    """``count`` predictions: two versions, three values of a segment, in order of time."""
    columns = _columns(count, step_ms)
    features = zip(*(columns.pop(f"features.{name}").tolist() for name in FEATURES), strict=True)
    rest = zip(*(column.tolist() for column in columns.values()), strict=True)
    for i, (values, row) in enumerate(zip(features, rest, strict=True)):
        own = dict(zip(columns, row, strict=True))
        event = {
            "prediction_id": own["prediction_id"],
            "model": MODEL,
            "version": own["version"],
            "arm": own["arm"],
            "time": own["time"],
            "output": {"score": own["score"]},
            "features": dict(zip(FEATURES, values, strict=True)),
            "segments": {"region": own["segments.region"]},
            "latency_ms": own["latency_ms"],
        }
        yield messages.in_json(settings.topic(topics.PREDICTIONS), key(i), event)


def arrow_predictions(
    settings: Settings, count: int, *, step_ms: int = STEP_MS
) -> Iterator[Message]:
    """The same predictions as Arrow IPC streams, each of one partition."""
    return messages.in_arrow(settings, MODEL, _columns(count, step_ms), repeated=REPEATED)


def _columns(count: int, step_ms: int) -> dict[str, np.ndarray]:
    """Columns of ``count`` predictions by the names that `schemas.arrow` gives them."""
    rng = np.random.default_rng(1)
    found = {f"features.{name}": column for name, column in features(rng, count).items()}
    scores = rng.beta(1, 6, count).round(4)
    latency = rng.lognormal(3.5, 0.6, count).round(2)
    canary = rng.random(count) < 0.1
    return {
        "prediction_id": np.array([key(i) for i in range(count)]),
        "version": np.where(canary, "v2", "v1"),
        "arm": np.where(canary, "canary", "baseline"),
        "time": START_MS + step_ms * np.arange(count),
        "score": scores,
        "segments.region": rng.choice(["EU", "US", "AP"], count),
        "latency_ms": latency,
        **found,
    }


def feedback(settings: Settings, count: int, *, step_ms: int = STEP_MS) -> Iterator[Message]:
    """The truth of each of these predictions, ten minutes later."""
    labels = (np.random.default_rng(2).random(count) < 0.15).tolist()
    for i, label in enumerate(labels):
        event = {
            "prediction_id": key(i),
            "model": MODEL,
            "time": START_MS + i * step_ms + 600_000,
            "label": label,
        }
        yield messages.in_json(settings.topic(topics.FEEDBACK), key(i), event)


def reference() -> ReferenceProfile:
    """A profile of such predictions, so that every feature has its histogram."""
    rng = np.random.default_rng(3)
    columns = {name: column.tolist() for name, column in features(rng, 5_000).items()}
    return build(MODEL, columns, score=rng.beta(1, 6, 5_000).tolist(), source="benchmark")


def features(rng: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Columns of the eight features, ``count`` rows each."""
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
