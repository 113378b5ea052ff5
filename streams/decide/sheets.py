"""What is asked of the windows of a stream, looked up once: tests, their keys and their shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np

from detectors.arrays import FloatArray, as_floats
from schemas.summaries import Part
from streams.decide.budget import HIGHEST, of_stream
from streams.decide.detect import Asked, DriftTest, EmbeddingTest, name_of, rules_of
from streams.decide.detect.care import is_care
from streams.decide.detect.roster import LEAST, MOST, Roster, shape_of
from streams.decide.keys import MonitorKey, Name, StreamKey
from streams.decide.subject import Subject

STREAMS = 1 << 16
"""So many streams of a sheet have their keys remembered."""


class Shares(NamedTuple):
    """What tests may spend on a window: each of all, and those of each roster."""

    each: tuple[float, ...]
    banked: tuple[FloatArray, ...]


class Sheet:
    """The tests on one part of a stream's panes, in order.

    ``tests`` are all of them, ``rules`` the contracts beside them, and ``usual`` what is asked of a
    window that lacks nothing and is not in hyper-care. ``drift_tests`` are those of them whose
    evidence names what has drifted. Of the usual ones some stand in ``rosters``; ``loose`` are the
    numbers of all others, and ``is_drift_loose`` says that a drift test is among these.
    """

    def __init__(self, subject: Subject, tests: Sequence[Asked], rules: Sequence[Asked]) -> None:
        self.tests = tuple(tests)
        self.rules = tuple(rules)
        self.usual = (*(one for one in tests if not is_care(one.test.detector)), *rules)
        self.drift_tests = tuple(
            one.test for one in self.usual if isinstance(one.test, DriftTest | EmbeddingTest)
        )
        self._fractions = as_floats([one.fraction for one in self.usual])
        self._names = [name_of(one.test) for one in self.usual]
        self._shares: tuple[float, Shares] = (-1.0, Shares((), ()))
        self._drifting = [isinstance(x.test, DriftTest | EmbeddingTest) for x in self.usual]
        fixed = [
            (number, one.test, one.question)
            for number, one in enumerate(self.usual)
            if shape_of(one.test, subject) is not None
        ]
        fixed = fixed if len(fixed) >= LEAST else []
        self.rosters = tuple(
            Roster(subject, fixed[first : first + MOST]) for first in range(0, len(fixed), MOST)
        )
        held = {number for number, _, _ in fixed}
        self.loose = tuple(number for number in range(len(self.usual)) if number not in held)
        self.is_drift_loose = any(self._drifting[number] for number in self.loose)
        self._keys: dict[StreamKey, tuple[MonitorKey, ...]] = {}

    def keys(self, stream: StreamKey) -> tuple[MonitorKey, ...]:
        """Where the memories of the usual tests of a stream are kept."""
        found = self._keys.get(stream)
        if found is None:
            if len(self._keys) >= STREAMS:
                self._keys.clear()
            found = tuple(MonitorKey(*stream, *name) for name in self._names)
            self._keys[stream] = found
        return found

    def drift_keys(self, stream: StreamKey) -> list[MonitorKey]:
        """The same of ``drift_tests``."""
        return list(compress(self.keys(stream), self._drifting))

    def shares(self, budget: float) -> Shares:
        """`streams.decide.budget.offered` of the usual tests, of what their stream may spend."""
        if self._shares[0] != budget:
            every = np.minimum(budget * self._fractions, HIGHEST)
            banked = tuple(every[list(roster.numbers)] for roster in self.rosters)
            self._shares = budget, Shares(tuple(every.tolist()), banked)
        return self._shares[1]


class Sheets:
    """Sheets by subject and part, and what streams may spend.

    Parameters
    ----------
    asked
        Every test of a stream, as `streams.decide.detect.asked_of` has them.
    """

    def __init__(self, asked: Callable[[Subject], Sequence[Asked]]) -> None:
        self._asked = asked
        self._known: dict[tuple[Subject, Part], Sheet] = {}
        self._names: dict[Subject, frozenset[Name]] = {}
        self._budgets: dict[tuple[Subject, bool, int, int], float] = {}

    def of(self, subject: Subject, part: Part) -> Sheet:
        """The sheet of a stream's inputs or labels."""
        sheet = self._known.get((subject, part))
        if sheet is None:
            tests, rules = (
                [one for one in some if one.test.part is part]
                for some in (self._asked(subject), rules_of(subject))
            )
            sheet = self._known[subject, part] = Sheet(subject, tests, rules)
        return sheet

    def names(self, subject: Subject) -> frozenset[Name]:
        """Every test of a stream, and every contract beside them."""
        found = self._names.get(subject)
        if found is None:
            every = (*self._asked(subject), *rules_of(subject))
            found = self._names[subject] = frozenset(name_of(one.test) for one in every)
        return found

    def budget(self, subject: Subject, segment: str, versions: int, segments: int) -> float:
        """`streams.decide.budget.of_stream` of a segment's stream."""
        kind = (subject, segment == "", versions, segments)
        known = self._budgets.get(kind)
        if known is None:
            known = self._budgets[kind] = of_stream(
                subject.policy, segment=segment, versions=versions, segments=segments
            )
        return known
