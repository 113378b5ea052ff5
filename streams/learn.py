"""Learn a reference from the first live predictions of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas import topics
from schemas.hot import HotPrediction
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from streams.ingest.decode import Row, decode_predictions
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport


def learn(transport: Transport, settings: Settings, *, model: str, count: int) -> ReferenceProfile:
    """A reference of the first ``count`` predictions of a model, in event time; waits for them.

    The first predictions are those with the smallest (time, prediction_id) once ``count`` have
    been read, so a quiet topic waits and a busy one does not.
    """
    follower = transport.tail([settings.topic(topics.PREDICTIONS)], from_beginning=True)
    rows: dict[str, Row[HotPrediction]] = {}
    try:
        while len(rows) < count:
            decoded = decode_predictions(follower.poll(max_records=5_000, timeout_ms=200))
            for row in decoded.rows:
                if row.event.model == model:
                    rows.setdefault(row.event.prediction_id, row)
    finally:
        follower.close()
    first = sorted(rows.values(), key=lambda row: (row.time_ms, row.event.prediction_id))
    return profile_of([row.event for row in first[:count]], model=model, source="live")


def profile_of(events: Sequence[HotPrediction], *, model: str, source: str) -> ReferenceProfile:
    """A reference of predictions: every feature, and the score where all have one."""
    names = sorted({name for event in events for name in event.features})
    columns: Mapping[str, Sequence[object]] = {
        name: [event.features.get(name) for event in events] for name in names
    }
    scores = [event.output.score for event in events]
    known = [score for score in scores if score is not None]
    return build(model, columns, score=known or None, source=source)
