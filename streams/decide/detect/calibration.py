"""Do outcomes deviate from the scores that forecast them?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from detectors.bets import bounded
from detectors.bets.grid import K
from detectors.calibration.anytime import CalibrationSums, CalibrationTest
from detectors.outcomes.calibration import BINS
from detectors.sequential.recovery import RecoveryProcess
from detectors.summary import Ints
from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide.detect.contract import ALPHA_RECOVERY, Reading, Recovery, Step
from streams.decide.measure.calibration import gap_reading
from streams.decide.subject import Subject

_memory = msgspec.msgpack.Decoder(list[float | None])
_STATE = K + 1


@dataclass(frozen=True)
class Calibrated:
    """Alarm when outcomes differ from scores by more than ``tau``, in total, slope or a bin.

    The alert is over once the total, the slope, and the bin that had raised it, are shown to lie
    within ``tau``: six bets, all of which must win, so the chance to resolve while one of the
    three is outside is at most 5 %.
    """

    tau: float
    detector: str = "calibration-e-sr"
    metric: str = "calibration"
    feature: str = ""
    part: Part = Part.LABEL
    severity: Severity = Severity.PAGE

    def read(self, subject: Subject, vector: Ints) -> Reading:
        """Mean of outcome less score, without its sign, with its 95 % interval."""
        return gap_reading(subject.labels, vector, tau=self.tau)

    def bet(self, memory: bytes, subject: Subject, vector: Ints, *, share: float) -> Step | None:
        """Bet on total, slope and bins together."""
        sums = sums_of(subject, vector)
        if sums.count <= 0:
            return None
        test = self._test(memory)
        alarm = test.update(sums, share=share)
        return Step(msgspec.msgpack.encode(test.state()), alarm, test.log_m, share)

    def recover(
        self, memory: bytes, recovery: list[float], subject: Subject, vector: Ints
    ) -> Recovery | None:
        """Bet that every deviation is back within ``tau``."""
        sums = sums_of(subject, vector)
        if sums.count <= 0:
            return None
        over, lowest, after = True, np.inf, []
        for place, (n, d, v) in enumerate(self._components(memory, sums)):
            for side, limit in (("below", self.tau), ("above", -self.tau)):
                start = (2 * place + (side == "above")) * _STATE
                process = (
                    RecoveryProcess.restore(recovery[start : start + _STATE], alpha=ALPHA_RECOVERY)
                    if recovery
                    else RecoveryProcess(alpha=ALPHA_RECOVERY)
                )
                increments = (
                    bounded.increments(n=n, s=d, q=v, m=limit, lo=-1.0, side="below")
                    if side == "below"
                    else bounded.increments(n=n, s=d, q=v, m=limit, lo=-1.0, side="above")
                )
                over &= process.update(increments)
                lowest = min(lowest, process.log_e)
                after.extend(process.state())
        return Recovery(after, over, float(lowest))

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


def sums_of(subject: Subject, vector: Ints) -> CalibrationSums:
    """Calibration sums of a label pane."""
    layout = subject.labels
    return CalibrationSums(
        n=layout.values(vector, "cal_n"),
        d=layout.values(vector, "cal_y") - layout.values(vector, "cal_p"),
        v=layout.values(vector, "cal_sq"),
        d_slope=layout.total(vector, "slope_d"),
        v_slope=layout.total(vector, "slope_v"),
    )
