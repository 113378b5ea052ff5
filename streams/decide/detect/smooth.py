"""Is AUC or F1 below its floor? An asymptotic confidence sequence over the values of windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from detectors.metrics.asymptotic import BURN_IN, AsymptoticConfidenceSequence
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import ALPHA_RECOVERY, Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import clear_of
from streams.decide.measure.interval import number
from streams.decide.measure.smooth import SMOOTH, smooth_of
from streams.decide.subject import Subject

LIVES = (2 * BURN_IN, 10 * BURN_IN)
"""Windows after which each of two sequences starts anew. The mean of a long healthy time hides a
fall: the short one sees a large fall soon, the long one a small one at all."""

RECOVERY_LIFE = LIVES[0]
"""Windows after which the proof of recovery starts anew."""

LOWEST = -700.0
"""Lowest logarithm of a level that is told apart from 0."""


@dataclass(frozen=True)
class SmoothTest:
    """Alarm when the mean value of windows is below the floor, in the limit of many windows.

    Two sequences of unlike life divide the share. The level of each at a look is what it has
    spent in this life: as a stricter sequence lies outside of a wider one, the chance that it
    alarms by any window is at most the sum of its shares so far. Windows count alike, whatever
    their size; one without a value counts not at all.

    Parameters
    ----------
    metric
        ``auc`` or ``f1``.
    floor
        Lowest acceptable mean.
    rows_per_unit
        Most rows that depend on each other, for the interval that people see: the test itself
        takes the spread from the values of windows.

    References
    ----------
    .. [1] Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, Time-uniform central limit theory and
       asymptotic confidence sequences, Annals of Statistics 52, 2024.
    """

    metric: str
    floor: float
    rows_per_unit: int = 1
    detector: str = "asymptotic-cs"
    feature: str = ""
    part: Part = Part.LABEL
    severity: Severity = Severity.PAGE

    def question(self, subject: Subject) -> str:
        """The metric and its floor."""
        return content_id(self.metric, self.floor)

    def read(self, seen: Evidence) -> Reading:
        """The metric of this window with its 95 % interval."""
        layout, rows = seen.subject.labels, self.rows_per_unit
        shown = smooth_of(layout, seen.vector, self.metric, rows_per_unit=rows)
        if shown is None:
            return Reading(0, None, None, None, self.floor, "below")
        value, low, high = (number(float(end)) for end in shown.estimate)
        return Reading(int(shown.n), value, low, high, self.floor, "below")

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Add the window's value and look at the intervals of the mean."""
        value = self.read(seen).value
        if value is None:
            return None
        kept = np.frombuffer(memory).reshape(len(LIVES), -1) if memory else np.zeros((2, 4))
        after, evidence = [], -math.inf
        for life, (spent, *state) in zip(LIVES, kept.tolist(), strict=True):
            old = state[0] >= life
            level = share / len(LIVES) + (0.0 if old else spent)
            sequence = _resumed([0.0, 0.0, 0.0] if old else state, life)
            sequence.update(value)
            after.append([level, *sequence.state()])
            if 0.0 < level < 1.0 and sequence.interval(level).high < self.floor:
                evidence = max(evidence, math.log(level) - _log_p(sequence, self.floor))
        alarm = evidence > -math.inf
        return Step(np.array(after).tobytes(), alarm, evidence if alarm else 0.0, share)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Show that the mean of windows after the alarm is above the floor.

        Beginning anew is allowed at any time: the chance to be wrong is laid out over the lives.
        """
        value = self.read(seen).value
        if value is None:
            return None
        life, *state = recovery or [1.0, 0.0, 0.0, 0.0]
        sequence = _resumed(state, RECOVERY_LIFE)
        sequence.update(value)
        low, high = sequence.interval(ALPHA_RECOVERY * 6.0 / (math.pi * life) ** 2)
        over = low > clear_of(self.floor, seen.subject.policy.alerting.clear, worse="below")
        if high < self.floor or sequence.state()[0] >= RECOVERY_LIFE:
            return Recovery([life + 1.0, 0.0, 0.0, 0.0], over, 0.0)
        return Recovery([life, *sequence.state()], over, 0.0)


def _resumed(state: list[float], life: int) -> AsymptoticConfidenceSequence:
    """A sequence that is tightest after half of its life."""
    return AsymptoticConfidenceSequence.restore(state, n_opt=life / 2.0)


def _log_p(sequence: AsymptoticConfidenceSequence, floor: float) -> float:
    """Logarithm of the lowest level at which the sequence lies below a floor, to 0.01."""
    low, high = LOWEST, 0.0
    while high - low > 0.01:
        middle = (low + high) / 2.0
        if sequence.interval(math.exp(middle)).high < floor:
            high = middle
        else:
            low = middle
    return high


def smooth_tests(subject: Subject) -> list[SmoothTest]:
    """The tests of a stream on AUC and F1 that the policy sets a floor for.

    Examples
    --------
    >>> from schemas.policy import Floors, Policy, Task
    >>> from streams.decide.subject import subject_of
    >>> policy = Policy(model="m", task=Task.BINARY, floors=Floors(f1=0.7, auc=0.8))
    >>> [test.metric for test in smooth_tests(subject_of(policy, None, whole=True))]
    ['f1']
    """
    empty = subject.labels.zeros()
    return [
        SmoothTest(metric, floor, subject.policy.dependence.rows_per_unit)
        for metric in SMOOTH
        if (floor := getattr(subject.policy.floors, metric)) is not None
        and smooth_of(subject.labels, empty, metric) is not None
    ]
