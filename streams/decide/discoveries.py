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
from collections.abc import Sequence

import msgspec

from detectors.drift.e_bh import e_bh
from streams.decide.detect import DriftTest, EmbeddingTest
from streams.decide.detect.drift import log_wealths
from streams.decide.keys import WindowKey
from streams.decide.sheets import Sheet
from streams.decide.state import MonitorState, State, Window

FALSE_NAMES = 0.1
"""Highest expected share of false names in the list of a fixed window; an empty list has none."""

LEAST = -math.log(FALSE_NAMES) - 1e-6
"""Below this logarithm of an e-value no list has a name, however many there are."""


Looked = tuple[WindowKey, Sheet]
"""A window that has just been judged, and what was asked of its inputs."""

Told = tuple[DriftTest | EmbeddingTest, MonitorState | None]


def note(state: State, windows: Sequence[Looked]) -> None:
    """Keep the lists with windows, so that their revisions have them."""
    for (window, _), names in zip(windows, found(state, windows), strict=True):
        if names:
            known = state.windows.get(window) or Window()
            state.windows.put(window, msgspec.structs.replace(known, drifted=names))


def found(state: State, windows: Sequence[Looked]) -> list[tuple[str, ...]]:
    """Features, score, answers and embeddings whose tests together hold evidence enough.

    A test whose alert is open holds the evidence that it had then. In the order of the tests.

    References
    ----------
    .. [1] Wang, Ramdas, False discovery rate control with e-values, JRSS-B 84, 2022.
    """
    told = [_told(state, window, sheet) for window, sheet in windows]
    wealth = iter(_log_wealths([(test, one) for own in told for test, one in own if one]))
    names: list[tuple[str, ...]] = []
    for own in told:
        log_e = [next(wealth) - math.log(one.offered) if one else -math.inf for _, one in own]
        if max(log_e, default=-math.inf) < LEAST:
            names.append(())
            continue
        rejected = e_bh(log_e, FALSE_NAMES)
        names.append(tuple(x.feature for (x, _), yes in zip(own, rejected, strict=True) if yes))
    return names


def _told(state: State, window: WindowKey, sheet: Sheet) -> list[Told]:
    """The tests of a window, with what those remember that looked at it last."""
    known = state.tests.get_all(sheet.drift_keys(window.stream))
    return [
        (test, one if one and one.start_ms == window.start_ms and one.offered > 0.0 else None)
        for test, one in zip(sheet.drift_tests, known, strict=True)
    ]


def _log_wealths(told: Sequence[tuple[DriftTest | EmbeddingTest, MonitorState]]) -> list[float]:
    """Logarithm of the wealth of tests."""
    drifts = [one.memory for test, one in told if isinstance(test, DriftTest)]
    wealth = iter(log_wealths(drifts))
    return [
        next(wealth) if isinstance(test, DriftTest) else test.log_wealth(one.memory)
        for test, one in told
    ]
