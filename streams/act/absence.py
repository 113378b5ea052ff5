"""Absence: when answers to probes stay away, and the alert that says so. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.alerts import Alert, AlertAction, AlertState, Layer, Severity
from schemas.base import iso
from schemas.ids import content_id
from schemas.policy import Policy
from schemas.predictions import Arm
from schemas.schedules import Probe
from streams.act.probe import PANE_MS, VERSION

METRIC = "probe"


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of the answers of one model.

    Parameters
    ----------
    answered_ms
        Start of the latest window that came back whole; of the first round, before any did.
        Every worker sees the same, so all of them say the same of one absence.
    heard_ms
        When that was, or when probing began, milliseconds since the epoch.
    alert
        The alert that is open, if answers stay away.
    """

    answered_ms: int
    heard_ms: int
    alert: Alert | None = None


def heard(watch: Watch, *, start_ms: int, now_ms: int) -> tuple[Watch, Alert | None]:
    """An answer came: what is known now, and the end of the alert if one was open."""
    known = replace(watch, answered_ms=max(watch.answered_ms, start_ms), heard_ms=now_ms)
    if watch.alert is None:
        return known, None
    return replace(known, alert=None), _resolved(watch.alert, start_ms)


def missed(
    watch: Watch, probe: Probe, policy: Policy, *, now_ms: int
) -> tuple[Watch, Alert | None]:
    """Time goes on: what is known now, and the alert if answers have stayed away too long.

    It is no test of a model, spends nothing of a false-alarm budget and promises nothing: it says
    what was seen.

    Examples
    --------
    >>> from streams.act.probe import policy_of
    >>> probe = Probe(timeout="2m")
    >>> policy, since = policy_of(probe, "kittiwake-probe"), Watch(0, heard_ms=60_000)
    >>> missed(since, probe, policy, now_ms=180_000)[1] is None
    True
    >>> watch, alert = missed(since, probe, policy, now_ms=180_001)
    >>> alert.severity.value, alert.action.value
    ('page', 'opened')
    >>> heard(watch, start_ms=120_000, now_ms=190_000)[1].action.value
    'resolved'
    """
    if watch.alert is not None or now_ms - watch.heard_ms <= probe.timeout_ms:
        return watch, None
    alert = _opened(watch, probe, policy)
    return replace(watch, alert=alert), alert


def _opened(watch: Watch, probe: Probe, policy: Policy) -> Alert:
    # All of it follows from the last answer, so that two workers say it in the same bytes.
    since_ms = watch.answered_ms
    alert_id = content_id(METRIC, policy.model, since_ms)
    lost_ms = since_ms + PANE_MS
    return Alert(
        id=content_id(alert_id, AlertAction.OPENED.value),
        alert_id=alert_id,
        incident_id=alert_id,
        cause=alert_id,
        layer=Layer.SERVICE,
        action=AlertAction.OPENED,
        state=AlertState.FIRING,
        model=policy.model,
        version=VERSION,
        arm=Arm.BASELINE,
        segment="",
        metric=METRIC,
        feature="",
        detector="timeout",
        severity=Severity.PAGE,
        opened_at_ms=lost_ms,
        window_start_ms=since_ms,
        window_end_ms=lost_ms,
        n=0,
        value=None,
        low=None,
        high=None,
        budget=probe.timeout_ms / 1_000,
        worse="above",
        log_e=0.0,
        share=0.0,
        spent=0.0,
        summary=f"probes of {policy.model} have had no answer for {probe.timeout}, the last of "
        f"{iso(since_ms)}: predictions do not come out as windows, and no model may be watched",
        owner=policy.owner,
        runbook=policy.runbook,
        dashboard=policy.dashboard,
        policy=policy.hash,
        reference="",
        cut={},
        reason="no_answer",
    )


def _resolved(alert: Alert, start_ms: int) -> Alert:
    return alert.model_copy(
        update={
            "id": content_id(alert.alert_id, AlertAction.RESOLVED.value),
            "action": AlertAction.RESOLVED,
            "state": AlertState.RESOLVED,
            "window_start_ms": start_ms,
            "window_end_ms": start_ms + PANE_MS,
            "step": alert.step + 1,
            "reason": "answered",
            "summary": f"probes of {alert.model} are answered again, first that of {iso(start_ms)}",
        }
    )
