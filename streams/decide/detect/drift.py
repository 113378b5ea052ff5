"""Has a feature or the score moved further from the reference than tolerated? (TV-witness)"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple, cast

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.bets.grid import K, log_mean_exp
from detectors.drift.closeness import closeness
from detectors.drift.witness import reference_slack
from detectors.drift.witness_bank import Witnesses, update
from detectors.sequential.bank import log_shares
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import (
    ALPHA_RECOVERY,
    Bet,
    Evidence,
    Reading,
    Recovery,
    Step,
    at_places,
)
from streams.decide.detect.gather import Gathered, Many, Steps
from streams.decide.detect.recovery import clear_of
from streams.decide.measure.drift import tv_metric
from streams.decide.measure.histograms import (
    ITEMS,
    histogram_name,
    histogram_of,
    reference_counts,
    size_of,
)
from streams.decide.subject import Subject

ENOUGH = 0.5
"""A histogram of fewer rows is empty."""


class Frame(NamedTuple):
    """What windows of a stream are compared with: a histogram of so many bins. One of ``listed``
    items has to be worked out, any other stands in a pane. ``row`` is an entry of `row_of`."""

    bins: int
    listed: bool
    row: bytes


@cache
def row_of(bins: int) -> np.dtype[np.void]:
    """A test in a bank: where its histogram begins in a pane, the shares of the reference's bins,
    the distance that is tolerated, and the test's own settings."""
    return np.dtype(
        [
            ("start", np.int64),
            ("shares", np.float64, bins),
            ("allowance", np.float64),
            ("decay", np.float64),
            ("dispersion", np.float64),
        ]
    )


