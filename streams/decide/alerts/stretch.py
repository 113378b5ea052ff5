"""Since when, and from what: the windows in a row that a level was crossed in, and those before.

For people only. Which windows these are is chosen by what they show, so their interval describes
and decides nothing.
"""

from __future__ import annotations

from dataclasses import replace

from detectors.quantities import Sums
from schemas.summaries import Part
from streams.decide import merge
from streams.decide.alerts.events import Occasion
from streams.decide.detect.contract import Evidence
from streams.decide.detect.limit import LimitTest
from streams.decide.measure.interval import Stretch, interval_of
from streams.decide.state import State

BEFORE = 24
"""Most windows that say what was usual before."""


def stretch(state: State, test: LimitTest, now: Occasion) -> Stretch | None:
    """The stretch that ends in a window; None where nothing good before it is known."""
    pooled = test.sums(now.seen)
    start_ms, length_ms = now.window.start_ms, now.subject.window_ms
    if pooled is None:
        return None
    while (sums := _sums(state, test, now, start_ms - length_ms)) is not None:
        level = test.level.at(start_ms - length_ms, length_ms)
        if not _beyond(sums, level, test.level.worse):
            break
        pooled, start_ms = _plus(pooled, sums), start_ms - length_ms
    usual: Sums | None = None
    for place in range(1, BEFORE + 1):
        sums = _sums(state, test, now, start_ms - place * length_ms)
        if sums is not None:
            usual = sums if usual is None else _plus(usual, sums)
    if usual is None or usual.mean is None or _beyond(usual, _limit(test, now), test.level.worse):
        return None
    low, high = interval_of(pooled, test.level.dispersion)
    return Stretch(start_ms, pooled.n, pooled.mean, low, high, usual.mean)


def _sums(state: State, test: LimitTest, now: Occasion, start_ms: int) -> Sums | None:
    """The metric in an earlier window of the same stream, policy and reference."""
    window = now.window._replace(start_ms=start_ms)
    if state.windows.get(window) is None:
        return None
    inputs = merge.total(state, window, now.subject, (Part.INPUT,))
    part = test.part
    told = inputs if part is Part.INPUT else merge.total(state, window, now.subject, (part,))
    return test.sums(Evidence(now.subject, told, start_ms, None, inputs))


def _limit(test: LimitTest, now: Occasion) -> float:
    return test.level.at(now.window.start_ms, now.subject.window_ms)


def _plus(first: Sums, second: Sums) -> Sums:
    squares = None if first.q is None or second.q is None else first.q + second.q
    return replace(first, n=first.n + second.n, s=first.s + second.s, q=squares)


def _beyond(sums: Sums, level: float, worse: str) -> bool:
    mean = sums.mean
    return mean is not None and (mean > level if worse == "above" else mean < level)
