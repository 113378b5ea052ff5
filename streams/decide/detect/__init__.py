"""Which sequential tests a policy asks for; one file for each kind of test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streams.decide.detect.calibration import Calibrated
from streams.decide.detect.contract import Evidence, Reading, Recovery, SequentialTest, Step
from streams.decide.detect.drift import DriftTest
from streams.decide.detect.limit import Bet, LimitTest, bet_all
from streams.decide.detect.strays import StrayTest
from streams.decide.levels import feature_levels
from streams.decide.measure.drift import drifting, eps_of
from streams.decide.subject import Subject

__all__ = [
    "Asked",
    "Evidence",
    "Reading",
    "Recovery",
    "SequentialTest",
    "Step",
    "StrayTest",
    "asked_of",
    "bet_each",
    "tests_of",
]


def tests_of(subject: Subject) -> tuple[SequentialTest, ...]:
    """Every test of a stream under a policy and a reference, in a fixed order.

    The stream of all segments has them all; a segment has those on labels, service errors and
    latency.

    Examples
    --------
    >>> from schemas.policy import Budgets, Policy, Task
    >>> from streams.decide.subject import subject_of
    >>> policy = Policy(model="m", task=Task.BINARY, budgets=Budgets(error_rate=0.05))
    >>> [test.metric for test in tests_of(subject_of(policy, None, whole=True))]
    ['error_rate', 'calibration']
    """
    tests: list[SequentialTest] = [LimitTest(level) for level in subject.levels]
    if "cal_n" in subject.labels:
        tests.append(Calibrated(subject.policy.calibration.tolerance))
    if subject.whole:
        tests += [LimitTest(level) for f in subject.features for level in feature_levels(f)]
        decay = subject.policy.drift.decay
        tests += [DriftTest(name, eps_of(subject, name), decay) for name in drifting(subject)]
    return tuple(tests)


class Asked(NamedTuple):
    """A test of a stream, and its `SequentialTest.question` under the stream's subject."""

    test: SequentialTest
    question: str


def asked_of(subject: Subject) -> tuple[Asked, ...]:
    """`tests_of` with their questions."""
    return tuple(Asked(test, test.question(subject)) for test in tests_of(subject))


def bet_each(
    bets: Sequence[tuple[SequentialTest, bytes, Evidence, float]],
) -> list[Step | None]:
    """`SequentialTest.bet` of many tests, those on levels all at once.

    Parameters
    ----------
    bets
        Each with its memory, what it sees and its share of the budget.
    """
    limits = [place for place, bet in enumerate(bets) if isinstance(bet[0], LimitTest)]
    together = bet_all(
        [
            Bet(test, memory, seen, share)
            for test, memory, seen, share in bets
            if isinstance(test, LimitTest)
        ]
    )
    steps = dict(zip(limits, together, strict=True))
    return [
        steps[place] if place in steps else test.bet(memory, seen, share=share)
        for place, (test, memory, seen, share) in enumerate(bets)
    ]
