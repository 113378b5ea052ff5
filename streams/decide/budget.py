"""The false-alarm budget: what a test may spend in one window.

With shares that sum to at most the budget, over whatever tests run, the expected number of false
alarms of a model is at most what its policy states, however the tests depend on each other. A
share is fixed before its window is looked at: it follows from the policy, the reference and from
which versions and segments had traffic, never from what the traffic was like.
"""

from __future__ import annotations

from schemas.policy import Policy, duration_ms

HIGHEST = 0.5
"""Most that a test may spend at once: at 1 it would alarm whatever it saw."""


def share(
    policy: Policy, *, segment: str, tests: int, versions: int = 1, segments: int = 0
) -> float:
    """A test's share of the budget in one window.

    Parameters
    ----------
    policy
        States the budget, and whether segments take half of it.
    segment
        Segment of the stream, "" for the stream of all.
    tests
        How many tests the stream has.
    versions
        How many versions served as baseline in this window; they divide the share.
    segments
        How many segments the window has; more than the policy allows for divide the share.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> policy = Policy(model="m", task=Task.BINARY, window="1d", pane="1d")
    >>> round(share(policy, segment="", tests=4), 6)
    0.008333
    """
    a = policy.false_alarms
    budget = a.pages * policy.window_ms / duration_ms(a.per)
    return min(
        budget * weight(policy, segment=segment, segments=segments) / tests / versions, HIGHEST
    )


def weight(policy: Policy, *, segment: str, segments: int = 0) -> float:
    """Share of a stream in the budget of its version.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> policy = Policy(model="m", task=Task.BINARY, segments=["country"], max_segments=10)
    >>> weight(policy, segment=""), weight(policy, segment="country=de")
    (0.5, 0.05)
    """
    if not policy.segments:
        return 1.0
    return 0.5 if segment == "" else 0.5 / max(policy.max_segments, segments, 1)
