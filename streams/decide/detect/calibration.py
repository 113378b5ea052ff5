"""Do outcomes deviate from the scores that forecast them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, cast

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.bets import bounded
from detectors.bets.grid import K
from detectors.calibration.anytime import (
    SIGNS,
    SIZES,
    CalibrationSums,
    increments,
    leading_component,
    log_mixture,
)
from detectors.outcomes import classes_of
from detectors.outcomes.calibration import BINS
from detectors.quantities import Sums
from detectors.sequential.bank import log_shares
from detectors.sequential.e_sr import step
from detectors.summary import Ints, Layout
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
from streams.decide.detect.gather import Gathered, cut, scale_of, scaled
from streams.decide.detect.recovery import MEMORY, clear_of, restarted, reverse_each
from streams.decide.measure.calibration import gap_reading
from streams.decide.subject import Subject

SHAPE = (BINS + 2, SIGNS.size, SIZES.size)
"""Of a memory: log-wealth by component, sign and size of the bet."""

TOTAL, SLOPE = 0, 1
"""Components of a memory; the bins follow."""

FRESH = np.full(SHAPE, -np.inf).tobytes()
"""The memory of a test before its first window."""

FIELDS = ("cal_n", "cal_y", "cal_p", "cal_sq")
SLOPES = ("slope_d", "slope_v")


class Places(NamedTuple):
    """Where the sums stand in a pane, those of bins field by field and then of the slope, and what
    each is divided by: both of shape (len(FIELDS) * BINS + len(SLOPES),)."""

    sums: Ints
    scales: FloatArray


@dataclass(frozen=True)
class Calibrated:
    """Alarm when outcomes differ from scores by more than ``tau``, in total, slope or a bin.

    The alert is over once the total, the slope, and the bin that had raised it, are shown to lie
    within ``tau``: six bets, all of which must win, so the chance to resolve while one of the
    three is outside is at most 5 %.

    Parameters
    ----------
    tau
        Tolerated gap.
    rows_per_unit
        Most rows that depend on each other; evidence is divided by it.
    feature
        The class whose probability is meant; "" for the score, or the best class's.
    """

    tau: float
    rows_per_unit: int = 1
    detector: str = "calibration-e-sr"
    metric: str = "calibration"
    feature: str = ""
    part: Part = Part.LABEL
    severity: Severity = Severity.PAGE
    _places: dict[Subject, Places] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def question(self, subject: Subject) -> str:
        """The tolerance, and what evidence is divided by."""
        asked = (self.metric, self.tau, self.rows_per_unit)
        return content_id(*asked, self.feature) if self.feature else content_id(*asked)

    def read(self, seen: Evidence) -> Reading:
        """Mean of outcome less score, without its sign, with its 95 % interval."""
        sums = sums_of(seen, self.feature)
        gap = Sums(round(sums.count), float(sums.d.sum()), float(sums.v.sum()))
        return gap_reading(gap, tau=self.tau, rows_per_unit=self.rows_per_unit)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet on total, slope and bins together."""
        return bet_all([Bet(self, memory, seen, share)])[0]

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Bet that every deviation is back within ``tau``."""
        return recover_all([Recovering(self, memory, recovery, seen, self.read(seen))])[0]

    def places(self, subject: Subject) -> Places:
        """Where the sums stand in the panes of a stream."""
        if subject not in self._places:
            layout, place, of = subject.labels, 0, ""
            if self.feature:
                place, of = (
                    classes_of(subject.policy, subject.reference).index(self.feature),
                    "class",
                )
            bins = [name.replace("cal", of) if of else name for name in FIELDS]
            slopes = [f"{of}_{name}" if of else name for name in SLOPES]
            starts = np.array([layout.start(name) + place * BINS for name in bins])
            binned = (starts[:, None] + np.arange(BINS)).ravel().tolist()
            scales = [scale_of(layout, name) for name in bins for _ in range(BINS)]
            self._places[subject] = Places(
                np.array(binned + [layout.start(name) + place for name in slopes]),
                as_floats(scales + [scale_of(layout, name) for name in slopes]),
            )
        return self._places[subject]


def bet_all(bets: Sequence[Bet]) -> list[Step | None]:
    """`Calibrated.bet` of many tests at once, bit for bit as one by one.

    Returns
    -------
    One step for each bet, None where its window has no evidence.
    """
    tests = [cast(Calibrated, bet.test) for bet in bets]
    n, d, v = _sums(tests, [bet.seen for bet in bets])
    places = np.flatnonzero(n[:, TOTAL] > 0.0).tolist()
    found = _stepped([bets[i] for i in places], n[places], d[places], v[places])
    return at_places(len(bets), zip(places, found, strict=True))


def recover_all(alerts: Sequence[Recovering]) -> list[Recovery | None]:
    """`Calibrated.recover` of many alerts at once, bit for bit as one by one.

    Returns
    -------
    One for each alert, None where its window has no evidence.
    """
    tests = [cast(Calibrated, alert.test) for alert in alerts]
    n, d, v = _sums(tests, [alert.seen for alert in alerts])
    leading = leading_component(_wealth([alert.memory for alert in alerts])).tolist()
    live = np.flatnonzero(n[:, TOTAL] > 0.0).tolist()
    if not live:
        return [None] * len(alerts)
    parts = [[TOTAL, SLOPE] if leading[i] <= SLOPE else [TOTAL, SLOPE, leading[i]] for i in live]
    rows, columns = np.repeat(live, list(map(len, parts))), np.concatenate(parts)
    count, total, squares = (sums[rows, columns] for sums in (n, d, v))
    clear = [
        clear_of(test.tau, alert.seen.subject.policy.alerting.clear, worse="above")
        for test, alert in zip(tests, alerts, strict=True)
    ]
    tau = as_floats(clear)[rows]
    below = bounded.increments(n=count, s=total, q=squares, m=tau, lo=-1.0, side="below")
    above = bounded.increments(n=count, s=total, q=squares, m=-tau, lo=-1.0, side="above")
    before = [
        alerts[i].recovery[MEMORY * bet : MEMORY * (bet + 1)]
        for i, own in zip(live, parts, strict=True)
        for bet in range(2 * len(own))
    ]
    after = iter(reverse_each(before, as_floats(np.stack([below, above], axis=1).reshape(-1, K))))
    found = [
        (i, _recovered(alerts[i], list(islice(after, 2 * len(own)))))
        for i, own in zip(live, parts, strict=True)
    ]
    return at_places(len(alerts), found)


def _recovered(alert: Recovering, bets: Sequence[Recovery]) -> Recovery:
    """All of the bets must win, and the window itself must not be bad beyond doubt."""
    low, level = alert.reading.low, alert.reading.level
    bad = low is not None and level is not None and low > level
    memories = [restarted(bet.memory) if bad else bet.memory for bet in bets]
    return Recovery(
        memory=[number for memory in memories for number in memory],
        over=not bad and all(bet.over for bet in bets),
        log_e=min(bet.log_e for bet in bets),
    )


def _sums(
    tests: Sequence[Calibrated], seen: Sequence[Evidence]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Number of labels, sum and sum of squares of the deviations that N tests see, in total, in
    slope and by bin, each of shape (N, BINS + 2); evidence is linear in them, so those of one
    unit count as those of one row."""
    gathered = Gathered(seen)
    places = [test.places(one.subject) for test, one in zip(tests, seen, strict=True)]
    starts = gathered.starts[:, None] + np.stack([one.sums for one in places])
    entries = scaled(gathered.at(starts), np.stack([one.scales for one in places]))
    rows = as_floats([test.rows_per_unit for test in tests])
    binned = len(FIELDS) * BINS
    n, y, p, sq = (entries[:, first : first + BINS] for first in range(0, binned, BINS))
    slope_d, slope_v = entries[:, binned], entries[:, binned + 1]
    n, d, v = (as_floats(x / rows[:, None]) for x in (n, y - p, sq))
    count = n.sum(axis=1)
    return (
        _components(n, count, count),
        _components(d, d.sum(axis=1), slope_d / rows),
        _components(v, v.sum(axis=1), slope_v / rows),
    )


