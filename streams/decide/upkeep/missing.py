"""No predictions: an alert of its own, so that silence never looks like health.

Only where ticks come. They say that time goes on though no event does; without them nobody is
there who could be told, and a replay that moves event time past its end means nothing by it. The
rule promises nothing about false alarms, and spends none of their budget.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.alerts import Alert, AlertAction, Severity
from schemas.ids import content_id
from schemas.policy import Policy
from schemas.predictions import Arm
from streams.decide import clock
from streams.decide.rollback.facts import View
from streams.decide.sentences import moment
from streams.decide.state import State
from streams.decide.upkeep.records import Traffic
from streams.decide.upkeep.traffic import limit_ms

METRIC = "no_traffic"


def judge(view: View) -> list[Alert]:
    """Alerts of models that have been without predictions for too long, or have them again."""
    if not clock.ticking(view.state):
        return []
    found: list[Alert] = []
    for model, known in sorted(view.state.traffic.items()):
        policy = view.control.policy(known.policy)
        if policy is None:
            continue
        missing = view.now_ms - known.last_ms >= limit_ms(policy)
        if missing and not known.alert:
            alert = _opened(view, model, known, policy)
            found.append(alert)
            after = msgspec.structs.replace(known, alert=alert.alert_id)
            view.state.traffic.put(model, after)
        elif known.alert and not missing:
            found += _resolved(view, known)
            view.state.traffic.put(model, msgspec.structs.replace(known, alert=""))
    return found


def _opened(view: View, model: str, known: Traffic, policy: Policy) -> Alert:
    due_ms = known.last_ms + limit_ms(policy)
    alert_id = content_id("alert", model, METRIC, known.last_ms)
    name, allowed = f"{model} {known.version}", lasting(limit_ms(policy))
    lasted = lasting(view.now_ms - known.last_ms)
    return Alert(
        id=content_id(alert_id, AlertAction.OPENED),
        alert_id=alert_id,
        action=AlertAction.OPENED,
        model=model,
        version=known.version,
        arm=Arm.BASELINE,
        segment="",
        metric=METRIC,
        feature="",
        detector="contract",
        severity=Severity.PAGE,
        opened_at_ms=due_ms,
        window_start_ms=known.last_ms,
        window_end_ms=due_ms,
        n=0,
        value=None,
        low=None,
        high=None,
        budget=None,
        worse="above",
        log_e=0.0,
        share=0.0,
        spent=0.0,
        summary=f"No prediction of {name} came since {moment(known.last_ms)} ({lasted}; {allowed} "
        f"are allowed); {whose(view.state, view.now_ms - policy.pane_ms)}",
        owner=policy.owner,
        runbook=policy.runbook,
        dashboard=policy.dashboard,
        policy=known.policy,
        reference=known.reference,
        cut=view.cut,
    )


def _resolved(view: View, known: Traffic) -> list[Alert]:
    standing = view.state.standing.get(known.alert)
    if standing is None:
        return []
    before = standing.alert
    end_ms = max(known.last_ms, before.window_end_ms)
    changes: Mapping[str, object] = {
        "id": content_id(before.alert_id, AlertAction.RESOLVED),
        "action": AlertAction.RESOLVED,
        "window_end_ms": end_ms,
        "summary": f"Predictions of {before.model} {known.version} come again; there were none "
        f"since {moment(before.window_start_ms)}",
        "reason": "",
        "policy": known.policy,
        "reference": known.reference,
        "cut": view.cut,
    }
    return [before.model_copy(update=dict(changes))]


def whose(state: State, mark_ms: int) -> str:
    """Where predictions may be stuck: shards that are not idle, and have not come to a time.

    The owner of an idle shard has read it to its end. One that is busy and yet behind may have
    lost its owner, with predictions that nobody reads.
    """
    marks = {number: shard.mark for number, shard in state.shards.items()}
    shards = max((mark.shards for mark in marks.values()), default=0)
    held = [
        number
        for number in range(shards)
        if (mark := marks.get(number)) is None
        or (not mark.idle and (mark.predictions_ms is None or mark.predictions_ms < mark_ms))
    ]
    if held:
        names = ", ".join(str(number) for number in held)
        one = len(held) == 1
        return (
            f"{'shard' if one else 'shards'} {names} {'holds' if one else 'hold'} event time back: "
            f"{'its worker' if one else 'their workers'} may be dead"
        )
    if all(mark.idle for mark in marks.values()):
        return "all shards are idle"
    return "every shard that is not idle goes on, with other events"


def lasting(length_ms: int) -> str:
    """A length of time for people, in one unit.

    Examples
    --------
    >>> lasting(90_000), lasting(2_700_000), lasting(7_200_000), lasting(3 * 86_400_000)
    ('90 s', '45 min', '120 min', '3 days')
    """
    if length_ms < 120_000:
        return f"{length_ms // 1_000} s"
    if length_ms < 3 * 3_600_000:
        return f"{length_ms // 60_000} min"
    if length_ms < 3 * 86_400_000:
        return f"{length_ms // 3_600_000} h"
    return f"{length_ms // 86_400_000} days"
