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
    """A reference of predictions: every feature, every signal of the output, and the score."""
    rows = [{**(event.output.signals or {}), **event.features} for event in events]
    columns: Mapping[str, Sequence[object]] = {
        name: [row.get(name) for row in rows] for name in sorted({k for row in rows for k in row})
    }
    scores = [_score(event) for event in events]
    known = any(score is not None for score in scores)
    return build(model, columns, score=scores if known else None, source=source)


def _score(event: HotPrediction) -> float | None:
    """The number whose distribution is watched: a score, the best of several, or a value."""
    output = event.output
    if output.scores:
        return max(output.scores.values())
    return output.value if output.score is None else output.score
