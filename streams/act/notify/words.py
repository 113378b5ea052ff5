"""What a person reads of an event, whatever the target."""

from __future__ import annotations

from schemas.alerts import Alert, AlertAction
from schemas.notices import Notice
from schemas.retraining import RetrainRequest
from schemas.rollouts import RolloutEvent
from streams.act.outgoing import Outgoing

_ENDED = {AlertAction.RESOLVED: "Resolved", AlertAction.WITHDRAWN: "Withdrawn"}


def title(outgoing: Outgoing) -> str:
    """A few words: how loud, what, of which model.

    Examples
    --------
    >>> from schemas.alerts import Severity
    >>> from schemas.notices import Notice
    >>> from streams.act.outgoing import notice
    >>> about = dict(subject="v2", severity=Severity.WATCH, summary="", at_ms=0)
    >>> title(notice(Notice(id="n1", reason="hyper_care", model="fraud", **about)))
    'Notice: fraud, hyper care'
    """
    event = outgoing.event
    match event:
        case Alert():
            state = _ENDED.get(event.action) or event.severity.value.capitalize()
            what = f"{event.metric} {event.feature}".strip()
            where = f" in {event.segment}" if event.segment else ""
            return f"{state}: {event.model} {event.version}, {what}{where}"
        case RolloutEvent():
            return f"Rollout: {event.model} {event.canary}, {event.action.value}"
        case RetrainRequest():
            return f"Retraining: {event.model} {event.version}"
        case Notice():
            return f"Notice: {event.model}, {event.reason.replace('_', ' ')}"


def facts(outgoing: Outgoing) -> dict[str, str]:
    """What else there is to know, by name; empty values are left out."""
    event = outgoing.event
    match event:
        case Alert():
            found = {
                "owner": event.owner,
                "persistence": event.persistence.value,
                "flaps": str(event.flaps or ""),
                "reason": event.reason,
                "acknowledged by": event.acknowledged_by,
            }
        case RolloutEvent():
            found = {
                "reason": event.reason,
                "target": event.target_version or "",
                "blocked by": ", ".join(event.blocked_by),
                "approvals": ", ".join(event.approvals),
                "rollback": event.rollback_id,
            }
        case RetrainRequest():
            found = {"reasons": ", ".join(reason.value for reason in event.reasons)}
        case Notice():
            found = {"owner": event.owner, "details": "\n".join(event.lines)}
    return {name: value for name, value in found.items() if value}


def links(outgoing: Outgoing) -> dict[str, str]:
    """Where to read on and where to look: web addresses only, other places are words."""
    event = outgoing.event
    if not isinstance(event, Alert):
        return {}
    found = {"Runbook": event.runbook, "Dashboard": event.dashboard}
    return {name: url for name, url in found.items() if url.startswith(("https://", "http://"))}
