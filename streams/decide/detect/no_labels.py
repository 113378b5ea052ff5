"""Have the labels of a stream stopped coming?"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from schemas.alerts import Severity
from schemas.policy import Policy
from schemas.summaries import Part
from streams.decide.detect.contract import Evidence, Reading, Recovery, Step
from streams.decide.measure.awaited import awaited
from streams.decide.subject import Subject

_MEMORY = struct.Struct("<?I")


@dataclass(frozen=True)
class NoLabelsTest:
    """Open after so many matured windows in a row with fewer labels than tests on labels need,
    resolve on a window with enough.

    Parameters
    ----------
    windows
        So many.

    Silent until a window of the stream once had enough labels: where they never come, nothing
    has stopped. Not a statistical test: it says that tests on labels rest. Nothing of the
    false-alarm budget is spent.

    Examples
    --------
    >>> test = NoLabelsTest(windows=3)
    >>> test.metric, test.part.value, test.severity.value
    ('no_labels', 'label', 'ticket')
    """

    windows: int
    detector: str = "contract"
    metric: str = "no_labels"
    feature: str = ""
    part: Part = Part.LABEL
    severity: Severity = Severity.TICKET

    def question(self, subject: Subject) -> str:
        """The same under every policy, so that what was counted is not forgotten."""
        return self.metric

    def read(self, seen: Evidence) -> Reading:
        """The share of predictions with a label, and the share that is needed."""
        served = _served(seen)
        share = _labelled(seen) / served if served else None
        return Reading(served, share, None, None, seen.subject.policy.labels.coverage, "below")

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Count windows that have too few."""
        if not _served(seen):
            return None
        known, missed = _MEMORY.unpack(memory) if memory else (False, 0)
        if _is_covered(seen):
            return Step(_MEMORY.pack(True, 0), False, 0.0, 0.0)
        missed += known
        return Step(_MEMORY.pack(known, missed), missed >= self.windows, 0.0, 0.0)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Over at the first window that has enough."""
        if not _served(seen):
            return None
        return Recovery([], _is_covered(seen), 0.0, _MEMORY.pack(True, 0))


def no_labels_tests(policy: Policy) -> tuple[NoLabelsTest, ...]:
    """The test as a policy asks for it: none where it allows any number of windows.

    Examples
    --------
    >>> from schemas.policy import Alerting, Task
    >>> policy = Policy(model="m", task=Task.BINARY)
    >>> [test.windows for test in no_labels_tests(policy)]
    [3]
    >>> no_labels_tests(policy.model_copy(update={"alerting": Alerting(no_labels=0)}))
    ()
    """
    windows = policy.alerting.no_labels
    return (NoLabelsTest(windows),) if windows else ()


def _served(seen: Evidence) -> int:
    return 0 if seen.served is None else awaited(seen.subject.inputs, seen.served)


def _labelled(seen: Evidence) -> int:
    return seen.subject.labels.count(seen.vector, "n")


def _is_covered(seen: Evidence) -> bool:
    return _labelled(seen) >= seen.subject.policy.labels.coverage * _served(seen)
