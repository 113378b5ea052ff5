"""How complete the labels of a stream are by their age, from windows that are old enough to tell.

A window counts in the delays that it has seen to their end when it matures, and in the longer
ones when its label horizon is over. So young windows, whose labels are still on their way, and
labels that come after maturity bias nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from detectors.arrays import as_floats
from detectors.estimation.completeness import RiskSums, completeness, maturity
from detectors.outcomes.contract import DELAYS_MS
from detectors.summary import Ints
from streams.decide import merge
from streams.decide.keys import WindowKey
from streams.decide.measure.awaited import awaited
from streams.decide.state import Delays, State
from streams.decide.subject import Subject

COMPLETE = 0.95
"""Share of predictions with a label that counts as complete."""


class Expected(NamedTuple):
    """Share of labels to expect at an age, and the delay by which they are complete."""

    share: float | None
    complete_ms: int | None


UNKNOWN = Expected(None, None)
"""What is known before a window has matured."""


def count_matured(state: State, window: WindowKey, subject: Subject) -> None:
    """Count a window in the delays up to maturity, from what tests see of it."""
    inputs = merge.total(state, window, subject, merge.INPUTS[:1])
    labels = merge.total(state, window, subject, merge.LABELS[:1])
    _count(state, window, subject, inputs, labels, first=0, age_ms=subject.maturity_ms)


def count_lapsed(state: State, window: WindowKey, subject: Subject) -> None:
    """Count a window in the delays from maturity to the horizon, from all of its labels."""
    policy = subject.policy
    inputs = merge.total(state, window, subject, merge.INPUTS)
    labels = merge.total(state, window, subject, merge.LABELS)
    first = _seen(policy.maturity_ms)
    _count(state, window, subject, inputs, labels, first=first, age_ms=policy.horizon_ms)


def expected_at(state: State, window: WindowKey, age_ms: int) -> Expected:
    """What windows of the same stream let expect of one of an age."""
    known = state.delays.get(window.stream)
    if known is None:
        return UNKNOWN
    curve = completeness(RiskSums(as_floats(known.at_risk), as_floats(known.events)))
    by_then = curve[: _seen(age_ms)]
    # At an age that no window has shown, there are at least as many as at the last one shown.
    shown = by_then[np.isfinite(by_then)]
    buckets = maturity(curve, COMPLETE)
    return Expected(
        share=float(shown[-1]) if shown.size else 0.0,
        complete_ms=DELAYS_MS[int(buckets) - 1] if buckets <= len(DELAYS_MS) else None,
    )


def _count(
    state: State,
    window: WindowKey,
    subject: Subject,
    inputs: Ints,
    labels: Ints,
    *,
    first: int,
    age_ms: int,
) -> None:
    """Add the delay buckets from ``first`` on that an age has seen to their end."""
    delays: list[int] = subject.labels.counts(labels, "delay").tolist()
    n, seen = awaited(subject.inputs, inputs), _seen(age_ms)
    if n <= 0 or seen <= first or min(delays) < 0 or sum(delays) > n:
        return
    known = state.delays.get(window.stream)
    at_risk = [0] * len(delays) if known is None else list(known.at_risk)
    events = [0] * len(delays) if known is None else list(known.events)
    for place, came in enumerate(delays[:seen]):
        if place >= first:
            at_risk[place] += n
            events[place] += came
        n -= came
    state.delays.put(window.stream, Delays(at_risk, events))


def _seen(age_ms: int) -> int:
    """Delay buckets that a cohort of an age has seen to their end."""
    return bisect_right(DELAYS_MS, age_ms)
