"""The false-alarm budget: what a test may spend in one window.

With shares that sum to at most the budget, over whatever tests run, the expected number of false
alarms of a model is at most what its policy states, however the tests depend on each other. A
share is fixed before its window is looked at: it follows from the policy, the reference and from
which versions and segments had traffic, never from what the traffic was like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from schemas.alerts import Severity
from schemas.policy import Policy, duration_ms

HIGHEST = 0.5
"""Most that a test may spend at once: at 1 it would alarm whatever it saw."""


Kind = tuple[str, Severity]
"""The metric of a test, and how loud it is."""


def of_stream(policy: Policy, *, segment: str, versions: int = 1, segments: int = 0) -> float:
    """What all ordinary tests of a stream together may spend in one window.

    A policy with hyper-care keeps its reserve back for that.

    Parameters
    ----------
    segment
        Segment of the stream, "" for the stream of all.
    versions
        How many versions served as baseline in this window; they divide the budget.
    segments
        How many segments the window has; more than the policy allows for divide the budget.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> policy = Policy(model="m", task=Task.BINARY, window="1d", pane="1d")
    >>> round(of_stream(policy, segment=""), 6)
    0.033333
    """
    a, care = policy.false_alarms, policy.plan.hyper_care
    window = a.pages * policy.window_ms / duration_ms(a.per)
    if care is not None:
        window *= 1.0 - care.reserve
    return window * weight(policy, segment=segment, segments=segments) / versions


def weight(policy: Policy, *, segment: str, segments: int = 0) -> float:
    """Share of a stream in the budget of its version.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> policy = Policy(model="m", task=Task.BINARY, segments=["country"], max_segments=10)
    >>> weight(policy, segment=""), weight(policy, segment="country=de")
    (0.5, 0.05)
    """
    if not policy.slices:
        return 1.0
    return 0.5 if segment == "" else 0.5 / max(policy.max_segments, segments, 1)


def fractions(policy: Policy, tests: Sequence[Kind]) -> list[float]:
    """How the tests of a stream divide its budget.

    Pages have half of it and tickets the other half, where there are both, so that a model with a
    hundred features is not slower to page. Within a half, the weights of the metrics count.

    Examples
    --------
    >>> from schemas.policy import FalseAlarms, Task
    >>> weighted = FalseAlarms(weights={"calibration": 3, "tv": 0})
    >>> policy = Policy(model="m", task=Task.BINARY, false_alarms=weighted)
    >>> page, ticket = Severity.PAGE, Severity.TICKET
    >>> fractions(policy, [("error_rate", page), ("calibration", page), ("tv", ticket)])
    [0.25, 0.75, 0.0]
    >>> fractions(policy, [("error_rate", page), ("missing_rate", ticket), ("mean", ticket)])
    [0.5, 0.25, 0.25]
    """
    totals: dict[Severity, float] = defaultdict(float)
    for metric, severity in tests:
        totals[severity] += weight_of(policy, metric)
    kinds = sum(total > 0.0 for total in totals.values())
    return [
        weight_of(policy, metric) / totals[severity] / kinds if totals[severity] > 0.0 else 0.0
        for metric, severity in tests
    ]


def weight_of(policy: Policy, metric: str) -> float:
    """Weight of each test of a metric: 1 unless the policy says otherwise; 0 is not tested."""
    return policy.false_alarms.weights.get(metric, 1.0)


def offered(stream: float, fraction: float) -> float:
    """A test's share: its fraction of the budget of its stream, and never so much that it would
    alarm on nothing.

    Examples
    --------
    >>> offered(0.2, 0.25), offered(20.0, 0.25)
    (0.05, 0.5)
    """
    return min(stream * fraction, HIGHEST)
