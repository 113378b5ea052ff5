"""PagerDuty's Events API v2.

One incident there is one incident here: ``dedup_key`` is the incident's id, so it is resolved only
when its last open alert ends.

References
----------
.. [1] PagerDuty, Events API v2, Send an alert event.
"""

from __future__ import annotations

from schemas.act import PagerDuty
from schemas.alerts import ENDS, Alert, Severity
from streams.act.notify.request import Json, Request, encode, shortened
from streams.act.notify.words import facts, links, title
from streams.act.outgoing import Outgoing
from streams.act.settings import Secrets

LEVELS = {Severity.PAGE: "critical", Severity.TICKET: "warning", Severity.WATCH: "info"}
MOST_SUMMARY, MOST_KEY = 1_024, 255
"""What PagerDuty takes of a summary and of a key, in characters."""


def request(outgoing: Outgoing, target: PagerDuty, secrets: Secrets) -> Request | None:
    """The event for PagerDuty; None where it has nothing to hear."""
    action = action_of(outgoing)
    if action is None:
        return None
    value: dict[str, Json] = {
        "routing_key": secrets[target.routing_key_env],
        "event_action": action,
        "dedup_key": shortened(outgoing.story, MOST_KEY),
    }
    if action == "trigger":
        found: list[Json] = [{"href": url, "text": name} for name, url in links(outgoing).items()]
        value |= {"client": "Kittiwake", "payload": _payload(outgoing), "links": found}
    return Request(target.url, encode(value))


def action_of(outgoing: Outgoing) -> str | None:
    """``trigger``, ``acknowledge`` or ``resolve``; None where it has nothing to hear.

    An incident of several alerts goes on while one of them does: the end of another is no news.
    """
    event = outgoing.event
    if not isinstance(event, Alert):
        return "trigger"
    if event.action in ENDS:
        return None if outgoing.others else "resolve"
    return "acknowledge" if event.acknowledged_by else "trigger"


def _payload(outgoing: Outgoing) -> dict[str, Json]:
    event = outgoing.event
    summary = f"{title(outgoing)}: {event.summary}"
    return {
        "summary": shortened(summary, MOST_SUMMARY),
        "source": event.model,
        "severity": LEVELS[outgoing.severity],
        "component": event.model,
        "class": event.metric if isinstance(event, Alert) else outgoing.topic,
        "custom_details": dict(facts(outgoing)),
    }
