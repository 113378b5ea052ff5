"""What ACT does: where it delivers, which executors it runs, what it does by the clock."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.alerts import Severity
from schemas.base import Message, Name
from schemas.durations import Duration, duration_ms
from schemas.endpoints import Url, Variable
from schemas.executors import ExecutorSettings
from schemas.schedules import Probe, Schedules


class _Target(Message):
    """Who is told; an attempt that takes longer than ``timeout`` failed."""

    timeout: Duration = "10s"


class Webhook(_Target):
    """Any service: the event as JSON, signed if ``secret_env`` names a secret."""

    kind: Literal["webhook"]
    url: Url
    secret_env: Variable | None = None


class Alertmanager(_Target):
    """Prometheus Alertmanager, version 2 of its API, at ``url`` such as ``http://host:9093``.

    An alert whose end never came ends by itself ``lasts`` after its last event, and what is no
    alert but a single event ``event_lasts`` after it.
    """

    kind: Literal["alertmanager"]
    url: Url
    token_env: Variable | None = None
    lasts: Duration = "30d"
    event_lasts: Duration = "1h"


class Slack(_Target):
    """An incoming webhook of Slack; its URL is a secret, so ``url_env`` names it."""

    kind: Literal["slack"]
    url_env: Variable


class PagerDuty(_Target):
    """Events API v2 of PagerDuty."""

    kind: Literal["pagerduty"]
    routing_key_env: Variable
    url: Url = "https://events.pagerduty.com/v2/enqueue"


Target = Annotated[Webhook | Alertmanager | Slack | PagerDuty, Field(discriminator="kind")]


class Match(Message):
    """Which events: those that agree in all that is given; ``*`` in a text stands for anything."""

    topic: Literal["alerts", "rollouts", "retraining", "notices"] | None = None
    model: Name | None = None
    owner: Name | None = None
    severity: Severity | None = None


class Route(Message):
    """Who is told of events that match; nobody if ``targets`` is empty."""

    match: Match = Match()
    targets: list[Name]


class Retry(Message):
    """How long to wait after a failed attempt.

    ``first`` after the first, then ``factor`` times as long after each further one, up to
    ``longest``; less up to a part ``jitter`` of it, so that events do not come back in step.
    """

    first: Duration = "1s"
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    longest: Duration = "5m"
    jitter: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @model_validator(mode="after")
    def _some_wait(self) -> Self:
        if duration_ms(self.first) < 1:  # It would hammer a target that is down.
            raise ValueError(f"first {self.first} is no wait; give at least 1ms")
        return self


class ActPlan(Message):
    """What ACT does.

    An event goes to the targets of the first of ``routes`` that matches it, else to ``default``.
    What could not be delivered within ``give_up`` of the first attempt becomes a dead letter.
    Time is told to DECIDE every ``tick``; ``schedules`` are by name, and without ``probe`` nothing
    is probed.
    """

    targets: dict[Name, Target] = {}
    routes: list[Route] = []
    default: list[Name] = []
    retry: Retry = Retry()
    give_up: Duration = "1d"
    executors: list[ExecutorSettings] = []
    tick: Duration = "5s"
    schedules: Schedules = {}
    probe: Probe | None = None

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        named = [name for route in self.routes for name in route.targets]
        for name in [*named, *self.default]:
            if name not in self.targets:
                raise ValueError(f"a route names {name!r}, which is none of targets; add it there")
        return self
