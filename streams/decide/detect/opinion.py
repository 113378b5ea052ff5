"""What does a detector of river say about the error rate? Something to look at, no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from detectors.opinions.contract import RateWindow
from detectors.opinions.river_opinion import RiverOpinion
from detectors.quantities import Sums, sums_of
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import after_clean_windows
from streams.decide.measure.interval import interval_of
from streams.decide.subject import Subject

OF = "error_rate"
"""What opinions are about."""


class _Memory(NamedTuple):
    """Labels and errors of the windows before, and the state of the detector (b"" of a new one)."""

    n: int = 0
    errors: int = 0
    detector: bytes = b""


_memory = msgspec.msgpack.Decoder(_Memory)


@dataclass(frozen=True)
class OpinionTest:
    """Open when a detector of river speaks, over after six windows in which it does not.

    It reads on while its alert is open. None of these detectors bounds its false alarms, so
    nothing of the budget is spent, nobody is woken, and nothing is rolled back.

    Parameters
    ----------
    feature
        Name in `detectors.opinions.catalogue.CATALOGUE`.
    """

    feature: str
    detector: str = "river"
    metric: str = "opinion"
    part: Part = Part.LABEL
    severity: Severity = Severity.WATCH

    def question(self, subject: Subject) -> str:
        """The detector; it knows no level and compares with no reference."""
        return content_id(self.metric, self.feature)

    def read(self, seen: Evidence) -> Reading:
        """The error rate of the window with its 95 % interval."""
        sums = seen.sums(self.part, OF) or Sums(0, 0.0)
        low, high = interval_of(sums, seen.subject.policy.dependence.rows_per_unit)
        return Reading(sums.n, sums.mean, low, high, None)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Read the window out to the detector; it bets nothing."""
        heard = self._heard(memory, seen)
        return None if heard is None else Step(heard[0], heard[1], 0.0, 0.0)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Read on, and count windows in which the detector says nothing."""
        heard = self._heard(memory, seen)
        if heard is None:
            return None
        return after_clean_windows(recovery, clean=not heard[1], test_memory=heard[0])

    def _heard(self, memory: bytes, seen: Evidence) -> tuple[bytes, bool] | None:
        """The memory after a window, and whether the detector spoke; None without labels.

        The first window only tells what to expect of the next.
        """
        sums = seen.sums(self.part, OF)
        if sums is None or sums.n <= 0:
            return None
        before = _memory.decode(memory) if memory else _Memory()
        opinion, watch = self._resumed(before.detector), False
        if before.n > 0:
            watch = opinion.update(
                RateWindow(
                    id=content_id(self.metric, seen.subject.policy.model, seen.start_ms),
                    n=sums.n,
                    k=round(sums.s),
                    expected=(before.errors + 0.5) / (before.n + 1.0),
                )
            ).watch
        after = _Memory(before.n + sums.n, before.errors + round(sums.s), opinion.state())
        return msgspec.msgpack.encode(after), watch

    def _resumed(self, state: bytes) -> RiverOpinion:
        """The detector as it was; a new one where another version of river wrote its state."""
        if state:
            try:
                return RiverOpinion.restore(self.feature, state)
            except ValueError:
                return RiverOpinion(self.feature)
        return RiverOpinion(self.feature)


def opinions_of(subject: Subject) -> list[OpinionTest]:
    """The opinions that a policy asks for, on the stream of all; a regression has no error rate.

    Examples
    --------
    >>> from schemas.policy import Opinion, Policy, Task
    >>> from streams.decide.subject import subject_of
    >>> policy = Policy(model="m", task=Task.BINARY, opinions=[Opinion.ADWIN])
    >>> [test.feature for test in opinions_of(subject_of(policy, None, whole=True))]
    ['adwin']
    """
    if not subject.whole or sums_of(subject.labels, subject.labels.zeros(), OF) is None:
        return []
    return [OpinionTest(name.value) for name in dict.fromkeys(subject.policy.opinions)]
