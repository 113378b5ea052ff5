"""Prometheus Alertmanager, version 2 of its API.

An alert there is a set of labels: the same labels, sent again, are the same alert, so labels hold
only what stays as it is over an alert's life. Alertmanager ends by itself whatever was not sent
again before ``endsAt``, by default after minutes, because its usual client repeats all that fires
every minute. Here the end is an event of its own that is delivered at least once, so ``endsAt``
lies far off, and only bounds how long an alert stays if its end never comes.

References
----------
.. [1] Prometheus Alertmanager, api/v2/openapi.yaml, postableAlert.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.act import Alertmanager
from schemas.alerts import ENDS, Alert
from schemas.base import iso
from schemas.durations import duration_ms
from schemas.notices import Notice
from schemas.retraining import RetrainRequest
from schemas.rollouts import RolloutEvent
from streams.act.notify.request import Json, Request, encode
from streams.act.notify.words import facts, title
from streams.act.outgoing import Outgoing, incident
from streams.act.settings import Secrets

PATH = "/api/v2/alerts"


def request(outgoing: Outgoing, target: Alertmanager, secrets: Secrets, *, at_ms: int) -> Request:
    """The delivery of an event to Alertmanager.

    Parameters
    ----------
    at_ms
        The time of sending, in milliseconds since the epoch: the end of what is over.
    """
    event = outgoing.event
    starts_ms = min(_begun_ms(outgoing), at_ms)
    if isinstance(event, Alert):
        lasts = 0 if event.action in ENDS else duration_ms(target.lasts)
    else:
        lasts = duration_ms(target.event_lasts)
    alert: dict[str, Json] = {
        "labels": _given({"severity": outgoing.severity.value, **_labels(outgoing)}),
        "annotations": _given(_annotations(outgoing)),
        "startsAt": iso(starts_ms),
        "endsAt": iso(at_ms + lasts),
    }
    token = target.token_env
    headers = () if token is None else (("Authorization", f"Bearer {secrets[token]}"),)
    return Request(target.url.rstrip("/") + PATH, encode([alert]), headers)


def _labels(outgoing: Outgoing) -> dict[str, str]:
    event = outgoing.event
    match event:
        case Alert():
            return {
                "alertname": "KittiwakeAlert",
                "alert_id": event.alert_id,
                "incident_id": incident(event),
                "model": event.model,
                "version": event.version,
                "arm": event.arm.value,
                "segment": event.segment,
                "metric": event.metric,
                "feature": event.feature,
                "owner": event.owner,
            }
        case RolloutEvent():
            return {
                "alertname": "KittiwakeRollout",
                "model": event.model,
                "version": event.canary,
                "rollout_id": event.rollout_id,
                "action": event.action.value,
            }
        case RetrainRequest():
            return {"alertname": "KittiwakeRetraining", "model": event.model, "request": event.id}
        case Notice():
            return {
                "alertname": "KittiwakeNotice",
                "model": event.model,
                "reason": event.reason,
                "notice": event.id,
                "owner": event.owner,
            }


def _annotations(outgoing: Outgoing) -> dict[str, str]:
    event = outgoing.event
    said = {"title": title(outgoing), "summary": event.summary} | {
        name.replace(" ", "_"): text for name, text in facts(outgoing).items() if name != "owner"
    }
    if isinstance(event, Alert):
        said |= {"runbook": event.runbook, "dashboard": event.dashboard}
    return said


def _begun_ms(outgoing: Outgoing) -> int:
    event = outgoing.event
    match event:
        case Alert():
            return event.opened_at_ms
        case Notice():
            return event.at_ms
        case _:
            return event.decided_at_ms


def _given(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}
