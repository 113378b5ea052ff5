"""Which alerts of an incident are open, as told by the alerts' events in the order of the log."""

from __future__ import annotations

from dataclasses import replace

from schemas.alerts import ENDS, Alert
from streams.act.outgoing import Outgoing, incident


class Incidents:
    """Remembers the open alerts of each incident. An event that is said again changes nothing."""

    def __init__(self) -> None:
        self._open: dict[str, set[str]] = {}
        self._noted: set[str] = set()

    def note(self, outgoing: Outgoing) -> Outgoing:
        """Take in an event, and give it with the other alerts of its incident that are open."""
        event = outgoing.event
        if not isinstance(event, Alert):
            return outgoing
        name = incident(event)
        alerts = self._open.get(name, set())
        if event.id not in self._noted:
            self._noted.add(event.id)
            # Never changed in place: what was given out stays as it was.
            alerts = alerts - {event.alert_id}
            if event.action not in ENDS:
                alerts = alerts | {event.alert_id}
            if alerts:
                self._open[name] = alerts
            else:
                self._open.pop(name, None)
        return replace(outgoing, others=frozenset(alerts - {event.alert_id}))