@dataclass(frozen=True)
class DriftTest:
    """Alarm when a histogram is further than ``eps`` from its reference in total variation.

    Parameters
    ----------
    feature
        The feature, or one of the names in `streams.decide.measure.drift` for what is none.
    eps
        Smallest distance that matters.
    decay
        Weight of the past after one more window.
    dispersion
        So many rows are worth one independent row, here and in the reference.
    """

    feature: str
    eps: float
    decay: float
    dispersion: float = 1.0
    detector: str = "tv-witness"
    metric: str = "tv"
    part: Part = Part.INPUT
    severity: Severity = Severity.TICKET
    _frames: dict[Subject, Frame | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def question(self, subject: Subject) -> str:
        """The distance, what it is measured from, and what evidence is divided by."""
        reference = reference_counts(subject, self.feature)
        counts = None if reference is None else reference.tolist()
        asked = (self.metric, self.feature, self.eps, self.decay, self.dispersion)
        return content_id(*asked, counts)

    def read(self, seen: Evidence) -> Reading:
        """Distance in this window, corrected for chance, with its interval."""
        shown = tv_metric(seen.subject, seen.vector, self.feature, eps=self.eps, name=self.metric)
        if shown is None:
            return Reading(0, None, None, None, self.eps)
        return Reading(shown.n, shown.value, shown.low, shown.high, self.eps)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet that the bins that grew before hold more than they may."""
        return bet_all([Bet(self, memory, seen, share)])[0]

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Pool windows until they are shown to be within what is tolerated; proof that they are not
        starts anew. As for the alarm, the reference's own sampling error is tolerated, too."""
        counts = self._counts(seen)
        reference = reference_counts(seen.subject, self.feature)
        if reference is None or counts is None:
            return None
        look = int(recovery[0]) + 1 if recovery else 1
        pool = counts + np.array(recovery[1:] or [0.0])
        reference = as_floats(reference / self.dispersion)
        eps = clear_of(self.eps, seen.subject.policy.alerting.clear, worse="above")
        tolerated = eps + reference_slack(reference)
        found = closeness(pool, reference, eps=tolerated, look=look, alpha=ALPHA_RECOVERY)
        memory_ = [float(look)] if found.far else [float(look), *pool.tolist()]
        return Recovery(memory_, found.near, found.log_e)

    def log_wealth(self, memory: bytes) -> float:
        """Logarithm of the evidence in a memory; minus infinity of none."""
        return log_wealths([memory])[0]

    def frame(self, subject: Subject) -> Frame | None:
        """What windows are compared with; None where there is nothing."""
        if subject not in self._frames:
            self._frames[subject] = self._framed(subject)
        return self._frames[subject]

    def _framed(self, subject: Subject) -> Frame | None:
        reference, layout = reference_counts(subject, self.feature), subject.layout(self.part)
        name = histogram_name(self.feature)
        if reference is None or name not in layout:
            return None
        reference = as_floats(reference / self.dispersion)
        row = (
            layout.start(name),
            reference / reference.sum(),
            self.eps + reference_slack(reference),
            self.decay,
            self.dispersion,
        )
        packed = np.array([row], row_of(reference.size)).tobytes()
        return Frame(reference.size, self.feature == ITEMS, packed)

    def _counts(self, seen: Evidence) -> FloatArray | None:
        """Evidence is linear in the histogram: rows that depend count as one row."""
        counts = histogram_of(seen.subject, seen.vector, self.feature)
        if counts is None or size_of(counts) == 0:
            return None
        return as_floats(counts / self.dispersion)


def log_wealths(memories: Sequence[bytes]) -> list[float]:
    """`DriftTest.log_wealth` of many tests at once."""
    if not memories:
        return []
    fresh = np.full(K, -np.inf)
    width = fresh.nbytes
    wealth = np.frombuffer(b"".join([memory[:width] or fresh.tobytes() for memory in memories]))
    found: list[float] = log_mean_exp(wealth.reshape(len(memories), K)).tolist()
    return found


def bet_all(bets: Sequence[Bet]) -> list[Step | None]:
    """`DriftTest.bet` of many tests at once, bit for bit as one by one.

    Returns
    -------
    One step for each bet, None where its window has no evidence.
    """
    gathered = Gathered(bet.seen for bet in bets)
    alike: defaultdict[tuple[int, bool], list[int]] = defaultdict(list)
    frames = [cast(DriftTest, bet.test).frame(bet.seen.subject) for bet in bets]
    for place, frame in enumerate(frames):
        if frame is not None:
            alike[frame.bins, frame.listed].append(place)
    steps: list[tuple[int, Step]] = []
    for (bins, listed), places in alike.items():
        own, unset = [bets[place] for place in places], fresh(bins)
        many = Many(
            gathered=gathered,
            places=np.array(places),
            rows=np.frombuffer(b"".join([x.row for i in places if (x := frames[i])]), row_of(bins)),
            memory=np.frombuffer(b"".join([bet.memory or unset for bet in own])).reshape(
                len(own), K + bins
            ),
            shares=as_floats([bet.share for bet in own]),
        )
        found = _stepped(many, _lists(own)) if listed else step_all(many)
        steps += zip([places[i] for i in found.live.tolist()], found.each(), strict=True)
    return at_places(len(bets), steps)


def fresh(bins: int) -> bytes:
    """The memory of a test before its first window."""
    return np.concatenate([np.full(K, -np.inf), np.zeros(bins)]).tobytes()


def step_all(many: Many) -> Steps:
    """One step for each test that has evidence; ``rows`` are of `row_of`."""
    starts = many.gathered.starts[many.places] + many.rows["start"]
    return _stepped(many, as_floats(many.gathered.fields(starts, many.rows["shares"].shape[1])))


def _lists(bets: Sequence[Bet]) -> FloatArray:
    """Histograms of items of ranked lists, shape (N, B)."""
    found = (histogram_of(seen.subject, seen.vector, ITEMS) for _, _, seen, _ in bets)
    return as_floats([counts for counts in found if counts is not None])


def _stepped(many: Many, counts: FloatArray) -> Steps:
    """The same, with the histograms of the windows, shape (N, B)."""
    live = np.flatnonzero(counts.sum(axis=1) > ENOUGH)
    tests, memory, shares = many.of(live)
    after, found = update(
        Witnesses(ewma=np.ascontiguousarray(memory[:, K:]), wealth=as_floats(memory[:, :K])),
        as_floats(counts[live] / tests["dispersion"][:, None]),
        shares=np.ascontiguousarray(tests["shares"]),
        allowance=np.ascontiguousarray(tests["allowance"]),
        decay=np.ascontiguousarray(tests["decay"]),
        log_share=as_floats(log_shares(shares)[:, 0]),
    )
    return Steps(
        live,
        as_floats(np.concatenate([after.wealth, after.ewma], axis=1)),
        found.alarm,
        as_floats(np.where(np.isfinite(found.log_m), found.log_m, 0.0)),
        as_floats(np.where(found.made, shares, 0.0)),
    )
