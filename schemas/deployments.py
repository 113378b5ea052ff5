"""DeploymentEvent: which version serves in which role since when."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.base import Event, EventTime, Identifier, Name
from schemas.predictions import Arm


class DeploymentAction(StrEnum):
    """What happened to a version."""

    DEPLOYED = "deployed"
    CANARY_STARTED = "canary_started"
    CANARY_STOPPED = "canary_stopped"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


class DeploymentEvent(Event):
    """A change of what serves.

    ``share`` is the planned share of the traffic; ``generation`` counts the changes of this
    deployment, so that an executor can compare and set.
    """

    model: Name
    version: Name
    time: EventTime
    action: DeploymentAction
    role: Arm = Arm.BASELINE
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    generation: Annotated[int, Field(ge=0)] = 0
    deployment_id: Identifier | None = None
