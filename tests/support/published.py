"""An alert as DECIDE publishes it, for tests of those who read it."""

from __future__ import annotations

from schemas.alerts import Alert, AlertAction, Severity
from schemas.predictions import Arm

_SAMPLE = Alert(
    id="s1",
    alert_id="a1",
    action=AlertAction.OPENED,
    model="fraud",
    version="v1",
    arm=Arm.BASELINE,
    segment="",
    metric="error_rate",
    feature="",
    detector="b1",
    severity=Severity.PAGE,
    opened_at_ms=1,
    window_start_ms=0,
    window_end_ms=1,
    n=10,
    value=0.5,
    low=0.4,
    high=0.6,
    budget=0.1,
    worse="above",
    log_e=3.0,
    share=0.01,
    spent=0.02,
    summary="error rate above 10 %",
    owner="o",
    runbook="r",
    dashboard="d",
    policy="p",
    reference="r",
    cut={},
)


def an_alert(**changes: object) -> Alert:
    """A page on the error rate, but for what is given."""
    return Alert.model_validate(_SAMPLE.model_dump() | changes)
