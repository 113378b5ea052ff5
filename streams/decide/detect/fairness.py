"""Is a group treated worse than the largest group? (B3 beside each other, however often seen)"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from detectors.bets import TwoSampleBet
from detectors.bets.grid import Side
from detectors.fairness.four_fifths import (
    GroupCounts,
    GroupTest,
    four_fifths,
    rate_deficit,
    rate_excess,
)
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import clear_of, reverse
from streams.decide.measure.fairness import (
    CRITERIA,
    SELECTION,
    Criterion,
    comparable,
    compare,
    limits_of,
    pair_of,
)
from streams.decide.measure.interval import number
from streams.decide.subject import Subject


@dataclass(frozen=True)
class FairnessTest:
    """Alarm when a group's rate lies too far from that of the largest group, window by window.

    A level that moves for both groups raises nothing. The largest group itself is not tested.
    Gaps in both directions are two tests.

    Parameters
    ----------
    criterion
        What is compared.
    feature
        Key of the groups.
    limit
        Lowest acceptable ratio, or the tolerated gap with the sign of the direction.
    worse
        On which side of it trouble lies.
    rows_per_unit
        Most rows that depend on each other; evidence is divided by it.
    """

    criterion: Criterion
    feature: str
    limit: float
    worse: Side
    rows_per_unit: int = 1
    severity: Severity = Severity.TICKET

    @property
    def detector(self) -> str:
        """Which way it looks."""
        return "group-e-sr" if self.worse == "above" else "group-e-sr-low"

    @property
    def metric(self) -> str:
        """The criterion."""
        return self.criterion.metric

    @property
    def part(self) -> Part:
        """Whether it waits for labels."""
        return self.criterion.part

    def question(self, subject: Subject) -> str:
        """The criterion, the limit, and what evidence is divided by."""
        return content_id(self.metric, self.feature, self.limit, self.worse, self.rows_per_unit)

    def read(self, seen: Evidence) -> Reading:
        """Ratio or gap in this window with its 95 % interval; hidden below 30 events."""
        if seen.against is None:
            return Reading(0, None, None, None, self.limit, self.worse)
        own, against = pair_of(self.criterion, seen.subject, seen.vector, seen.against)
        shown = compare(self.criterion, own, against, self.rows_per_unit)
        value, low, high = (number(float(end)) for end in shown)
        return Reading(own.n, value, low, high, self.limit, self.worse, seen.against.segment)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet that the group is beyond the limit."""
        counts = self._counts(seen)
        if counts is None:
            return None
        test = self._test(memory)
        alarm = test.update(counts, share=share)
        return Step(np.array(test.state()).tobytes(), alarm, test.log_m, share)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Bet that the group is within the limit again."""
        counts = self._counts(seen)
        if counts is None:
            return None
        bet = self._bet(self._clear(seen))
        back = replace(bet, side="harm" if bet.side == "benefit" else "benefit")
        return reverse(recovery, back.increments(self._test(memory).arms(counts)))

    def _counts(self, seen: Evidence) -> GroupCounts | None:
        """Evidence is linear in the counts: rows of one unit count as one row."""
        if seen.against is None:
            return None
        own, against = pair_of(self.criterion, seen.subject, seen.vector, seen.against)
        if own.n <= 0 or against.n <= 0:
            return None
        rows = self.rows_per_unit
        return GroupCounts(
            n=own.n / rows,
            k=own.s / rows,
            n_reference=against.n / rows,
            k_reference=against.s / rows,
        )

    def _clear(self, seen: Evidence) -> float:
        """The best gap is none; the best ratio is one."""
        clear = seen.subject.policy.alerting.clear
        if self.metric == SELECTION:
            return clear_of(self.limit, clear, worse=self.worse)
        return self.limit * (1.0 - clear)

    def _bet(self, limit: float) -> TwoSampleBet:
        if self.metric == SELECTION:
            return four_fifths(limit)
        return rate_excess(limit) if self.worse == "above" else rate_deficit(-limit)

    def _test(self, memory: bytes) -> GroupTest:
        test = GroupTest(self._bet(self.limit))
        return test.resume(np.frombuffer(memory).tolist()) if memory else test


def fairness_tests(subject: Subject) -> list[FairnessTest]:
    """The tests of a group's stream that the policy asks for.

    Examples
    --------
    >>> from schemas.policy import Fairness, Policy, Task
    >>> from streams.decide.subject import subject_of
    >>> rules = Fairness(groups=["sex"], tpr_gap=0.05)
    >>> policy = Policy(model="m", task=Task.BINARY, fairness=rules)
    >>> tests = fairness_tests(subject_of(policy, None, whole=False, key="sex"))
    >>> [(test.metric, test.limit, test.worse) for test in tests]
    [('selection_ratio', 0.8, 'below'), ('tpr_gap', 0.05, 'above'), ('tpr_gap', -0.05, 'below')]
    """
    if not comparable(subject):
        return []
    rows, found = subject.policy.dependence.rows_per_unit, []
    for criterion in CRITERIA:
        above, below = limits_of(criterion, subject.policy.fairness)
        sides: tuple[tuple[float | None, Side], ...] = ((above, "above"), (below, "below"))
        found += [
            FairnessTest(criterion, subject.group, limit, worse, rows)
            for limit, worse in sides
            if limit is not None
        ]
    return found
