"""Alerts of what serves, by the time at which they stood open.

Looks at a rollout are taken in the order in which windows fall due, and later than alerts of the
same time: which alerts stood open at a look is asked of this log, and not of what is open now, so
that the pace of the watermarks changes no decision.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from schemas.alerts import ENDS, Alert, AlertAction, Layer, Severity
from schemas.predictions import Arm
from schemas.summaries import Part
from streams.decide.incidents.layers import layer_of
from streams.decide.keys import MonitorKey
from streams.decide.measure.histograms import CLASS, ITEMS, SCORE
from streams.decide.rollout.records import Trouble, TroubleKey
from streams.decide.state import State
from streams.decide.subject import Subjects

KEPT_MS = 30 * 86_400_000
"""How long an alert that is over is remembered; looks may be as late as labels are."""

OUTPUTS = frozenset({SCORE, CLASS, ITEMS})
"""Answers of a model that drift is looked for in, beside its inputs."""


def note(state: State, subjects: Subjects, found: Iterable[Alert]) -> None:
    """Enter the beginnings and ends of alerts of baselines; watches are left out."""
    for alert in found:
        if alert.arm is not Arm.BASELINE or alert.severity is Severity.WATCH:
            continue
        key = TroubleKey(alert.model, alert.alert_id)
        if alert.action is AlertAction.OPENED:
            state.troubles.put(key, _opened(alert))
        elif alert.action in ENDS:
            known = state.troubles.get(key)
            if known is not None:
                closed_ms = max(_due_ms(state, subjects, alert), known.opened_ms)
                state.troubles.put(key, msgspec.structs.replace(known, closed_ms=closed_ms))
                _forget(state, alert.model, closed_ms)


def standing(state: State, model: str, version: str, at_ms: int) -> list[Trouble]:
    """Alerts of a version that stood open at a time, in order of when they opened."""
    found = [
        trouble
        for key, trouble in state.troubles.items()
        if key.model == model
        and trouble.version == version
        and trouble.opened_ms <= at_ms
        and (trouble.closed_ms is None or at_ms < trouble.closed_ms)
    ]
    return sorted(found, key=lambda one: (one.opened_ms, one.segment, one.metric, one.feature))


def of_inputs(trouble: Trouble) -> bool:
    """Whether an alert says that inputs break their contract.

    Examples
    --------
    >>> of_inputs(Trouble("v1", "", "missing_rate", "age", "ticket", 0))
    True
    """
    return layer_of(trouble.metric) is Layer.CONTRACT


def of_labels(trouble: Trouble) -> bool:
    """Whether an alert says that something is wrong with the labels.

    Examples
    --------
    >>> of_labels(Trouble("v1", "", "flips", "", "ticket", 0))
    True
    """
    return layer_of(trouble.metric) is Layer.LABELS


def of_drift(trouble: Trouble) -> bool:
    """Whether an alert says that inputs drifted; answers that drift are the model's own.

    Examples
    --------
    >>> of_drift(Trouble("v1", "", "tv", "age", "ticket", 0))
    True
    >>> of_drift(Trouble("v1", "", "tv", SCORE, "page", 0))
    False
    """
    if trouble.metric not in ("tv", "embedding_drift"):
        return False
    return trouble.feature not in OUTPUTS


def _opened(alert: Alert) -> Trouble:
    return Trouble(
        version=alert.version,
        segment=alert.segment,
        metric=alert.metric,
        feature=alert.feature,
        severity=alert.severity.value,
        opened_ms=alert.opened_at_ms,
    )


def _due_ms(state: State, subjects: Subjects, alert: Alert) -> int:
    """When the window fell due in which an alert ended."""
    stream = (alert.model, alert.version, alert.arm.value, alert.segment)
    known = state.tests.get(MonitorKey(*stream, alert.detector, alert.metric, alert.feature))
    subject = subjects.of(alert.policy, alert.reference, whole=True)
    if known is not None and known.part is Part.LABEL:
        return alert.window_end_ms + subject.label_delay_ms
    return alert.window_end_ms + subject.input_delay_ms


def _forget(state: State, model: str, now_ms: int) -> None:
    for key, trouble in state.troubles.items():
        closed_ms = trouble.closed_ms
        if key.model == model and closed_ms is not None and closed_ms + KEPT_MS <= now_ms:
            state.troubles.drop(key)
