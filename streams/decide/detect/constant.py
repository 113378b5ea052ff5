"""Is the model stuck on one answer? A bet on the most common answer of the window before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import msgspec
import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.bets import binary
from detectors.bets.grid import K, log_mean_exp
from detectors.patterns.constant import ConstantState, limit
from detectors.sequential import e_sr
from detectors.sequential.bank import log_shares
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import Bet, Evidence, Reading, Recovery, Step, at_places
from streams.decide.detect.recovery import clear_of, reverse
from streams.decide.measure.histograms import histogram_of, reference_counts
from streams.decide.measure.interval import interval_of
from streams.decide.measure.patterns import CONSTANT, answers, highest, top
from streams.decide.subject import Subject

_memory = msgspec.msgpack.Decoder(ConstantState)

FRESH = ConstantState(suspect=None, wealth=[])
"""What a test remembers before its first window."""


@dataclass(frozen=True)
class ConstantTest:
    """Alarm when one answer, whichever, holds more of the windows than it may.

    Parameters
    ----------
    feature
        ``<class>`` or ``<score>``, see `streams.decide.measure.drift`.
    way
        How far from the reference's largest share to all, in (0, 1).
    rows_per_unit
        Most rows that depend on each other; evidence is divided by it.
    """

    feature: str
    way: float
    rows_per_unit: int = 1
    detector: str = "constant-e-sr"
    metric: str = CONSTANT
    part: Part = Part.INPUT
    severity: Severity = Severity.TICKET
    _limits: dict[Subject, float | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def question(self, subject: Subject) -> str:
        """The highest acceptable share, of which answers, and what evidence is divided by."""
        limit, profile = highest(subject, self.feature), subject.reference
        known = profile and (profile.classes or profile.score)
        answers = known and known.model_dump(mode="json")
        return content_id(self.metric, self.feature, limit, answers, self.rows_per_unit)

    def read(self, seen: Evidence) -> Reading:
        """Share of the most common answer of the window, with its 95 % interval."""
        counts, limit = self._counts(seen), highest(seen.subject, self.feature)
        if counts is None:
            return Reading(0, None, None, None, limit)
        sums = top(counts)
        return Reading(sums.n, sums.mean, *interval_of(sums, self.rows_per_unit), limit)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet on the suspect, then name the next; the first window only names one."""
        return bet_all([Bet(self, memory, seen, share)])[0]

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Bet that the most common answer, whichever it is, is within the limit again."""
        counts, limit = self._counts(seen), highest(seen.subject, self.feature)
        if counts is None or limit is None:
            return None
        n, s = float(counts.sum()), float(counts.max())
        clear = clear_of(limit, seen.subject.policy.alerting.clear, worse="above")
        won = binary.increments(n=n, s=s, m=clear, side="below")
        return reverse(recovery, as_floats(won / self.rows_per_unit))

    def limit(self, subject: Subject) -> float | None:
        """Most that one answer may hold, looked up once; None where there is no reference."""
        if subject not in self._limits:
            reference = reference_counts(subject, self.feature)
            self._limits[subject] = None if reference is None else limit(reference, way=self.way)
        return self._limits[subject]

    def _counts(self, seen: Evidence) -> FloatArray | None:
        counts = histogram_of(seen.subject, seen.vector, self.feature)
        return None if counts is None or float(counts.sum()) <= 0.0 else counts


class _Ready(NamedTuple):
    """A bet and its place among all: the limit, what is remembered, and the window's counts."""

    place: int
    share: float
    limit: float
    known: ConstantState
    window: FloatArray

    def suspected(self) -> float:
        """Answers of the window that are the suspect's."""
        suspect = self.known["suspect"]
        return 0.0 if suspect is None else float(self.window[suspect])


def bet_all(bets: Sequence[Bet]) -> list[Step | None]:
    """`ConstantTest.bet` of many tests at once, each as `ConstantOutputTest.update`, bit for bit.

    Returns
    -------
    One step for each bet, None where its window has no evidence.
    """
    ready = []
    for place, (asked, memory, seen, share) in enumerate(bets):
        test = cast(ConstantTest, asked)
        counts, most = test._counts(seen), test.limit(seen.subject)
        if counts is not None and most is not None:
            known = _memory.decode(memory) if memory else FRESH
            window = as_floats(counts / test.rows_per_unit)
            ready.append(_Ready(place, share, most, known, window))
    return at_places(len(bets), zip([r.place for r in ready], _stepped(ready), strict=True))


def _stepped(ready: Sequence[_Ready]) -> list[Step]:
    if not ready:
        return []
    fresh = [-math.inf] * K
    increments = binary.increments(
        n=as_floats([r.window.sum() for r in ready]),
        s=as_floats([r.suspected() for r in ready]),
        m=as_floats([r.limit for r in ready]),
    )
    wealth = as_floats([r.known["wealth"] or fresh for r in ready])
    after = e_sr.step(wealth, increments, log_share=log_shares([r.share for r in ready]))
    steps = []
    for r, own, log_m in zip(ready, after, log_mean_exp(after).tolist(), strict=True):
        made, suspect = r.known["suspect"] is not None, int(np.argmax(r.window))
        kept = own.tolist() if made and log_m > -math.inf else r.known["wealth"]
        memory = msgspec.msgpack.encode(ConstantState(suspect=suspect, wealth=kept))
        log_e = log_m if made and math.isfinite(log_m) else 0.0
        steps.append(Step(memory, made and log_m >= 0.0, log_e, r.share if made else 0.0))
    return steps


def constant_tests(subject: Subject) -> list[ConstantTest]:
    """The test of a stream whose answers the reference knows, and knows to vary."""
    way, feature = subject.policy.patterns.constant, answers(subject)
    if way is None or not feature:
        return []
    return [ConstantTest(feature, way, subject.policy.dependence.rows_per_unit)]
