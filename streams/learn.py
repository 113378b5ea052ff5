"""Learn a reference from live predictions, or from files of predictions and their truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from detectors.answers import with_answers
from detectors.embeddings.columns import with_embeddings
from detectors.outcomes import outcome_of
from detectors.reference import with_outcomes
from schemas import topics
from schemas.errors import ProfileError
from schemas.feedback import FeedbackKind
from schemas.hot import HotPrediction
from schemas.policy import Policy
from schemas.predictions import Arm
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from streams.ingest.decode.one_by_one import Row, decode_feedback, decode_predictions
from streams.lines import Line
from streams.records import Record
from streams.runtime.pressure import Appetite
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport


def learn(transport: Transport, settings: Settings, *, model: str, count: int) -> ReferenceProfile:
    """A reference of the first ``count`` predictions of a model's baseline, in event time; waits
    for them. Canaries and shadows are no reference, and a shadow would count its inputs twice.

    The first predictions are those with the smallest (time, prediction_id) once ``count`` have
    been read, so a quiet topic waits and a busy one does not.
    """
    follower = transport.tail([settings.topic(topics.PREDICTIONS)], from_beginning=True)
    appetite = Appetite(most_records=settings.poll_records, most_bytes=settings.poll_bytes)
    rows: dict[str, Row[HotPrediction]] = {}
    try:
        while len(rows) < count:
            records = follower.poll(max_records=appetite.records, timeout_ms=200)
            appetite.took(len(records), sum(len(record.value or b"") for record in records))
            decoded = decode_predictions(records)
            for row in decoded.rows:
                if row.event.model == model and row.event.arm == Arm.BASELINE:
                    rows.setdefault(row.event.prediction_id, row)
    finally:
        follower.close()
    first = sorted(rows.values(), key=lambda row: (row.time_ms, row.event.prediction_id))
    return profile_of([row.event for row in first[:count]], model=model, source="live")


def labelled(policy: Policy, lines: Iterable[Line], *, source: str) -> ReferenceProfile:
    """A reference of predictions and the truth that is known of them, with its outcomes.

    The last truth of a prediction holds; predictions without one count for the inputs only, and
    those of canaries and shadows not at all.

    Raises
    ------
    ProfileError
        If no line is a usable prediction of the policy's model.
    """
    records = [
        Record(line.topic, 0, place, line.time_ms, None, line.value, ())
        for place, line in enumerate(lines)
    ]
    predicted = decode_predictions([r for r in records if r.topic == topics.PREDICTIONS]).rows
    told = decode_feedback([r for r in records if r.topic == topics.FEEDBACK]).rows
    rows = {
        row.event.prediction_id: row
        for row in predicted
        if row.event.model == policy.model and row.event.arm == Arm.BASELINE
    }
    if not rows:
        raise ProfileError(
            f"no usable prediction of model {policy.model!r} in {source}; check its model name"
        )
    rows = dict(sorted(rows.items(), key=lambda item: (item[1].time_ms, item[0])))
    profile = profile_of([r.event for r in rows.values()], model=policy.model, source=source)
    outcome = outcome_of(policy, profile)
    truths: dict[str, float] = {}
    for feedback in sorted(told, key=lambda row: row.time_ms):
        name = feedback.event.prediction_id
        truth = outcome.truth(feedback.event)
        if feedback.event.kind == FeedbackKind.RETRACTION:
            truths.pop(name, None)
        elif name in rows and feedback.event.model == policy.model and truth is not None:
            truths[name] = truth
    known = [name for name in rows if name in truths]
    return with_outcomes(
        profile,
        policy,
        [rows[name].event.output for name in known],
        np.array([truths[name] for name in known]),
        np.array([rows[name].time_ms for name in known], np.int64),
    )


def profile_of(events: Sequence[HotPrediction], *, model: str, source: str) -> ReferenceProfile:
    """A reference of predictions in order of time: features, signals, the score, and the answers.

    Raises
    ------
    ProfileError
        If nothing in them can be compared.
    """
    rows = [{**(event.output.signals or {}), **event.features} for event in events]
    columns: Mapping[str, Sequence[object]] = {
        name: [row.get(name) for row in rows] for name in sorted({k for row in rows for k in row})
    }
    scores = [_score(event) for event in events]
    known = any(score is not None for score in scores)
    profile = ReferenceProfile(model=model, n=len(events), source=source)
    if known or columns or not events:
        profile = build(
            model, columns, score=scores if known else None, in_order=True, source=source
        )
    found = with_answers(profile, [event.output for event in events])
    found = with_embeddings(found, [event.embeddings for event in events])
    if not (known or columns or found.items or found.classes or found.embeddings):
        raise ProfileError(
            "no feature, score, class, item or embedding in any prediction; publish some"
        )
    return found


def _score(event: HotPrediction) -> float | None:
    """The number whose distribution is watched: a score, the best of several, or a value."""
    output = event.output
    if output.scores:
        return max(output.scores.values())
    return output.value if output.score is None else output.score
