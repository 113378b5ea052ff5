"""Which targets an event goes to."""

from __future__ import annotations

from fnmatch import fnmatchcase

from schemas.act import ActPlan, Match, Slack
from schemas.alerts import ENDS, Alert
from schemas.rollouts import RolloutEvent
from streams.act.outgoing import LOUDNESS, Outgoing


def audience(outgoing: Outgoing, plan: ActPlan) -> tuple[str, ...] | None:
    """Names of the targets of an event, in the order of the plan.

    Empty if the plan tells nobody; None if the event is not for people as it is. What is silenced
    or inhibited is told to nobody, but for its end: a target that keeps alerts may know it from
    before, and an end calls nobody out of bed. A chat has nothing to close.

    Examples
    --------
    >>> from schemas.alerts import Severity
    >>> from schemas.notices import Notice
    >>> from streams.act.outgoing import notice
    >>> from streams.act.settings import loads
    >>> plan = loads('''
    ... targets:
    ...   ops: {kind: webhook, url: "http://ops"}
    ...   chat: {kind: slack, url_env: SLACK}
    ... routes:
    ... - match: {severity: page, model: "fraud*"}
    ...   targets: [ops, chat]
    ... default: [chat]
    ... ''')
    >>> fact = dict(id="n1", reason="r", subject="s", severity=Severity.PAGE, summary="", at_ms=0)
    >>> audience(notice(Notice(model="fraud-eu", **fact)), plan)
    ('ops', 'chat')
    >>> audience(notice(Notice(model="credit", **fact)), plan)
    ('chat',)
    """
    event = outgoing.event
    if isinstance(event, RolloutEvent) and event.action not in LOUDNESS:
        return None
    routed = next(
        (route.targets for route in plan.routes if _agrees(route.match, outgoing)), plan.default
    )
    names = tuple(dict.fromkeys(routed))
    if isinstance(event, Alert) and (event.silenced_by or event.inhibited_by):
        if event.action not in ENDS:
            return None
        return tuple(name for name in names if not isinstance(plan.targets[name], Slack))
    return names


def _agrees(match: Match, outgoing: Outgoing) -> bool:
    return (
        match.topic in (None, outgoing.topic)
        and match.severity in (None, outgoing.severity)
        and (match.model is None or fnmatchcase(outgoing.event.model, match.model))
        and (match.owner is None or fnmatchcase(outgoing.owner, match.owner))
    )
