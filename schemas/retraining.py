"""RetrainRequest: a model should be trained again, why, and on which data."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.base import Message
from schemas.durations import Duration


class Retraining(Message):
    """When a model is to be trained again.

    On drift that hurts (``on_drift``), ``every`` so often, or once there are so many new
    ``labels``; never again within ``debounce`` of the last request. Data of the last ``history``
    is named.
    """

    on_drift: bool = True
    every: Duration | None = None
    labels: Annotated[int, Field(ge=1)] | None = None
    debounce: Duration = "1d"
    history: Duration = "90d"


class RetrainReason(StrEnum):
    """Why a model should be trained again."""

    HARMFUL_DRIFT = "harmful_drift"
    SCHEDULE = "schedule"
    LABELS = "labels"
    PERSON = "person"


class RetrainRequest(Message):
    """A model should be trained again, on labelled rows of ``from_ms`` to ``to_ms``.

    ``to_ms`` is the end of the last window whose labels are mature. ``labels`` are new since the
    last request, since a training was done, or since the version served. ``features`` are those
    that drifted, ``evidence`` the alerts on drift that hurts. ``id`` is the same in every replay,
    and the idempotency key of the request.
    """

    id: str
    model: str
    version: str
    reasons: list[RetrainReason]
    summary: str
    from_ms: int
    to_ms: int
    labels: int
    features: list[str]
    evidence: list[str]
    decided_at_ms: int
    policy: str
    cut: dict[str, int]
