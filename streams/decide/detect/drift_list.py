"""Does anything drift in this window? A list to look at, not a test with a budget."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import after_clean_windows
from streams.decide.measure.drift_list import drifted, looked_at
from streams.decide.subject import Subject


@dataclass(frozen=True)
class DriftList:
    """Open when the list of drifted features is no longer empty, over after six empty ones.

    No promise covers many windows, so nothing of the false-alarm budget is spent and nobody is
    woken. The tests of single features have the promise.
    """

    detector: str = "bh"
    metric: str = "drift_list"
    feature: str = ""
    part: Part = Part.INPUT
    severity: Severity = Severity.WATCH

    def question(self, subject: Subject) -> str:
        """The reference, and from which distances on a feature is listed."""
        drift = subject.policy.drift
        return content_id(self.metric, subject.reference_hash, drift.features, drift.score)

    def read(self, seen: Evidence) -> Reading:
        """How many features drifted, and which."""
        names = tuple(drifted(seen.subject, seen.vector))
        n = looked_at(seen.subject, seen.vector)
        return Reading(n, float(len(names)), None, None, None, names=names)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Alarm on any name."""
        if looked_at(seen.subject, seen.vector) == 0:
            return None
        return Step(b"", bool(drifted(seen.subject, seen.vector)), 0.0, 0.0)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Count windows without a name."""
        if looked_at(seen.subject, seen.vector) == 0:
            return None
        return after_clean_windows(recovery, clean=not drifted(seen.subject, seen.vector))
