"""Is a rate (B1) or a mean in [0, 1] (B2) above its budget?"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from detectors.arrays import FloatArray
from detectors.bets import binary, bounded
from detectors.bets.grid import Side
from detectors.sequential.e_sr import BudgetedESR
from detectors.summary import Ints
from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide.detect.contract import Reading, Recovery, Step
from streams.decide.detect.recovery import reverse
from streams.decide.measure.interval import interval_of
from streams.decide.quantities import Sums, sums_of
from streams.decide.subject import Subject

_memory = msgspec.msgpack.Decoder(list[float])


@dataclass(frozen=True)
class LimitTest:
    """Alarm when a metric stays above its budget, however often one looks.

    Parameters
    ----------
    metric, feature
        As in `streams.decide.quantities`.
    part
        ``INPUT`` or ``LABEL``.
    budget
        Highest acceptable level, in (0, 1).
    severity
        How loud the alert is.
    """

    metric: str
    part: Part
    budget: float
    severity: Severity
    feature: str = ""
    detector: str = "e-sr"

    def read(self, subject: Subject, vector: Ints) -> Reading:
        """Level of the window with its 95 % interval."""
        sums = sums_of(subject, vector, self.part, self.metric, self.feature) or Sums(0, 0.0)
        low, high = interval_of(sums)
        return Reading(sums.n, sums.mean, low, high, self.budget)

    def bet(self, memory: bytes, subject: Subject, vector: Ints, *, share: float) -> Step | None:
        """Bet that the level is above the budget."""
        increments = self._increments(subject, vector, "above")
        if increments is None:
            return None
        detector = BudgetedESR.restore(_memory.decode(memory) if memory else [])
        alarm = detector.update(increments, share=share)
        return Step(msgspec.msgpack.encode(detector.state()), alarm, detector.log_m, share)

    def recover(
        self, memory: bytes, recovery: list[float], subject: Subject, vector: Ints
    ) -> Recovery | None:
        """Bet that the level is below the budget again."""
        increments = self._increments(subject, vector, "below")
        if increments is None:
            return None
        return reverse(recovery, increments)

    def _increments(self, subject: Subject, vector: Ints, side: Side) -> FloatArray | None:
        sums = sums_of(subject, vector, self.part, self.metric, self.feature)
        if sums is None or sums.n <= 0:
            return None
        if sums.q is None:
            return binary.increments(n=sums.n, s=sums.s, m=self.budget, side=side)
        return bounded.increments(n=sums.n, s=sums.s, q=sums.q, m=self.budget, side=side)
