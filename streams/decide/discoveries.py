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
from collections import defaultdict
from collections.abc import Sequence

import msgspec
import numpy as np

from detectors.arrays import FloatArray
from detectors.bets.grid import K, log_mean_exp
from detectors.drift.e_bh import e_bh
from schemas.summaries import Part
from streams.decide.bank import ACCOUNT, BankKey, MonitorBank, account_of
from streams.decide.detect import DriftTest, EmbeddingTest
from streams.decide.detect.drift import log_wealths
from streams.decide.keys import WindowKey
from streams.decide.memory import MonitorState
from streams.decide.sheets import Sheet
from streams.decide.state import State, Window

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
    names: list[tuple[str, ...]] = [()] * len(windows)
    places = _likely(state, windows)
    told = [_told(state, *windows[place]) for place in places]
    wealth = iter(_log_wealths([(test, one) for own in told for test, one in own if one]))
    for place, own in zip(places, told, strict=True):
        log_e = [next(wealth) - math.log(one.offered) if one else -math.inf for _, one in own]
        if max(log_e, default=-math.inf) >= LEAST:
            rejected = e_bh(log_e, FALSE_NAMES)
            names[place] = tuple(
                x.feature for (x, _), hit in zip(own, rejected, strict=True) if hit
            )
    return names


def _likely(state: State, windows: Sequence[Looked]) -> list[int]:
    """Places of the windows whose list may have a name, as a glance at the banks tells."""
    found: set[int] = set()
    alike: defaultdict[int, list[tuple[int, bytes, FloatArray]]] = defaultdict(list)
    for place, (window, sheet) in enumerate(windows):
        banks = _banks(state, window, sheet)
        if len(banks) < len(sheet.rosters) or sheet.is_drift_loose:
            found.add(place)
            continue
        for bank, roster in zip(banks, sheet.rosters, strict=True):
            offered = account_of(bank.accounts)[:, ACCOUNT.offered]
            for one in roster.sections:
                if one.shape.kind is DriftTest:
                    memory = bank.memory[one.begin : one.end]
                    alike[one.shape.width].append((place, memory, offered[one.first : one.last]))
    for width, own in alike.items():
        wealth = np.frombuffer(b"".join([memory for _, memory, _ in own])).reshape(-1, width)
        offered = np.concatenate([one for _, _, one in own])
        with np.errstate(divide="ignore", invalid="ignore"):
            log_e = log_mean_exp(wealth[:, :K]) - np.log(offered)
        places = np.repeat([place for place, _, _ in own], [one.size for _, _, one in own])
        found |= set(places[~(log_e < LEAST)].tolist())
    return sorted(found)


def _banks(state: State, window: WindowKey, sheet: Sheet) -> list[MonitorBank]:
    """The banks of a stream that have looked at a window with all of their tests."""
    keys = (BankKey(*window.stream, Part.INPUT, i) for i in range(len(sheet.rosters)))
    known = (state.banks.get(key) for key in keys)
    return [one for one in known if one and one.start_ms == window.start_ms and not one.vacant]


def _told(state: State, window: WindowKey, sheet: Sheet) -> list[Told]:
    """The tests of a window, with what those remember that looked at it last."""
    known = [state.tests.get(key, Part.INPUT) for key in sheet.drift_keys(window.stream)]
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
