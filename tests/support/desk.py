"""A shard of INGEST that asks people to review, in memory."""

from __future__ import annotations

from typing import Any

from shards import DAY, HOUR, Bench, Event

from schemas.policy import Labels, Policy, Task
from schemas.review import Review, ReviewRequest
from streams.ingest.checkpoint import Checkpoint

T0 = 100 * DAY
LABELS = Labels(horizon="2d", maturity="6h", lateness="1h")


class Desk(Bench):
    """A shard whose requests are kept, in the order in which they left."""

    def __init__(self, review: Review, task: Task = Task.BINARY, **more: Any) -> None:
        policy = Policy(model="fraud", task=task, lateness="10m", labels=LABELS, review=review)
        self.asked: list[ReviewRequest] = []
        super().__init__(policy.model_copy(update=more))

    def checkpoint(self) -> Checkpoint:
        done = super().checkpoint()
        self.asked += done.reviews
        return done

    def serve(self, *events: Event) -> list[ReviewRequest]:
        """Requests that a batch of predictions gives."""
        before = len(self.asked)
        self.apply(self.record("predictions", list(events)))
        self.checkpoint()
        return self.asked[before:]

    def told(self, hour: float, label: Any, i: int = 1, **more: Any) -> list[ReviewRequest]:
        """Requests that one feedback gives."""
        before = len(self.asked)
        self.apply(self.tell(**feedback(i, hour, label, **more)))
        self.checkpoint()
        return self.asked[before:]


def prediction(i: int, score: float | None = 0.5, **more: Any) -> Event:
    event = {"prediction_id": f"p{i}", "model": "fraud", "version": "v1", "time": T0 + i}
    return {**event, "output": {"score": score}, **more}


def feedback(i: int, hour: float, label: Any, **more: Any) -> Event:
    time_ms = T0 + int(hour * HOUR)
    return {"prediction_id": f"p{i}", "model": "fraud", "time": time_ms, "label": label, **more}
