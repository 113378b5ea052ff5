"""Which alerts are one story, and which of them caused the others."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from schemas.alerts import Alert, AlertAction, Severity
from schemas.ids import content_id
from streams.decide.incidents.layers import family_of, layer_of, rank
from streams.decide.incidents.records import Incident, IncidentKey, Member

LOUDNESS = {Severity.WATCH: 0, Severity.TICKET: 1, Severity.PAGE: 2}

REMEMBERED = 256
"""Most alerts that are over which an incident remembers: one that never ends goes on for years,
and each version brings new ones."""


def key_of(alert: Alert) -> IncidentKey:
    """The story that an alert belongs to."""
    return IncidentKey(alert.model, family_of(layer_of(alert.metric)))


def test_of(alert: Alert) -> str:
    """Name of the test that opened an alert, unique within its model."""
    parts = (alert.version, alert.arm, alert.segment, alert.detector, alert.metric, alert.feature)
    return "/".join(parts)


def joined(known: Incident | None, alert: Alert, *, flap_ms: int) -> Incident:
    """An incident after an alert has opened.

    It is the incident at hand while that is open, or ended no longer than ``flap_ms`` before; the
    same test coming again is a flap, unless what it said was withdrawn.
    """
    if known is None or _is_past(known, alert, flap_ms):
        known = Incident(content_id("incident", alert.alert_id), alert.window_start_ms, {})
    name = test_of(alert)
    before = known.members.get(name)
    if before is not None and before.withdrawn:
        before = None
    member = Member(
        alert_id=alert.alert_id,
        layer=layer_of(alert.metric),
        severity=alert.severity,
        version=alert.version,
        segment=alert.segment,
        metric=alert.metric,
        feature=alert.feature,
        start_ms=alert.window_start_ms if before is None else before.start_ms,
    )
    return msgspec.structs.replace(
        known,
        started_ms=min(known.started_ms, alert.window_start_ms),
        members=_remembered({**known.members, name: member}, slack_ms=flap_ms),
        flaps=known.flaps + (before is not None),
        ended_ms=None,
    )


def left(known: Incident, alert: Alert) -> Incident:
    """An incident after an alert has ended; one without open alerts has ended, too."""
    name = test_of(alert)
    member = known.members.get(name)
    if member is None or member.alert_id != alert.alert_id:
        return known
    over = msgspec.structs.replace(
        member,
        open=False,
        ended_ms=alert.window_end_ms,
        withdrawn=alert.action is AlertAction.WITHDRAWN,
    )
    members = {**known.members, name: over}
    still = any(one.open for one in members.values())
    # Labels come late: the alert that ends last may end in an earlier window than another did.
    last_ms = max(one.ended_ms or 0 for one in members.values())
    return msgspec.structs.replace(known, members=members, ended_ms=None if still else last_ms)


def cause_of(incident: Incident, *, slack_ms: int) -> Member:
    """The alert that lies first in the chain of causes.

    Tests need different times to find one thing, so of alerts whose first bad windows lie within
    ``slack_ms`` of the first the layer decides; what broke later explains nothing, nor does what
    was withdrawn.
    """
    return _cause(incident.members.values(), slack_ms)


def _cause(members: Collection[Member], slack_ms: int) -> Member:
    stand = [member for member in members if not member.withdrawn] or members
    start_ms = min(member.start_ms for member in stand)
    first = [member for member in stand if member.start_ms <= start_ms + slack_ms]
    return min(first, key=_precedence)


def _precedence(member: Member) -> tuple[int, int, bool, str]:
    """What explains more comes first; of all predictions rather than of a segment."""
    return rank(member.layer), member.start_ms, member.segment != "", member.alert_id


def _remembered(members: dict[str, Member], *, slack_ms: int) -> dict[str, Member]:
    """Without those that ended longest ago, if they are too many; cause and first alert stay."""
    over = sorted((one.ended_ms or 0, name) for name, one in members.items() if not one.open)
    excess = len(over) - REMEMBERED
    if excess <= 0:
        return members
    first = min(members.values(), key=lambda one: (one.start_ms, one.alert_id))
    kept = {first.alert_id, _cause(members.values(), slack_ms).alert_id}
    gone = {name for _, name in over[:excess] if members[name].alert_id not in kept}
    return {name: one for name, one in members.items() if name not in gone}


def inhibitor(incident: Incident, member: Member, *, slack_ms: int) -> str:
    """The open alert that makes another one redundant, "" where none does.

    Of one version, a cause at least as loud inhibits its effects; the stream of all inhibits its
    segments in the same metric.
    """
    if not member.open:
        return ""
    above = [one for one in incident.open if _covers(one, member, slack_ms)]
    if not above:
        return ""
    return min(above, key=_precedence).alert_id


def _covers(cause: Member, effect: Member, slack_ms: int) -> bool:
    if cause.alert_id == effect.alert_id or cause.version != effect.version:
        return False
    if LOUDNESS[cause.severity] < LOUDNESS[effect.severity]:
        return False
    same = (cause.metric, cause.feature) == (effect.metric, effect.feature)
    if same and cause.segment == "" and effect.segment != "":
        return True
    earlier = cause.start_ms <= effect.start_ms + slack_ms
    upstream = earlier and rank(cause.layer) < rank(effect.layer)
    return upstream and cause.segment in ("", effect.segment)


def _is_past(known: Incident, alert: Alert, flap_ms: int) -> bool:
    return known.ended_ms is not None and alert.window_start_ms > known.ended_ms + flap_ms
