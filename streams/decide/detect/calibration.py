"""Do outcomes deviate from the scores that forecast them?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from detectors.arrays import FloatArray, as_floats
from detectors.bets import bounded
from detectors.calibration.anytime import CalibrationSums, CalibrationTest
from detectors.outcomes import classes_of
from detectors.outcomes.calibration import BINS
from detectors.quantities import Sums
from detectors.summary import Ints, Layout
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import MEMORY, clear_of, restarted, reverse
from streams.decide.measure.calibration import gap_reading
from streams.decide.subject import Subject

_memory = msgspec.msgpack.Decoder(list[float | None])


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
        sums = self._sums(seen)
        if sums.count <= 0:
            return None
        test = self._test(memory)
        alarm = test.update(sums, share=share)
        return Step(msgspec.msgpack.encode(test.state()), alarm, test.log_m, share)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Bet that every deviation is back within ``tau``."""
        sums = self._sums(seen)
        if sums.count <= 0:
            return None
        tau = clear_of(self.tau, seen.subject.policy.alerting.clear, worse="above")
        bets = [
            increments
            for n, d, v in self._components(memory, sums)
            for increments in (
                bounded.increments(n=n, s=d, q=v, m=tau, lo=-1.0, side="below"),
                bounded.increments(n=n, s=d, q=v, m=-tau, lo=-1.0, side="above"),
            )
        ]
        steps = [
            reverse(recovery[place * MEMORY : (place + 1) * MEMORY], increments)
            for place, increments in enumerate(bets)
        ]
        shown = self.read(seen)
        bad = shown.low is not None and shown.low > self.tau
        memories = [restarted(step.memory) if bad else step.memory for step in steps]
        return Recovery(
            memory=[number for kept in memories for number in kept],
            over=not bad and all(step.over for step in steps),
            log_e=min(step.log_e for step in steps),
        )

    def _sums(self, seen: Evidence) -> CalibrationSums:
        """Evidence is linear in the sums: those of one unit count as those of one row."""
        sums, rows = sums_of(seen, self.feature), self.rows_per_unit
        return CalibrationSums(
            n=sums.n / rows,
            d=sums.d / rows,
            v=sums.v / rows,
            d_slope=sums.d_slope / rows,
            v_slope=sums.v_slope / rows,
        )

    def _components(self, memory: bytes, sums: CalibrationSums) -> list[tuple[float, float, float]]:
        """n, sum and sum of squares of the total, the slope and the bin that alarmed, if one."""
        parts = [
            (sums.count, float(sums.d.sum()), float(sums.v.sum())),
            (sums.count, sums.d_slope, sums.v_slope),
        ]
        name = self._test(memory).leading.partition(",")[0]
        if name.startswith("bin "):
            place = int(name.removeprefix("bin "))
            parts.append((float(sums.n[place]), float(sums.d[place]), float(sums.v[place])))
        return parts

    def _test(self, memory: bytes) -> CalibrationTest:
        state = _memory.decode(memory) if memory else []
        return CalibrationTest.restore(state, bins=BINS, tau=self.tau)


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