def _wealth(memories: Sequence[bytes]) -> FloatArray:
    """What tests remember, shape (N, *SHAPE)."""
    return np.frombuffer(b"".join([memory or FRESH for memory in memories])).reshape(-1, *SHAPE)


def _components(bins: FloatArray, total: FloatArray, slope: FloatArray) -> FloatArray:
    """Sums of the total, the slope and the bins of N windows, shape (N, BINS + 2)."""
    return as_floats(np.concatenate([total[:, None], slope[:, None], bins], axis=1))


def _stepped(bets: Sequence[Bet], n: FloatArray, d: FloatArray, v: FloatArray) -> list[Step]:
    """One step of each test, all sums of shape (N, BINS + 2)."""
    if not bets:
        return []
    wealth = _wealth([bet.memory for bet in bets])
    taus = [cast(Calibrated, bet.test).tau for bet in bets]
    le = np.empty(wealth.shape)
    for tau in set(taus):
        rows = np.flatnonzero(np.array(taus) == tau)
        le[rows] = increments(d[rows], v[rows], n[rows], tau=tau)
    shares = log_shares([bet.share for bet in bets])[:, :, None, None]
    after = np.where((n > 0.0)[:, :, None, None], step(wealth, le, log_share=shares), wealth)
    log_m = log_mixture(as_floats(after)).tolist()
    memories = cut(as_floats(after.reshape(len(bets), -1)))
    return [
        Step(memory, evidence >= 0.0, evidence, bet.share)
        for bet, memory, evidence in zip(bets, memories, log_m, strict=True)
    ]


def sums_of(seen: Evidence, of: str = "") -> CalibrationSums:
    """Calibration sums of a label pane: of the score, or of the probability of a class."""
    layout, vector = seen.subject.labels, seen.vector
    if of:
        classes = classes_of(seen.subject.policy, seen.subject.reference)
        return _class_sums(layout, vector, classes.index(of))
    return CalibrationSums(
        n=layout.values(vector, "cal_n"),
        d=layout.values(vector, "cal_y") - layout.values(vector, "cal_p"),
        v=layout.values(vector, "cal_sq"),
        d_slope=layout.total(vector, "slope_d"),
        v_slope=layout.total(vector, "slope_v"),
    )


def _class_sums(layout: Layout, vector: Ints, place: int) -> CalibrationSums:
    def bins(name: str) -> FloatArray:
        return as_floats(layout.values(vector, name)[place * BINS : (place + 1) * BINS])

    return CalibrationSums(
        n=bins("class_n"),
        d=as_floats(bins("class_y") - bins("class_p")),
        v=bins("class_sq"),
        d_slope=float(layout.values(vector, "class_slope_d")[place]),
        v_slope=float(layout.values(vector, "class_slope_v")[place]),
    )
