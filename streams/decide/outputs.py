"""What DECIDE says after a step."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.alerts import Alert
from schemas.audit import AuditRecord
from schemas.fallback import Advice
from schemas.retraining import RetrainRequest
from schemas.rollouts import RolloutEvent
from schemas.windows import WindowResult
from streams.decide.incidents.repeat import Confirmable


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is to be published, each list in order."""

    windows: list[WindowResult] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    rollouts: list[RolloutEvent] = field(default_factory=list)
    retraining: list[RetrainRequest] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)
    audit: list[AuditRecord] = field(default_factory=list)
    again: list[Confirmable] = field(default_factory=list)
