"""How a canary is judged."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Message, Rate
from schemas.durations import Duration


class Guardrail(Message):
    """The canary may be worse than the baseline by at most ``margin`` in ``metric``."""

    metric: Annotated[str, Field(pattern=r"^(error_rate|brier|service_errors|latency)$")]
    margin: Annotated[float, Field(ge=0, lt=1)]


class Canary(Message):
    """How a canary is judged.

    Without ``guardrails`` a canary may make up to one point of errors more than the baseline; for
    regression, up to one point of service errors.
    ``alpha_rollback`` bounds the chance to roll back a version within its margins,
    ``alpha_promote`` the chance to promote one outside of them. ``watch_for`` is the deadline: then
    the rollout ends as inconclusive, and holds.
    """

    guardrails: Annotated[list[Guardrail], Field(min_length=1)] | None = None
    alpha_rollback: Rate = 0.05
    alpha_promote: Rate = 0.05
    alpha_share: Rate = 0.001
    min_events: Annotated[int, Field(ge=0)] = 100
    min_duration: Duration = "0s"
    watch_for: Duration = "30d"
