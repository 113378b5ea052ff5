"""Is a rate (B1) or a mean (B2) beyond the level it may not cross?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import BoolArray, FloatArray, as_floats
from detectors.bets import binary, bounded
from detectors.bets.grid import K, Side, log_mean_exp
from detectors.quantities import Sums
from detectors.sequential import e_sr
from detectors.sequential.bank import log_shares
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import (
    Bet,
    Evidence,
    Reading,
    Recovering,
    Recovery,
    Step,
    at_places,
)
from streams.decide.detect.gather import Gathered, Many, Steps
from streams.decide.detect.limit_bank import ROW as RECIPE
from streams.decide.detect.limit_bank import ManySums, recipe_of, sums_of
from streams.decide.detect.recovery import clear_of, reverse_each
from streams.decide.levels import Level
from streams.decide.measure.interval import interval_of
from streams.decide.subject import Subject

CARE = "e-sr-care"
"""Detector of tests that are asked in hyper-care only."""


ROW = np.dtype(
    [
        ("recipe", RECIPE),
        ("limit", np.float64),
        ("seasonal", np.int64),
        ("below", np.int64),
        ("dispersion", np.float64),
    ]
)
"""A test as it stands in a bank of many: how its evidence is read, and what it asks."""

FRESH = np.full(K, -np.inf).tobytes()
"""The memory of a test before its first window."""


@dataclass(frozen=True)
class LimitTest:
    """Alarm when a metric stays beyond its level, however often one looks.

    In hyper-care (``care``) it is a test of its own, beside the ordinary one.
    """

    level: Level
    care: bool = False
    _rows: dict[Subject, bytes | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

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
        return Reading(sums.n, sums.mean, low, high, self.limit(seen), level.worse)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet that the metric is beyond its level."""
        return bet_all([Bet(self, memory, seen, share)])[0]

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Bet that the metric is clear of its level again."""
        return recover_all([Recovering(self, memory, recovery, seen, self.read(seen))])[0]

    def sums(self, seen: Evidence) -> Sums | None:
        """The evidence, None where there is none."""
        sums = seen.sums(self.part, self.metric, self.feature)
        return None if sums is None or sums.n <= 0 else sums

    def row(self, subject: Subject) -> bytes | None:
        """The test as it stands in a bank, an entry of `ROW`; None where panes have no evidence."""
        rows = self._rows
        if subject not in rows:
            layout, level = subject.layout(self.part), self.level
            recipe = recipe_of(layout, subject.inputs, self.metric, self.feature)
            asked = (level.limit, level.season is not None, level.worse == "below")
            rows[subject] = (
                None
                if recipe is None
                else np.array([(recipe, *asked, level.dispersion)], ROW).tobytes()
            )
        return rows[subject]

    def limit(self, seen: Evidence) -> float:
        """The level for the window."""
        return self.level.at(seen.start_ms, seen.subject.window_ms)


def bet_all(bets: Sequence[Bet]) -> list[Step | None]:
    """`LimitTest.bet` of many tests at once, bit for bit as one by one.

    Returns
    -------
    One step for each bet, None where its window has no evidence.
    """
    asked, tests = _asked(bets)
    own = [bets[place] for place in asked]
    steps = step_all(
        Many(
            gathered=Gathered(bet.seen for bet in own),
            places=np.arange(len(own)),
            rows=tests,
            memory=np.frombuffer(b"".join([bet.memory or FRESH for bet in own])).reshape(-1, K),
            shares=as_floats([bet.share for bet in own]),
        )
    )
    live = [asked[row] for row in steps.live.tolist()]
    return at_places(len(bets), zip(live, steps.each(), strict=True))


def recover_all(alerts: Sequence[Recovering]) -> list[Recovery | None]:
    """`LimitTest.recover` of many alerts at once, bit for bit as one by one.

    Returns
    -------
    One for each alert, None where its window has no evidence.
    """
    asked, tests = _asked(alerts)
    seen = Gathered(alerts[place].seen for place in asked)
    every = sums_of(seen, tests["recipe"], np.arange(len(asked)))
    live = np.flatnonzero(every.n > 0)
    if not live.size:
        return [None] * len(alerts)
    sums, tests = every.of(live), tests[live]
    places = [asked[row] for row in live.tolist()]
    own = [alerts[place] for place in places]
    worse = [cast(LimitTest, one.test).level.worse for one in own]
    clear = [
        clear_of(limit, one.seen.subject.policy.alerting.clear, worse=side, lo=lo, hi=hi)
        for one, side, limit, lo, hi in zip(
            own, worse, tests["limit"].tolist(), sums.lo.tolist(), sums.hi.tolist(), strict=True
        )
    ]
    increments = _increments_each(sums, as_floats(clear), tests["below"] == 0)
    found = reverse_each([one.recovery for one in own], increments / tests["dispersion"][:, None])
    return at_places(len(alerts), zip(places, found, strict=True))


def _asked(looks: Sequence[Bet] | Sequence[Recovering]) -> tuple[list[int], NDArray[np.void]]:
    """Which of the windows can have evidence, and the tests that look at them, of `ROW`, with
    the limits of these windows."""
    found = [cast(LimitTest, look.test).row(look.seen.subject) for look in looks]
    asked = [place for place, row in enumerate(found) if row is not None]
    rows = np.frombuffer(b"".join(filter(None, found)), ROW).copy()
    for row in np.flatnonzero(rows["seasonal"]).tolist():
        look = looks[asked[row]]
        rows["limit"][row] = cast(LimitTest, look.test).limit(look.seen)
    return asked, rows


def step_all(many: Many) -> Steps:
    """One step of the budgeted e-SR for each test that has evidence; ``rows`` are of `ROW`, with
    the limits of their windows."""
    every = sums_of(many.gathered, many.rows["recipe"], many.places)
    live = np.flatnonzero(every.n > 0)
    sums = every if live.size == every.n.size else every.of(live)
    tests, memory, shares = many.of(live)
    increments = _increments_each(sums, tests["limit"], tests["below"] != 0)
    divided = increments / tests["dispersion"][:, None]
    after = e_sr.step(memory, divided, log_share=log_shares(shares))
    log_m = log_mean_exp(after)
    return Steps(live, after, log_m >= 0.0, log_m, shares)


def _increments_each(sums: ManySums, limits: FloatArray, below: BoolArray) -> FloatArray:
    """Increments (N, K) of bets on means beyond limits, and below them where true."""
    kinds = 2 * sums.squares + below
    found = set(kinds.tolist())
    if len(found) == 1:
        return _increments(sums, limits, _side(found.pop()))
    increments = np.empty((below.size, K))
    for kind in found:
        (rows,) = (kinds == kind).nonzero()
        increments[rows] = _increments(sums.of(rows), limits[rows], _side(kind))
    return increments


def _side(kind: int) -> Side:
    return "below" if kind % 2 else "above"


def _increments(sums: ManySums, limits: FloatArray, side: Side) -> FloatArray:
    """Increments (N, K) of sums of one kind."""
    lo, span = sums.lo, sums.hi - sums.lo
    m = (limits - lo) / span
    if not sums.squares[0]:
        return binary.increments(n=sums.n, s=sums.s, m=m, side=side)
    scaled = (sums.s - sums.n * lo) / span
    squares = (sums.q - 2.0 * lo * sums.s + sums.n * lo**2) / span**2
    return bounded.increments(n=sums.n, s=scaled, q=squares, m=m, side=side)
