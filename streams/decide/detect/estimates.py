"""What scores say before labels come, and whether they still say what they said.

Both tests raise tickets: an estimate may be wrong without any sign of it, so it wakes nobody and
takes nothing back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from detectors.arrays import FloatArray
from detectors.bets import binary, bounded
from detectors.bets.grid import Side
from detectors.estimation.cbpe import error_budget
from detectors.estimation.expected_errors import allowance, expected_errors
from detectors.quantities import Sums
from detectors.sequential.e_sr import BudgetedESR
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import clear_of, reverse
from streams.decide.levels import ALPHA_REFERENCE, Level
from streams.decide.measure.estimates import estimated, scored, scored_labels
from streams.decide.measure.interval import interval_of, number
from streams.decide.subject import Subject

_EDGE = 1e-6
"""How near to 1 a level may come."""


@dataclass(frozen=True)
class EstimatedErrors:
    """Alarm when the errors that scores let expect are above the budget of the error rate (B2).

    Each prediction counts with the chance that its decision is wrong, which the reference gives
    for its decision and score. The budget is raised by what the sampling error of the reference
    leaves uncertain.
    """

    level: Level
    detector: str = "cbpe-e-sr"
    metric: str = "estimated_error_rate"
    feature: str = ""
    part: Part = Part.INPUT
    severity: Severity = Severity.TICKET

    def question(self, subject: Subject) -> str:
        """The budget, what evidence is divided by, and the map from score to chance."""
        level, season = self.level, self.level.season
        hours = None if season is None else (season.rate.tolist(), season.traffic.tolist())
        return content_id(self.metric, level.limit, level.dispersion, hours, map_of(subject))

    def read(self, seen: Evidence) -> Reading:
        """The estimate, with the interval for what the window's labels will show."""
        level = self.level.at(seen.start_ms, seen.subject.window_ms)
        shown = estimated(seen.subject, seen.vector).get(self.metric)
        rows = scored(seen.subject, seen.vector)
        if shown is None or rows is None:
            return Reading(0, None, None, None, level)
        value, low, high = (number(float(end)) for end in shown)
        return Reading(round(rows.rows), value, low, high, level)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet that the expected errors are above the budget."""
        increments = self._increments(seen, "above")
        return None if increments is None else stepped(memory, increments, share)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Bet that they are within it again."""
        increments = self._increments(seen, "below")
        return None if increments is None else reverse(recovery, increments)

    def _increments(self, seen: Evidence, side: Side) -> FloatArray | None:
        rows, known = scored(seen.subject, seen.vector), seen.subject.decision_map
        if rows is None or known is None:
            return None
        level = self.level.at(seen.start_ms, seen.subject.window_ms)
        level += float(allowance(rows.n, rows.n1, known, alpha=ALPHA_REFERENCE))
        n, s, q = expected_errors(rows.n, rows.n1, known)
        if side == "below":
            level = clear_of(level, seen.subject.policy.alerting.clear, worse="above")
        won = bounded.increments(n=n, s=s, q=q, m=min(level, 1.0 - _EDGE), side=side)
        return won / self.level.dispersion


@dataclass(frozen=True)
class EstimateGap:
    """Alarm when labels show more errors than the scores of the same rows explain (B1).

    A harder mix of cases raises what is explained and no alarm. Errors above it mean that a score
    does not mean what it meant in the reference: a concept shift.

    Parameters
    ----------
    tolerance
        Gap that is tolerated.
    rows_per_unit
        Most rows that depend on each other; evidence is divided by it.
    """

    tolerance: float
    rows_per_unit: int = 1
    detector: str = "cbpe-gap-e-sr"
    metric: str = "estimate_gap"
    feature: str = ""
    part: Part = Part.LABEL
    severity: Severity = Severity.TICKET

    def question(self, subject: Subject) -> str:
        """The tolerance, what evidence is divided by, and the map from score to chance."""
        return content_id(self.metric, self.tolerance, self.rows_per_unit, map_of(subject))

    def read(self, seen: Evidence) -> Reading:
        """The error rate, and the highest that the scores explain."""
        found = self._found(seen)
        if found is None:
            return Reading(0, None, None, None, None)
        sums, limit = found
        low, high = interval_of(sums, self.rows_per_unit)
        return Reading(sums.n, sums.mean, low, high, limit)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet that there are more errors than the scores explain."""
        increments = self._increments(seen, "above")
        return None if increments is None else stepped(memory, increments, share)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Bet that there are not."""
        increments = self._increments(seen, "below")
        return None if increments is None else reverse(recovery, increments)

    def _increments(self, seen: Evidence, side: Side) -> FloatArray | None:
        found = self._found(seen)
        if found is None:
            return None
        sums, limit = found
        if side == "below":
            limit = clear_of(limit, seen.subject.policy.alerting.clear, worse="above")
        won = binary.increments(n=sums.n, s=sums.s, m=limit, side=side)
        return won / self.rows_per_unit

    def _found(self, seen: Evidence) -> tuple[Sums, float] | None:
        """Labelled rows with their errors, and the error rate that their scores explain."""
        rows, known = scored_labels(seen.subject, seen.vector), seen.subject.decision_map
        errors = seen.sums(self.part, "error_rate")
        if rows is None or known is None or errors is None or errors.n <= 0:
            return None
        limit = error_budget(
            rows.n, rows.n1, known, alpha=ALPHA_REFERENCE, tolerance=self.tolerance
        )
        return errors, float(limit)


def tests_of(subject: Subject) -> list[EstimatedErrors | EstimateGap]:
    """Both tests, where the reference knows what its scores mean; the first needs a budget."""
    if subject.decision_map is None:
        return []
    policy = subject.policy
    budgets = [
        level
        for level in subject.levels
        if (level.metric, level.worse, level.feature) == ("error_rate", "above", "")
    ]
    gap = EstimateGap(policy.calibration.tolerance, rows_per_unit=policy.dependence.rows_per_unit)
    return [*(EstimatedErrors(level) for level in budgets), gap]


def map_of(subject: Subject) -> list[list[int] | None]:
    """The counts that the map from score to chance follows from."""
    known = None if subject.reference is None else subject.reference.labelled
    return [] if known is None else [known.prob_n, known.prob_pos, known.decided, known.hits]


def stepped(memory: bytes, increments: FloatArray, share: float) -> Step:
    """One step of the budgeted e-SR; its memory is the log-wealth of each bet."""
    process = BudgetedESR.restore(np.frombuffer(memory).tolist())
    alarm = process.update(increments, share=share)
    after, log_m = np.array(process.state()), process.log_m
    return Step(after.tobytes(), alarm, log_m if math.isfinite(log_m) else 0.0, share)
