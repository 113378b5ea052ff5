"""The ledger of the false-alarm budget: what tests may spend, what they have spent, and on what.

Spending is booked by model in buckets of event time, a 32nd of the budget's period long, so that
an account stays as small as it is after one period. Amounts are whole numbers of `UNIT`: their
sums do not depend on the order in which tests were run.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from schemas.ledger import Ledger, LedgerEntry
from schemas.policy import Policy, duration_ms
from schemas.summaries import Part
from streams.decide.clock import later, watermarks
from streams.decide.detect import Asked, asked_of, name_of
from streams.decide.detect.care import is_care, windows_in_period
from streams.decide.keys import BucketKey, MonitorKey, slice_of
from streams.decide.memory import MonitorState
from streams.decide.state import State
from streams.decide.subject import Subject, Subjects

UNIT = 1e-12
"""Smallest amount, in expected false alarms."""

BUCKETS = 32
"""Buckets of a period."""

Questions = Callable[[Subject], Sequence[Asked]]
Name = tuple[str, str, str]


def book(state: State, policy: Policy, due_ms: int, spent: float) -> None:
    """Add what tests of a model spent at a time; what lies a period back is dropped.

    Parameters
    ----------
    due_ms
        When the window that it was spent on was judged, in event time.
    spent
        In expected false alarms.
    """
    amount = round(spent / UNIT)
    if amount <= 0:
        return
    period_ms = duration_ms(policy.false_alarms.per)
    length_ms = max(period_ms // BUCKETS, 1)
    key = BucketKey(policy.model, due_ms // length_ms * length_ms, length_ms)
    known = state.spending.get(key)
    state.spending.put(key, (known or 0) + amount)
    if known is None:
        for old in state.spending:
            if old.model == policy.model and old.start_ms + old.length_ms <= due_ms - period_ms:
                state.spending.drop(old)


def ledgers(state: State, subjects: Subjects, asked: Questions = asked_of) -> list[Ledger]:
    """The ledger of every model, in order of name.

    Parameters
    ----------
    subjects
        Where the policies and references of tests are found.
    asked
        `streams.decide.detect.asked_of`, or the same from memory.

    Raises
    ------
    Retriable
        The policy or reference of a test was not read yet.
    """
    marks = watermarks(state)
    now_ms = later(marks.predictions_ms, marks.labels_ms) or 0
    return [_ledger(state, book, now_ms) for book in _books(state, subjects, asked)]


@dataclass(frozen=True, slots=True)
class Totals:
    """What the tests of a model may spend in a period now, and what they have ever spent."""

    promised: float
    spent: float


def totals(state: State, subjects: Subjects, asked: Questions = asked_of) -> dict[str, Totals]:
    """The sums of each model's ledger, without its entries; parameters as in `ledgers`."""
    return {
        book.policy.model: Totals(promised=book.promised, spent=book.spent)
        for book in _books(state, subjects, asked)
    }


@dataclass(frozen=True, slots=True)
class _Book:
    """The tests of a model that spend, under the policy of its latest window, the shares of those
    that it asks, what tests spent that are forgotten, and how many windows a period of the budget
    has, in all and in hyper-care."""

    policy: Policy
    tests: dict[MonitorKey, MonitorState]
    shares: dict[MonitorKey, float]
    retired: float
    windows: float
    windows_in_care: int

    @property
    def promised(self) -> float:
        """What the tests may spend in a period now."""
        return math.fsum(self.per_period(key) for key in self.shares)

    def per_period(self, key: MonitorKey) -> float:
        """What a test may spend in a period now; one of hyper-care is asked in few windows."""
        windows = self.windows_in_care if is_care(key.detector) else self.windows
        return self.shares.get(key, 0.0) * windows

    @property
    def spent(self) -> float:
        """What the tests have ever spent, those of versions that are gone among them."""
        return math.fsum([self.retired, *(known.spent for known in self.tests.values())])


def _books(state: State, subjects: Subjects, asked: Questions) -> list[_Book]:
    models: defaultdict[str, dict[MonitorKey, MonitorState]] = defaultdict(dict)
    for key, known in state.tests.items():
        models[key.model][key] = known
    books = []
    for _, own in sorted(models.items()):
        # Where two policies met in one window, the order of tests in memory must not decide.
        latest = max(own.values(), key=lambda one: (one.start_ms, one.policy, one.reference))
        whole = subjects.of(latest.policy, latest.reference, whole=True)
        kinds = {"": whole} | {
            name: subjects.of(latest.policy, latest.reference, whole=False, key=name)
            for name in whole.policy.slices
        }
        names = {
            name: {name_of(one.test) for one in asked(subject)} for name, subject in kinds.items()
        }
        # A contract on rows has no share and spends nothing.
        tests = {key: one for key, one in own.items() if one.share > 0.0 or one.spent > 0.0}
        now = {key: one for key, one in tests.items() if _is_asked(key, names)}
        retired = UNIT * (state.retired.get(whole.policy.model) or 0)
        windows = duration_ms(whole.policy.false_alarms.per) / whole.policy.window_ms
        care = windows_in_period(whole.policy)
        books.append(_Book(whole.policy, tests, _shares(now), retired, windows, care))
    return books


def _is_asked(key: MonitorKey, names: Mapping[str, set[Name]]) -> bool:
    """Whether the present policy and reference ask what a test has asked; ``names`` are the tests
    of the stream of all, and of the segments of each key."""
    return key.name in names.get(slice_of(key.segment), ())


def _shares(tests: dict[MonitorKey, MonitorState]) -> dict[MonitorKey, float]:
    """Shares of the latest window, of inputs and of labels: only those of one window add up."""
    latest: dict[Part, int] = {}
    for known in tests.values():
        latest[known.part] = max(latest.get(known.part, known.start_ms), known.start_ms)
    return {
        key: known.share for key, known in tests.items() if known.start_ms == latest[known.part]
    }


def _ledger(state: State, book: _Book, now_ms: int) -> Ledger:
    policy = book.policy
    period_ms = duration_ms(policy.false_alarms.per)
    buckets = [(key, n) for key, n in state.spending.items() if key.model == policy.model]
    # A model without traffic is told of as it was last: its period does not run out meanwhile.
    ends = (key.start_ms + key.length_ms for key, _ in buckets)
    as_of_ms = min(max(ends, default=now_ms), now_ms)
    recent = UNIT * sum(n for key, n in buckets if key.start_ms > as_of_ms - period_ms)
    return Ledger(
        model=policy.model,
        policy=policy.hash,
        as_of_ms=as_of_ms,
        period_ms=period_ms,
        window_ms=policy.window_ms,
        budget=policy.false_alarms.pages,
        promised=book.promised,
        spent_in_period=recent,
        left=policy.false_alarms.pages - recent,
        spent=book.spent,
        entries=[_entry(key, known, book) for key, known in sorted(book.tests.items())],
    )


def _entry(key: MonitorKey, known: MonitorState, book: _Book) -> LedgerEntry:
    return LedgerEntry(
        version=key.version,
        segment=key.segment,
        metric=key.metric,
        feature=key.feature,
        detector=key.detector,
        share=book.shares.get(key, 0.0),
        per_period=book.per_period(key),
        spent=known.spent,
        alerts=known.opened,
        last_cost=known.cost if known.opened else None,
        open=known.alert is not None,
    )
