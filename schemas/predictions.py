"""PredictionEvent: what a model service publishes for each prediction."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.base import Event, EventTime, Identifier, Name, Scalar


class Arm(StrEnum):
    """The role in which a version served a prediction."""

    BASELINE = "baseline"
    CANARY = "canary"
    SHADOW = "shadow"


def partition_key(prediction_id: str, arm: str, pair_id: str | None) -> str:
    """What a prediction is keyed by: its id, but a shadow by its ``pair_id``, if it has one.

    So a shadow comes to the shard of the answer that served, and of its label.

    Examples
    --------
    >>> partition_key("p1", "baseline", "p0"), partition_key("s1", "shadow", "p1")
    ('p1', 'p1')
    >>> partition_key("s1", "shadow", None)
    's1'
    """
    return pair_id if pair_id is not None and arm == Arm.SHADOW else prediction_id


class Output(Event):
    """What the model said; which fields are needed depends on the task of the policy.

    Binary: ``score`` and, if the service decides itself, ``label``. Multiclass: ``scores`` (by
    class) or ``score`` and ``label``. Regression: ``value``, and ``interval`` as [low, high] or
    ``quantiles`` by probability, such as {"0.1": 3, "0.5": 4, "0.9": 7}, ascending. Ranking:
    ``items``, best first. Chat: ``signals`` such as refusal, tokens, toxicity, judge, cost.
    """

    score: float | None = None
    label: bool | int | str | None = None
    scores: dict[str, float] | None = None
    value: float | None = None
    interval: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    quantiles: Annotated[dict[str, float], Field(max_length=100)] | None = None
    items: Annotated[list[str], Field(max_length=1_000)] | None = None
    signals: dict[str, float] | None = None


class PredictionEvent(Event):
    """One prediction of one model version.

    ``prediction_id`` is unique within a model; (model, prediction_id) is the key by which
    feedback is joined. ``pair_id`` ties a shadow's answer to the answer that was served: it is
    that answer's ``prediction_id``, the shadow's record is keyed by it, and the truth of the one
    is the truth of the other. ``unit_id`` names the user or session, ``trace`` says which data
    informed the decision.
    """

    prediction_id: Identifier
    model: Name
    version: Name
    time: EventTime
    output: Output
    features: dict[str, Scalar] = {}
    arm: Arm = Arm.BASELINE
    pair_id: Identifier | None = None
    unit_id: Identifier | None = None
    segments: dict[str, str] = {}
    groups: dict[str, str] = {}
    embeddings: dict[str, list[float]] = {}
    latency_ms: Annotated[float, Field(ge=0)] | None = None
    error: str | None = None
    trace: dict[str, str] = {}
