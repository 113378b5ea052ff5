"""Which features have drifted by now: a list for display, from all windows so far.

Without drift, the wealth of a drift test at a fixed window is on average at most the shares that
it was offered up to there, whether it could bet with them or stood still in an alert. So wealth
over shares is an e-value, its mean at most 1, and the list that e-Benjamini-Hochberg makes for that
window has few false names, however the features depend on each other. It is stricter than a single
alert. Nothing is promised for a window that the evidence itself picks, such as the first one whose
list is not empty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from detectors.drift.e_bh import e_bh
from schemas.summaries import Part
from streams.decide.alerts.events import key_of
from streams.decide.detect import Asked, DriftTest, EmbeddingTest
from streams.decide.detect.drift import log_wealths
from streams.decide.keys import WindowKey
from streams.decide.state import State, Window

FALSE_NAMES = 0.1
"""Highest expected share of false names in the list of a fixed window; an empty list has none."""


def note(state: State, window: WindowKey, asked: Iterable[Asked]) -> None:
    """Keep the list with a window that has just been judged, so that its revisions have it.

    Parameters
    ----------
    asked
        The tests of its stream.
    """
    names = found(state, window, asked)
    if names:
        known = state.windows.get(window) or Window()
        state.windows.put(window, msgspec.structs.replace(known, drifted=names))


def found(state: State, window: WindowKey, asked: Iterable[Asked]) -> tuple[str, ...]:
    """Features, score, answers and embeddings whose tests together hold evidence enough.

    A test whose alert is open holds the evidence that it had then. In the order of the tests.

    References
    ----------
    .. [1] Wang, Ramdas, False discovery rate control with e-values, JRSS-B 84, 2022.
    """
    tests = [
        one.test
        for one in asked
        if isinstance(one.test, DriftTest | EmbeddingTest) and one.test.part is Part.INPUT
    ]
    rejected = e_bh(_log_e(state, window, tests), FALSE_NAMES)
    return tuple(test.feature for test, yes in zip(tests, rejected, strict=True) if yes)


def _log_e(
    state: State, window: WindowKey, tests: Sequence[DriftTest | EmbeddingTest]
) -> list[float]:
    """Logarithm of wealth over shares of each test at its window; minus infinity at any other."""
    found = [-math.inf] * len(tests)
    known = [state.tests.get(key_of(test, window)) for test in tests]
    told = [
        (place, one)
        for place, one in enumerate(known)
        if one is not None and one.start_ms == window.start_ms and one.offered > 0.0
    ]
    drifts = [(place, one.memory) for place, one in told if isinstance(tests[place], DriftTest)]
    wealth = dict(zip(dict(drifts), log_wealths([kept for _, kept in drifts]), strict=True))
    for place, one in told:
        log_wealth = wealth[place] if place in wealth else tests[place].log_wealth(one.memory)
        found[place] = log_wealth - math.log(one.offered)
    return found
