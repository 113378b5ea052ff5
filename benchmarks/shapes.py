"""Predictions with any number of numeric features, in JSON or in Arrow, and their truths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks import messages
from schemas import topics
from schemas.policy import Budgets, Labels, LatencyBudget, Policy, Task
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from streams.records import Message
from streams.runtime.settings import Settings

START_MS, STEP_MS = 1_750_000_000_000, 10
"""The time of the first prediction, and how much later each further one is."""

TRUTH_AFTER_MS = 600_000
REGIONS = ("EU", "US", "AP")


@dataclass(frozen=True, slots=True)
class Shape:
    """A binary model with so many numeric features, one version and one segment key."""

    features: int
    pane: str = "1h"

    @property
    def model(self) -> str:
        """Its name."""
        return f"model-{self.features:03}-{self.pane}"

    @property
    def names(self) -> list[str]:
        """Names of the features."""
        return [f"feature_{i:03}" for i in range(self.features)]

    @property
    def policy(self) -> Policy:
        """What is watched."""
        budgets = Budgets(error_rate=0.2, latency=LatencyBudget(limit_ms=200))
        return Policy(
            model=self.model,
            task=Task.BINARY,
            pane=self.pane,
            labels=Labels(lateness="1h"),
            segments=["region"],
            budgets=budgets,
        )

    @property
    def reference(self) -> ReferenceProfile:
        """A profile of such rows, so that every feature has its histogram."""
        rng = np.random.default_rng(3)
        columns = {name: rng.normal(size=2_000).tolist() for name in self.names}
        return build(self.model, columns, score=rng.beta(1, 6, 2_000).tolist(), source="benchmark")

    def _columns(self, numbers: range) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(numbers.start)
        count = len(numbers)
        return {
            "prediction_id": np.array([self.key(i) for i in numbers]),
            "version": np.full(count, "v1"),
            "time": START_MS + STEP_MS * np.arange(numbers.start, numbers.stop),
            "score": rng.beta(1, 6, count).round(4),
            "segments.region": rng.choice(REGIONS, count),
            "latency_ms": rng.lognormal(3.5, 0.6, count).round(2),
            **{f"features.{name}": rng.normal(size=count).round(3) for name in self.names},
        }

    def key(self, number: int) -> str:
        """The id of a prediction."""
        return f"tx-{number:010d}"

    def json(self, settings: Settings, numbers: range) -> Iterator[Message]:
        """A message for each prediction."""
        columns = self._columns(numbers)
        values = zip(*(columns.pop(f"features.{n}").tolist() for n in self.names), strict=True)
        rest = zip(*(column.tolist() for column in columns.values()), strict=True)
        for features, (key, version, time_ms, score, region, latency_ms) in zip(
            values, rest, strict=True
        ):
            event = {
                "prediction_id": key,
                "model": self.model,
                "version": version,
                "time": time_ms,
                "output": {"score": score},
                "features": dict(zip(self.names, features, strict=True)),
                "segments": {"region": region},
                "latency_ms": latency_ms,
            }
            yield messages.in_json(settings.topic(topics.PREDICTIONS), key, event)

    def arrow(self, settings: Settings, numbers: range) -> Iterator[Message]:
        """The same predictions as Arrow IPC streams, each of one partition."""
        repeated = ("version", "segments.region")
        return messages.in_arrow(settings, self.model, self._columns(numbers), repeated=repeated)

    def truths(self, settings: Settings, numbers: range) -> Iterator[Message]:
        """The truth of each prediction, in the same order, ten minutes later."""
        labels = (np.random.default_rng(numbers.start).random(len(numbers)) < 0.15).tolist()
        for number, label in zip(numbers, labels, strict=True):
            key = self.key(number)
            time_ms = START_MS + STEP_MS * number + TRUTH_AFTER_MS
            event = {"prediction_id": key, "model": self.model, "time": time_ms, "label": label}
            yield messages.in_json(settings.topic(topics.FEEDBACK), key, event)
