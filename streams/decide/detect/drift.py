"""Has a feature or the score moved further from the reference than tolerated? (TV-witness)"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.drift.closeness import closeness
from detectors.drift.witness import WitnessState, WitnessTest, reference_slack
from detectors.sequential.e_sr import BudgetedESR
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import ALPHA_RECOVERY, Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import clear_of
from streams.decide.measure.drift import histogram_of, reference_counts, size_of, tv_metric
from streams.decide.subject import Subject

_memory = msgspec.msgpack.Decoder(WitnessState)


class _Wealth(msgspec.Struct):
    """The part of a `WitnessState` that is evidence."""

    wealth: list[float]


_wealth = msgspec.msgpack.Decoder(_Wealth)


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
        counts = self._counts(seen)
        test = self._test(memory, seen.subject)
        if test is None or counts is None:
            return None
        alarm = test.update(counts, share=share)
        made = not math.isnan(test.bound)
        log_e = test.log_m if math.isfinite(test.log_m) else 0.0
        return Step(msgspec.msgpack.encode(test.state()), alarm, log_e, share if made else 0.0)

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
        return BudgetedESR.restore(_wealth.decode(memory).wealth).log_m if memory else -math.inf

    def _counts(self, seen: Evidence) -> FloatArray | None:
        """Evidence is linear in the histogram: rows that depend count as one row."""
        counts = histogram_of(seen.subject, seen.vector, self.feature)
        if counts is None or size_of(counts) == 0:
            return None
        return as_floats(counts / self.dispersion)

    def _test(self, memory: bytes, subject: Subject) -> WitnessTest | None:
        reference = reference_counts(subject, self.feature)
        if reference is None:
            return None
        reference = as_floats(reference / self.dispersion)
        if not memory:
            return WitnessTest(reference, self.eps, self.decay)
        return WitnessTest.restore(reference, self.eps, _memory.decode(memory), self.decay)
