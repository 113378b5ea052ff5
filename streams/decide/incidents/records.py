"""What is remembered of incidents, silences, and alerts that stand open."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import msgspec

from schemas.alerts import Alert, Layer, Severity


class IncidentKey(NamedTuple):
    """The story of one kind that a model has now, or had last."""

    model: str
    family: str


class SilenceKey(NamedTuple):
    """A silence of a model, by the id of its command."""

    model: str
    id: str


class Member(msgspec.Struct, frozen=True):
    """The latest alert of a test in an incident.

    ``start_ms`` is the window of its first one, ``ended_ms`` the end of the window in which it
    ended. One that was ``withdrawn`` explains nothing.
    """

    alert_id: str
    layer: Layer
    severity: Severity
    version: str
    segment: str
    metric: str
    feature: str
    start_ms: int
    open: bool = True
    ended_ms: int | None = None
    withdrawn: bool = False


class Acknowledgement(msgspec.Struct, frozen=True):
    """Who looks after an incident, and the alerts that were open then."""

    by: str
    alerts: tuple[str, ...]


class Incident(msgspec.Struct, frozen=True):
    """A story: its alerts by test, how often one came again, and who looks after it.

    ``started_ms`` is the start of its first bad window, ``ended_ms`` the latest end of a window in
    which one of its alerts ended, None while one is open.
    """

    id: str
    started_ms: int
    members: dict[str, Member]
    flaps: int = 0
    ended_ms: int | None = None
    acknowledged: Acknowledgement | None = None

    @property
    def open(self) -> list[Member]:
        """Its open alerts."""
        return [member for member in self.members.values() if member.open]


class Silenced(msgspec.Struct, frozen=True):
    """A silence: what must agree (None is any), and until when."""

    until_ms: int
    by: str
    version: str | None = None
    segment: str | None = None
    metric: str | None = None
    feature: str | None = None
    severity: str | None = None

    def covers(self, alert: Alert) -> bool:
        """Whether it is about an alert."""
        wanted = {
            "version": self.version,
            "segment": self.segment,
            "metric": self.metric,
            "feature": self.feature,
            "severity": self.severity,
        }
        return all(value is None or getattr(alert, name) == value for name, value in wanted.items())


class Standing(msgspec.Struct, frozen=True):
    """An open alert as it was last published, as JSON, since which window's end it is open, and
    the story that it is part of."""

    json: bytes
    since_ms: int
    story: IncidentKey

    @property
    def alert(self) -> Alert:
        """The event."""
        return _alert(self.json)


@lru_cache(maxsize=1 << 12)
def _alert(json: bytes) -> Alert:
    """An alert that is looked at window after window."""
    return Alert.model_validate_json(json)


class Opened(msgspec.Struct, frozen=True):
    """When a test opened alerts: ends of the windows, newest last, within the policy's memory."""

    at_ms: tuple[int, ...]


class Unconfirmed(msgspec.Struct, frozen=True):
    """An event, as JSON, that nobody has confirmed: said again at ``next_ms``, then ``every_ms``,
    given up at ``until_ms``."""

    kind: str
    json: bytes
    next_ms: int
    until_ms: int
    every_ms: int

    def later(self, times: int) -> Unconfirmed:
        """The same, so many turns later."""
        return msgspec.structs.replace(self, next_ms=self.next_ms + times * self.every_ms)
