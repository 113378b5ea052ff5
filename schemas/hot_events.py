"""What mypy knows of decoded events: the attributes of the types that are derived at import."""

from __future__ import annotations

from typing import Protocol

from schemas.deployments import DeploymentAction
from schemas.feedback import FeedbackKind
from schemas.predictions import Arm


class HotOutput(Protocol):
    """Attributes of a decoded `schemas.predictions.Output`."""

    score: float | None
    label: bool | int | str | None
    scores: dict[str, float] | None
    value: float | None
    interval: list[float] | None
    quantiles: dict[str, float] | None
    items: list[str] | None
    signals: dict[str, float] | None


class HotPrediction(Protocol):
    """Attributes of a decoded `schemas.predictions.PredictionEvent`."""

    prediction_id: str
    model: str
    version: str
    time: int | str
    output: HotOutput
    features: dict[str, bool | int | float | str | None]
    arm: Arm
    pair_id: str | None
    unit_id: str | None
    segments: dict[str, str]
    groups: dict[str, str]
    embeddings: dict[str, list[float]]
    latency_ms: float | None
    error: str | None
    trace: dict[str, str]


class HotFeedback(Protocol):
    """Attributes of a decoded `schemas.feedback.FeedbackEvent`."""

    prediction_id: str
    model: str
    time: int | str
    kind: FeedbackKind
    label: bool | int | str | None
    value: float | None
    signals: dict[str, float | str] | None
    propensity: float | None
    source: str | None


class HotDeployment(Protocol):
    """Attributes of a decoded `schemas.deployments.DeploymentEvent`."""

    model: str
    version: str
    time: int | str
    action: DeploymentAction
    role: Arm
    share: float | None
    generation: int
    deployment_id: str | None


class HotHeartbeat(Protocol):
    """Attributes of a decoded `schemas.heartbeats.Heartbeat`."""

    time: int
