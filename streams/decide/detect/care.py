"""Hyper-care: tests with tighter levels, for a while after a version took over."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from schemas.alerts import Severity
from schemas.policy import Policy, duration_ms
from schemas.rollout_plan import HyperCare
from streams.decide.budget import fractions, weight, weight_of
from streams.decide.detect.limit import CARE, LimitTest
from streams.decide.domain import DOMAIN
from streams.decide.levels import Level, Origin, slack_of
from streams.decide.subject import Subject

DEPLOYMENTS = 8
"""Deployments in a period of the false-alarm budget that the reserve is for."""


class Care(NamedTuple):
    """A test of hyper-care, and its share as a part of what ordinary tests of the stream have."""

    test: LimitTest
    fraction: float


def care_tests(subject: Subject) -> list[Care]:
    """Tests of a stream that are asked while it is in hyper-care.

    Those that page, of the stream of all. Together they spend, in all windows of one deployment,
    the reserve divided by `DEPLOYMENTS`.

    Examples
    --------
    >>> from schemas.policy import Budgets, Plan, Task
    >>> from streams.decide.subject import subject_of
    >>> policy = Policy(
    ...     model="m",
    ...     task=Task.BINARY,
    ...     budgets=Budgets(error_rate=0.05),
    ...     plan=Plan(hyper_care=HyperCare(tighten=0.2)),
    ... )
    >>> [care] = care_tests(subject_of(policy, None, whole=True))
    >>> care.test.detector, round(care.test.level.limit, 3)
    ('e-sr-care', 0.04)
    """
    rule = subject.policy.plan.hyper_care
    if rule is None or not subject.whole:
        return []
    levels = [
        tightened(level, subject, rule.tighten)
        for level in subject.levels
        if level.severity is Severity.PAGE
        and level.metric != DOMAIN
        and weight_of(subject.policy, level.metric) > 0.0
    ]
    tests = [LimitTest(level, care=True) for level in levels]
    parts = fractions(subject.policy, [(test.metric, test.severity) for test in tests])
    whole = _whole(subject.policy, rule)
    return [Care(test, whole * part) for test, part in zip(tests, parts, strict=True)]


def is_care(detector: str) -> bool:
    """Whether a detector belongs to hyper-care.

    Examples
    --------
    >>> is_care("e-sr-care-low"), is_care("e-sr-low")
    (True, False)
    """
    return detector.startswith(CARE)


def windows_of(policy: Policy, rule: HyperCare) -> int:
    """Windows of one deployment that are in hyper-care, at least one.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> policy = Policy(model="m", task=Task.BINARY, pane="1h")
    >>> windows_of(policy, HyperCare(duration="1d"))
    24
    """
    return max(duration_ms(rule.duration) // policy.window_ms, 1)


def windows_in_period(policy: Policy) -> int:
    """Windows in a period of the false-alarm budget that may be in hyper-care; 0 without it."""
    rule = policy.plan.hyper_care
    return 0 if rule is None else DEPLOYMENTS * windows_of(policy, rule)


def tightened(level: Level, subject: Subject, share: float) -> Level:
    """A level drawn in by a share of itself.

    One that follows from the reference keeps half of what it tolerates: nearer to the reference's
    own level, a test would find what was there all along.
    """
    cut = share * level.limit
    if level.origin is Origin.REFERENCE:
        cut = min(cut, 0.5 * slack_of(level, subject.policy, subject.reference))
    if level.worse == "above":
        return replace(level, limit=level.limit - cut)
    highest = 1.0
    return replace(level, limit=min(level.limit + cut, 0.5 * (level.limit + highest)))


def _whole(policy: Policy, rule: HyperCare) -> float:
    """What hyper-care spends in a window, as a part of what ordinary tests of the stream spend."""
    ordinary = (1.0 - rule.reserve) * policy.window_ms / duration_ms(policy.false_alarms.per)
    reserve = rule.reserve / windows_in_period(policy)
    return reserve / (ordinary * weight(policy, segment=""))
