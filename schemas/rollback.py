"""The rollback protocol of a model: who approves, and what forbids."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.base import Message
from schemas.durations import Duration


class Risk(StrEnum):
    """What a wrong rollback of the model would cost, which says who approves one."""

    LOW = "low"
    HIGH = "high"
    CRITICAL = "critical"


QUORUM = {Risk.LOW: 0, Risk.HIGH: 1, Risk.CRITICAL: 2}
"""People who must approve; 0 is automatic."""


class Rollback(Message):
    """The rollback protocol.

    ``quorum`` overrides the number of people that ``risk`` asks for. An advice nobody approved in
    ``approve_within``, and a request nobody executed in ``expiry``, expire. After a rollback the
    next waits for ``cool_down``, and in a day there are at most ``max_per_day``. The target must
    have been seen healthy within ``healthy_within``. The metric must come back within
    ``verify_within`` of the time at which a first window after the rollback is due, with its labels
    where the metric needs them, or people are called.
    """

    risk: Risk = Risk.LOW
    quorum: Annotated[int, Field(ge=0, le=10)] | None = None
    approve_within: Duration = "4h"
    expiry: Duration = "1h"
    cool_down: Duration = "1h"
    max_per_day: Annotated[int, Field(ge=1, le=100)] = 3
    healthy_within: Duration = "7d"
    verify_within: Duration = "1d"

    @property
    def approvals(self) -> int:
        """People who must approve."""
        return QUORUM[self.risk] if self.quorum is None else self.quorum
