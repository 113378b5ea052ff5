"""When a version is in hyper-care, and the end of the alerts that it had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from schemas.alerts import Alert
from schemas.base import milliseconds
from schemas.deployments import DeploymentEvent
from schemas.policy import Policy, duration_ms
from streams.decide import sentences
from streams.decide.alerts.base import anew
from streams.decide.alerts.events import Occasion, superseded
from streams.decide.detect.care import DEPLOYMENTS, is_care, windows_of
from streams.decide.keys import MonitorKey, WindowKey
from streams.decide.merge import floor_to
from streams.decide.rollout.plan import takes_over
from streams.decide.state import State


class Period(NamedTuple):
    """Windows of a version that are in hyper-care: those that start from one time to another."""

    version: str
    start_ms: int
    end_ms: int


def periods_of(deployments: Iterable[DeploymentEvent], policy: Policy) -> list[Period]:
    """Every period of hyper-care of a model, in order.

    Each version that takes over has one, as long as the reserve of the budget's period lasts: it is
    for so many deployments, and those beyond have none.

    Examples
    --------
    >>> from schemas.deployments import DeploymentAction
    >>> from schemas.policy import Plan, Task
    >>> from schemas.rollout_plan import HyperCare
    >>> plan = Plan(hyper_care=HyperCare(duration="2h"))
    >>> policy = Policy(model="m", task=Task.BINARY, pane="1h", plan=plan)
    >>> taken = DeploymentEvent(
    ...     model="m", version="v2", time=4_000_000, action=DeploymentAction.PROMOTED
    ... )
    >>> periods_of([taken], policy)
    [Period(version='v2', start_ms=3600000, end_ms=10800000)]
    """
    rule = policy.plan.hyper_care
    if rule is None:
        return []
    length_ms = windows_of(policy, rule) * policy.window_ms
    # Of periods that overlap a period of the budget, one may have begun before it.
    apart_ms = duration_ms(policy.false_alarms.per) + length_ms
    found: list[Period] = []
    serving = ""
    for event in deployments:
        if not takes_over(event) or event.version == serving:
            continue
        serving = event.version
        start_ms = floor_to(milliseconds(event.time), policy.window_ms)
        recent = [one for one in found if one.start_ms > start_ms - apart_ms]
        if len(recent) < DEPLOYMENTS:
            found.append(Period(event.version, start_ms, start_ms + length_ms))
    return found


def current(periods: Sequence[Period], window: WindowKey) -> Period | None:
    """The period that a window is in; None where it is in none."""
    return next(
        (
            one
            for one in reversed(periods)
            if one.version == window.version and one.start_ms <= window.start_ms < one.end_ms
        ),
        None,
    )


def begin(state: State, window: WindowKey, period: Period, keys: Iterable[MonitorKey]) -> None:
    """Let tests start anew in the first window of a period; evidence of an earlier one is gone."""
    for key in keys:
        known = state.tests.get(key)
        if known is None or known.alert is not None or known.start_ms >= period.start_ms:
            continue
        past = anew(known.past, window.start_ms - 1)
        state.tests.put(key, msgspec.structs.replace(known, memory=b"", past=past))


def retire(
    state: State, now: Occasion, keys: Iterable[MonitorKey], periods: Sequence[Period]
) -> list[Alert]:
    """Close the alerts of hyper-care of a window's stream, once it is over.

    Parameters
    ----------
    keys
        Tests of the window's version with an open alert, that look at the part of a pane of which
        the window is due: labels come later than inputs.
    """
    window, closed = now.window, list[Alert]()
    if window.segment != "" or current(periods, window) is not None:
        return []
    for key in keys:
        known = state.tests.get(key)
        if known is None or known.alert is None:
            continue
        if not is_care(key.detector) or known.start_ms >= window.start_ms:
            continue
        if not known.alert.pending:
            words = sentences.care_over(key.metric, key.feature, window)
            ended = superseded(key, known, known.alert, now)
            closed.append(ended.model_copy(update={"summary": words, "reason": "care_over"}))
        after = msgspec.structs.replace(
            known,
            start_ms=window.start_ms,
            memory=b"",
            share=0.0,
            alert=None,
            past=anew(known.past, window.start_ms),
        )
        state.tests.put(key, after)
    return closed
