"""Has a feature or the score moved further from the reference than tolerated? (TV-witness)"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np

from detectors.drift.closeness import closeness
from detectors.drift.witness import WitnessState, WitnessTest
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import ALPHA_RECOVERY, Evidence, Reading, Recovery, Step
from streams.decide.measure.drift import histogram_of, reference_counts, tv_metric
from streams.decide.subject import Subject

_memory = msgspec.msgpack.Decoder(WitnessState)


@dataclass(frozen=True)
class DriftTest:
    """Alarm when a histogram is further than ``eps`` from its reference in total variation.

    Parameters
    ----------
    feature
        The feature, or `streams.decide.measure.drift.SCORE`.
    eps
        Smallest distance that matters.
    decay
        Weight of the past after one more window.
    """

    feature: str
    eps: float
    decay: float
    detector: str = "tv-witness"
    metric: str = "tv"
    part: Part = Part.INPUT
    severity: Severity = Severity.TICKET

    def question(self, subject: Subject) -> str:
        """The distance, and what it is measured from."""
        reference = reference_counts(subject, self.feature)
        counts = None if reference is None else reference.tolist()
        return content_id(self.metric, self.feature, self.eps, self.decay, counts)

    def read(self, seen: Evidence) -> Reading:
        """Distance in this window, corrected for chance, with its interval."""
        shown = tv_metric(seen.subject, seen.vector, self.feature, eps=self.eps)
        if shown is None:
            return Reading(0, None, None, None, self.eps)
        return Reading(shown.n, shown.value, shown.low, shown.high, self.eps)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet that the bins that grew before hold more than they may."""
        counts = histogram_of(seen.subject, seen.vector, self.feature)
        test = self._test(memory, seen.subject)
        if test is None or counts is None or int(counts.sum()) <= 0:
            return None
        alarm = test.update(counts, share=share)
        made = not math.isnan(test.bound)
        log_e = test.log_m if math.isfinite(test.log_m) else 0.0
        return Step(msgspec.msgpack.encode(test.state()), alarm, log_e, share if made else 0.0)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Pool windows until they are shown to be within ``eps``; proof of distance starts anew."""
        counts = histogram_of(seen.subject, seen.vector, self.feature)
        reference = reference_counts(seen.subject, self.feature)
        if reference is None or counts is None or int(counts.sum()) <= 0:
            return None
        look = int(recovery[0]) + 1 if recovery else 1
        pool = counts + np.array(recovery[1:] or [0.0])
        found = closeness(pool, reference, eps=self.eps, look=look, alpha=ALPHA_RECOVERY)
        memory_ = [float(look)] if found.far else [float(look), *pool.tolist()]
        return Recovery(memory_, found.near, found.log_e)

    def _test(self, memory: bytes, subject: Subject) -> WitnessTest | None:
        reference = reference_counts(subject, self.feature)
        if reference is None:
            return None
        if not memory:
            return WitnessTest(reference, self.eps, self.decay)
        return WitnessTest.restore(reference, self.eps, _memory.decode(memory), self.decay)
