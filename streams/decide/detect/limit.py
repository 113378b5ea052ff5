"""Is a rate (B1) or a mean (B2) beyond the level it may not cross?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.bets import binary, bounded
from detectors.bets.grid import K, Side, log_mean_exp
from detectors.quantities import Sums
from detectors.sequential import e_sr
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import clear_of, reverse
from streams.decide.levels import Level
from streams.decide.measure.interval import interval_of
from streams.decide.subject import Subject

CARE = "e-sr-care"
"""Detector of tests that are asked in hyper-care only."""


@dataclass(frozen=True)
class LimitTest:
    """Alarm when a metric stays beyond its level, however often one looks.

    In hyper-care (``care``) it is a test of its own, beside the ordinary one.
    """

    level: Level
    care: bool = False

    @property
    def detector(self) -> str:
        """Which way it looks."""
        name = CARE if self.care else "e-sr"
        return name if self.level.worse == "above" else f"{name}-low"

    @property
    def metric(self) -> str:
        """As in `detectors.quantities`."""
        return self.level.metric

    @property
    def feature(self) -> str:
        """The feature, or ""."""
        return self.level.feature

    @property
    def part(self) -> Part:
        """Whether it waits for labels."""
        return self.level.part

    @property
    def severity(self) -> Severity:
        """How loud."""
        return self.level.severity

    def question(self, subject: Subject) -> str:
        """The level, its season, on which side of it, and what evidence is divided by."""
        level = self.level
        asked = (level.metric, level.feature, level.limit, level.worse, level.dispersion)
        if level.season is None:
            return content_id(*asked)
        return content_id(*asked, level.season.rate.tolist(), level.season.traffic.tolist())

    def read(self, seen: Evidence) -> Reading:
        """Level of the window with its 95 % interval."""
        level = self.level
        sums = seen.sums(level.part, level.metric, level.feature) or Sums(0, 0.0)
        low, high = interval_of(sums, level.dispersion)
        return Reading(sums.n, sums.mean, low, high, self._limit(seen), level.worse)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet that the metric is beyond its level."""
        return bet_all([Bet(self, memory, seen, share)])[0]

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Bet that the metric is clear of its level again."""
        sums = self.sums(seen)
        if sums is None:
            return None
        worse = self.level.worse
        side: Side = "below" if worse == "above" else "above"
        share = seen.subject.policy.alerting.clear
        clear = clear_of(self._limit(seen), share, worse=worse, lo=sums.lo, hi=sums.hi)
        (increments,) = _increments([sums], [clear], side)
        return reverse(recovery, increments / self.level.dispersion)

    def sums(self, seen: Evidence) -> Sums | None:
        """The evidence, None where there is none."""
        sums = seen.sums(self.part, self.metric, self.feature)
        return None if sums is None or sums.n <= 0 else sums

    def _limit(self, seen: Evidence) -> float:
        return self.level.at(seen.start_ms, seen.subject.policy.window_ms)


class Bet(NamedTuple):
    """A test about to look at a window."""

    test: LimitTest
    memory: bytes
    seen: Evidence
    share: float


def bet_all(bets: Sequence[Bet]) -> list[Step | None]:
    """`LimitTest.bet` of many tests at once, bit for bit as one by one.

    Returns
    -------
    One step for each bet, None where its window has no evidence.
    """
    steps: list[Step | None] = [None] * len(bets)
    alike: dict[tuple[Side, bool], list[tuple[int, Sums]]] = defaultdict(list)
    for place, bet in enumerate(bets):
        sums = bet.test.sums(bet.seen)
        if sums is not None:
            alike[bet.test.level.worse, sums.q is None].append((place, sums))
    for (side, _), group in alike.items():
        places = [place for place, _ in group]
        chosen = [bets[place] for place in places]
        limits = [bet.test._limit(bet.seen) for bet in chosen]
        increments = _increments([sums for _, sums in group], limits, side)
        for place, step in zip(places, _stepped(chosen, increments), strict=True):
            steps[place] = step
    return steps


def _stepped(bets: Sequence[Bet], increments: FloatArray) -> list[Step]:
    """One step of the budgeted e-SR for each row of ``increments`` (N, K)."""
    fresh = np.full(K, -np.inf).tobytes()
    wealth = np.frombuffer(b"".join(bet.memory or fresh for bet in bets)).reshape(-1, K)
    dispersion = np.array([bet.test.level.dispersion for bet in bets])
    shares = np.array([e_sr.log_share_of(bet.share) for bet in bets])
    after = e_sr.step(wealth, increments / dispersion[:, None], log_share=shares[:, None])
    log_m = log_mean_exp(after)
    return [
        Step(row.tobytes(), bool(evidence >= 0.0), float(evidence), bet.share)
        for bet, row, evidence in zip(bets, after, log_m, strict=True)
    ]


def _increments(group: Sequence[Sums], limits: Sequence[float], side: Side) -> FloatArray:
    """Increments (N, K) of sums of one kind."""
    n, s, lo, hi = (as_floats([getattr(x, name) for x in group]) for name in ("n", "s", "lo", "hi"))
    span = hi - lo
    m = (as_floats(limits) - lo) / span
    if group[0].q is None:
        return binary.increments(n=n, s=s, m=m, side=side)
    q = as_floats([0.0 if x.q is None else x.q for x in group])
    scaled = (s - n * lo) / span
    squares = (q - 2.0 * lo * s + n * lo**2) / span**2
    return bounded.increments(n=n, s=scaled, q=squares, m=m, side=side)
