"""Windows that are still held, and what they show by now, with the labels that came late."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from detectors.summary import Ints
from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide import groups, merge
from streams.decide.detect import Asked, Evidence, SequentialTest, name_of
from streams.decide.keys import Name, StreamKey, Version, WindowKey
from streams.decide.measure.awaited import awaited
from streams.decide.measure.fairness import Beside
from streams.decide.measure.labels import UNCOVERED
from streams.decide.state import State, Window
from streams.decide.subject import Subject

Rules = tuple[str, str]


class Held:
    """Windows that are not forgotten yet, by stream.

    Examples
    --------
    >>> held, window = Held(), WindowKey("m", "v1", "baseline", "", "policy", "", 0)
    >>> held.add(window)
    >>> [one.start_ms for one in held.of(window.stream)], held.mixed(window.stream)
    ([0], False)
    """

    def __init__(self) -> None:
        self._by: defaultdict[StreamKey, dict[Rules, set[WindowKey]]] = defaultdict(dict)
        self._versions: Counter[Version] = Counter()
        self._models: Counter[str] = Counter()

    def add(self, window: WindowKey) -> None:
        """Hold a window."""
        stream, rules = window.stream, (window.policy, window.reference)
        if stream not in self._by:
            self._versions[stream[:3]] += 1
            self._models[stream.model] += 1
        self._by[stream].setdefault(rules, set()).add(window)

    def discard(self, window: WindowKey) -> None:
        """Forget a window that is held."""
        stream, rules = window.stream, (window.policy, window.reference)
        own = self._by[stream]
        own[rules].discard(window)
        if not own[rules]:
            del own[rules]
        if not own:
            del self._by[stream]
            self._versions -= Counter([stream[:3]])
            self._models -= Counter([stream.model])

    def serves(self, version: Version) -> bool:
        """Whether any window of a version is held."""
        return version in self._versions

    def goes_on(self, model: str) -> bool:
        """Whether any window of a model is held."""
        return model in self._models

    def of(self, stream: StreamKey) -> Iterator[WindowKey]:
        """Windows of a stream, in no order."""
        return (window for some in self._by.get(stream, {}).values() for window in some)

    def mixed(self, stream: StreamKey) -> bool:
        """Whether windows of a stream are under more than one policy or reference."""
        return len(self._by.get(stream, ())) > 1


@dataclass(frozen=True, slots=True)
class Records:
    """Where windows, and what is asked of them, are found."""

    state: State
    held: Held
    subject_of: Callable[[WindowKey], Subject]
    asked_of: Callable[[Subject], Sequence[Asked]]
    known: dict[Subject, dict[Name, Asked]] = field(default_factory=dict)

    def asked(self, subject: Subject) -> dict[Name, Asked]:
        """The tests of a stream that late labels may revise, by detector, metric and feature."""
        if subject not in self.known:
            self.known[subject] = {
                name_of(one.test): one for one in self.asked_of(subject) if is_revised(one.test)
            }
        return self.known[subject]


class Judged(NamedTuple):
    """A window whose labels were bet on, when that was due, and the budget of its stream then."""

    due_ms: int
    start_ms: int
    window: WindowKey
    subject: Subject
    budget: float

    @property
    def end_ms(self) -> int:
        """End of the window."""
        return self.start_ms + self.subject.window_ms

    @property
    def held_until_ms(self) -> int:
        """When it is forgotten."""
        return self.end_ms + self.subject.held_ms


class Changes(NamedTuple):
    """Labels that came after the bet, that were taken back, and that were reversed; ``other`` says
    that something else changed."""

    more: int = 0
    fewer: int = 0
    reversed: int = 0
    other: bool = False

    def plus(self, also: Changes) -> Changes:
        """Those of two windows."""
        return Changes(
            self.more + also.more,
            self.fewer + also.fewer,
            self.reversed + also.reversed,
            self.other or also.other,
        )


class Revised(NamedTuple):
    """A window as it is known now; it is evidence only if ``covered``."""

    seen: Evidence
    covered: bool
    changes: Changes


def is_revised(test: SequentialTest) -> bool:
    """Whether labels that come late may take back what a test said.

    Not where nothing was promised, nor where it was asked how many labels had come in time.
    """
    return (
        test.part is Part.LABEL
        and test.severity is not Severity.WATCH
        and test.metric not in UNCOVERED
    )


def note(state: State, window: WindowKey, budget: float) -> None:
    """Keep the budget with which the labels of a window are bet on."""
    known = state.windows.get(window) or Window()
    state.windows.put(window, msgspec.structs.replace(known, budget=budget))


def judged(records: Records, windows: Iterable[WindowKey]) -> list[Judged]:
    """Those windows whose labels were bet on, in the order in which they were."""
    found = []
    delays_ms: dict[Subject, int] = {}
    for window in windows:
        known = records.state.windows.get(window)
        if known is not None and known.budget is not None:
            subject = records.subject_of(window)
            if subject not in delays_ms:
                delays_ms[subject] = subject.window_ms + subject.label_delay_ms
            due_ms = window.start_ms + delays_ms[subject]
            found.append(Judged(due_ms, window.start_ms, window, subject, known.budget))
    return sorted(found, key=lambda one: one[:3])


def revised(state: State, one: Judged) -> Revised:
    """A window with all of its predictions and labels, those that came late among them."""
    window, subject = one.window, one.subject
    inputs = merge.total(state, window, subject, merge.INPUTS)
    labels = merge.total(state, window, subject, merge.LABELS)
    late = merge.total(state, window, subject, (Part.LATE_LABEL,))
    against = _against(state, window, subject)
    seen = Evidence(subject, labels, window.start_ms, against, inputs)
    return Revised(seen, _covered(subject, seen.vector, inputs), _changes(subject, late))


def _against(state: State, window: WindowKey, subject: Subject) -> Beside | None:
    """What a group is compared with, if its labels were bet on as well and still are enough."""
    peer = groups.other(state, window)
    if peer is None or (state.windows.get(peer) or Window()).budget is None:
        return None
    beside = groups.beside(state, window, subject)
    inputs, labels = beside[Part.INPUT].vector, beside[Part.LABEL].vector
    return beside[Part.LABEL] if _covered(subject, labels, inputs) else None


def _covered(subject: Subject, labels: Ints, inputs: Ints) -> bool:
    expected = awaited(subject.inputs, inputs)
    return subject.labels.count(labels, "n") >= subject.policy.labels.coverage * expected


def _changes(subject: Subject, late: Ints) -> Changes:
    n = subject.labels.count(late, "n")
    turned = subject.labels.count(late, "n_flip") if "n_flip" in subject.labels else 0
    return Changes(max(n, 0), max(-n, 0), max(turned, 0), other=bool(late.any()))
