"""How alerts of a model live: when they fire, end, group, and are said again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Message
from schemas.durations import Duration


class Alerting(Message):
    """How alerts of a model live.

    An alarm is ``pending`` for so many more windows, and fires only if none of them is good by
    itself. To end, a metric must be better than its level by ``clear``, as a share of what lies
    between the level and the best possible value. An alert that comes again within ``flap`` of
    its end is the same incident; one that opened ``recurring`` times within ``memory`` is
    recurring, one open for ``persistent_after`` is persistent. Without predictions for
    ``no_traffic`` (three windows if left out), or enough labels in ``no_labels`` matured windows
    in a row (0 never), that is an alert of its own. What nobody confirmed is published again
    every ``repeat``, until ``give_up``.
    """

    pending: Annotated[int, Field(ge=0, le=100)] = 0
    clear: Annotated[float, Field(ge=0, lt=1)] = 0.05
    flap: Duration = "1d"
    recurring: Annotated[int, Field(ge=2)] = 3
    memory: Duration = "30d"
    persistent_after: Duration = "7d"
    no_traffic: Duration | None = None
    no_labels: Annotated[int, Field(ge=0, le=1_000)] = 3
    repeat: Duration = "5m"
    give_up: Duration = "1d"
