"""Does anything drift in this window? A list to look at, not a test with a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import Bet, Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import after_clean_windows
from streams.decide.measure.drift_list import Listed, listed_each
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
        (found,) = _listed([seen])
        return Reading(
            found.rows, float(len(found.names)), None, None, None, names=tuple(found.names)
        )

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Alarm on any name."""
        return bet_all([Bet(self, memory, seen, share)])[0]

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Count windows without a name."""
        (found,) = _listed([seen])
        return after_clean_windows(recovery, clean=not found.names) if found.rows else None


def bet_all(bets: Sequence[Bet]) -> list[Step | None]:
    """`DriftList.bet` of many windows at once.

    Returns
    -------
    One step for each bet, None where its window has no evidence.
    """
    listed = _listed([bet.seen for bet in bets])
    return [Step(b"", bool(own.names), 0.0, 0.0) if own.rows else None for own in listed]


def _listed(every: Sequence[Evidence]) -> list[Listed]:
    return listed_each([(seen.subject, seen.vector) for seen in every])
