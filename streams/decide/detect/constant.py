"""Is the model stuck on one answer? A bet on the most common answer of the window before."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from detectors.arrays import FloatArray, as_floats
from detectors.bets import binary
from detectors.patterns.constant import ConstantOutputTest, ConstantState
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import clear_of, reverse
from streams.decide.measure.drift import histogram_of, reference_counts
from streams.decide.measure.interval import interval_of
from streams.decide.measure.patterns import CONSTANT, answers, highest, top
from streams.decide.subject import Subject

_memory = msgspec.msgpack.Decoder(ConstantState)


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
        counts, reference = self._counts(seen), reference_counts(seen.subject, self.feature)
        if counts is None or reference is None:
            return None
        test = ConstantOutputTest(reference, self.way)
        if memory:
            test = test.resume(_memory.decode(memory))
        spent = 0.0 if test.suspect is None else share
        alarm = test.update(counts / self.rows_per_unit, share=share)
        log_e = test.log_m if math.isfinite(test.log_m) else 0.0
        return Step(msgspec.msgpack.encode(test.state()), alarm, log_e, spent)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Bet that the most common answer, whichever it is, is within the limit again."""
        counts, limit = self._counts(seen), highest(seen.subject, self.feature)
        if counts is None or limit is None:
            return None
        n, s = float(counts.sum()), float(counts.max())
        clear = clear_of(limit, seen.subject.policy.alerting.clear, worse="above")
        won = binary.increments(n=n, s=s, m=clear, side="below")
        return reverse(recovery, as_floats(won / self.rows_per_unit))

    def _counts(self, seen: Evidence) -> FloatArray | None:
        counts = histogram_of(seen.subject, seen.vector, self.feature)
        return None if counts is None or float(counts.sum()) <= 0.0 else counts


def constant_tests(subject: Subject) -> list[ConstantTest]:
    """The test of a stream whose answers the reference knows, and knows to vary."""
    way, feature = subject.policy.patterns.constant, answers(subject)
    if way is None or not feature:
        return []
    return [ConstantTest(feature, way, subject.policy.dependence.rows_per_unit)]
