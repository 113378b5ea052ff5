"""Which sequential tests a policy asks for; one file for each kind of test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from detectors.outcomes import classes_of
from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide.budget import fractions, weight_of
from streams.decide.detect import calibration, constant, drift, drift_list, estimates, limit
from streams.decide.detect.calibration import Calibrated
from streams.decide.detect.care import care_tests
from streams.decide.detect.constant import ConstantTest, constant_tests
from streams.decide.detect.contract import (
    Bet,
    Evidence,
    Found,
    Reading,
    Recovering,
    Recovery,
    SequentialTest,
    Step,
    at_places,
    name_of,
)
from streams.decide.detect.crowded import CrowdedTest, crowded_tests
from streams.decide.detect.drift import DriftTest
from streams.decide.detect.drift_list import DriftList
from streams.decide.detect.embedding import EmbeddingTest, embedding_tests
from streams.decide.detect.fairness import fairness_tests
from streams.decide.detect.limit import LimitTest
from streams.decide.detect.no_labels import NoLabelsTest, no_labels_tests
from streams.decide.detect.opinion import opinions_of
from streams.decide.detect.shedding import SheddingTest, shedding_tests
from streams.decide.detect.smooth import smooth_tests
from streams.decide.detect.strays import StrayTest
from streams.decide.levels import feature_levels
from streams.decide.measure.histograms import PIT, dispersion_of, drifting, eps_of
from streams.decide.subject import Subject

__all__ = [
    "Asked",
    "Bet",
    "CrowdedTest",
    "DriftTest",
    "EmbeddingTest",
    "Evidence",
    "NoLabelsTest",
    "Reading",
    "Recovering",
    "Recovery",
    "SequentialTest",
    "SheddingTest",
    "Step",
    "StrayTest",
    "asked_of",
    "bet_each",
    "name_of",
    "recover_each",
    "rules_of",
    "tests_of",
    "watches_of",
]


def tests_of(subject: Subject) -> tuple[SequentialTest, ...]:
    """Every test of a stream under a policy and a reference, in a fixed order.

    The stream of all segments has them all; a segment has those on labels, service errors and
    latency, and that of a group those on fairness besides. A metric that the policy gives no
    weight in the budget has none.

    Examples
    --------
    >>> from schemas.policy import Budgets, Policy, Task
    >>> from streams.decide.subject import subject_of
    >>> policy = Policy(model="m", task=Task.BINARY, budgets=Budgets(error_rate=0.05))
    >>> [test.metric for test in tests_of(subject_of(policy, None, whole=True))]
    ['error_rate', 'calibration']
    """
    policy = subject.policy
    rows = policy.dependence.rows_per_unit
    tests: list[SequentialTest] = [LimitTest(level) for level in subject.levels]
    if "cal_n" in subject.labels:
        tests.append(Calibrated(policy.calibration.tolerance, rows_per_unit=rows))
        tests += _class_calibration(subject, rows)
    tests += estimates.tests_of(subject)
    if "pit" in subject.labels:
        tests.append(_pit(subject, rows))
    tests += smooth_tests(subject)
    tests += fairness_tests(subject)
    if subject.whole:
        tests += [
            LimitTest(level)
            for feature in subject.features
            for level in feature_levels(feature, rows_per_unit=rows)
        ]
        tests += [
            DriftTest(name, eps_of(subject, name), policy.drift.decay, dispersion_of(subject, name))
            for name in drifting(subject)
        ]
    tests += constant_tests(subject)
    tests += embedding_tests(subject)
    return tuple(test for test in tests if weight_of(policy, test.metric) > 0.0)


def watches_of(subject: Subject) -> tuple[SequentialTest, ...]:
    """What a stream is watched by without a promise: these raise the severity "watch" at most,
    and spend nothing of the budget.

    Examples
    --------
    >>> from schemas.policy import Opinion, Policy, Task
    >>> from streams.decide.subject import subject_of
    >>> policy = Policy(model="m", task=Task.BINARY, opinions=[Opinion.DDM])
    >>> [test.feature for test in watches_of(subject_of(policy, None, whole=True))]
    ['ddm']
    """
    lists = [DriftList()] if subject.whole and drifting(subject) else []
    watches: list[SequentialTest] = [*lists, *opinions_of(subject)]
    return tuple(one for one in watches if weight_of(subject.policy, one.metric) > 0.0)


def _class_calibration(subject: Subject, rows: int) -> list[SequentialTest]:
    """One test for each class of the stream of all, so that an alert names the class."""
    classes = classes_of(subject.policy, subject.reference) if subject.whole else ()
    return [
        Calibrated(
            subject.policy.calibration.tolerance,
            rows_per_unit=rows,
            metric="class_calibration",
            feature=name,
            severity=Severity.TICKET,
        )
        for name in classes
    ]


def _pit(subject: Subject, rows: int) -> DriftTest:
    """Of label panes, in every segment: what quantiles promise is no matter of a reference."""
    return DriftTest(
        PIT,
        eps_of(subject, PIT),
        subject.policy.drift.decay,
        dispersion=float(rows),
        metric="pit",
        part=Part.LABEL,
    )


def rules_of(subject: Subject) -> tuple[Asked, ...]:
    """Contracts of the stream of all that are no tests: they cost nothing, and a weight does not
    leave them out.

    Examples
    --------
    >>> from schemas.policy import Policy, Task
    >>> from streams.decide.subject import subject_of
    >>> policy = Policy(model="m", task=Task.BINARY)
    >>> [rule.test.metric for rule in rules_of(subject_of(policy, None, whole=True))]
    ['strays', 'no_labels']
    """
    if not subject.whole:
        return ()
    policy = subject.policy
    rules: tuple[SequentialTest, ...] = (
        StrayTest(),
        *crowded_tests(policy),
        *shedding_tests(policy),
        *no_labels_tests(policy),
    )
    return tuple(Asked(rule, rule.question(subject), 0.0) for rule in rules)


Look = TypeVar("Look", Bet, Recovering)
"""A test about to look at a window."""


class Asked(NamedTuple):
    """A test of a stream, its `SequentialTest.question` under the stream's subject, and its part
    of the stream's false-alarm budget."""

    test: SequentialTest
    question: str
    fraction: float


def asked_of(subject: Subject) -> tuple[Asked, ...]:
    """`tests_of` with their questions and their parts of the budget, then `watches_of` for
    nothing, then those of hyper-care, which are asked only while it lasts."""
    tests, watches = tests_of(subject), watches_of(subject)
    kinds = [(test.metric, test.severity) for test in tests]
    parts = [*fractions(subject.policy, kinds), *[0.0] * len(watches)]
    tests += watches
    asked = list(zip(tests, parts, strict=True)) + care_tests(subject)
    return tuple(Asked(test, test.question(subject), part) for test, part in asked)


BANKS: Mapping[type[SequentialTest], Callable[[Sequence[Bet]], list[Step | None]]] = {
    LimitTest: limit.bet_all,
    DriftTest: drift.bet_all,
    Calibrated: calibration.bet_all,
    DriftList: drift_list.bet_all,
    ConstantTest: constant.bet_all,
}
"""Kinds of tests of which many are stepped at once; any other is stepped one by one."""


RECOVERIES: Mapping[
    type[SequentialTest], Callable[[Sequence[Recovering]], list[Recovery | None]]
] = {
    LimitTest: limit.recover_all,
    Calibrated: calibration.recover_all,
}
"""Kinds of tests of which many open alerts are weighed at once; any other one by one."""


def bet_each(bets: Sequence[Bet]) -> list[Step | None]:
    """`SequentialTest.bet` of many tests, all of one kind at once."""
    return _by_kind(bets, BANKS, lambda one: one.test.bet(one.memory, one.seen, share=one.share))


def recover_each(alerts: Sequence[Recovering]) -> list[Recovery | None]:
    """`SequentialTest.recover` of many open alerts, all of one kind at once."""
    return _by_kind(
        alerts, RECOVERIES, lambda one: one.test.recover(one.memory, one.recovery, one.seen)
    )


def _by_kind(
    looks: Sequence[Look],
    banks: Mapping[type[SequentialTest], Callable[[Sequence[Look]], list[Found | None]]],
    alone: Callable[[Look], Found | None],
) -> list[Found | None]:
    """What each test finds; those of a kind that has a bank all at once."""
    found: list[tuple[int, Found | None]] = []
    kinds: defaultdict[type[SequentialTest], list[int]] = defaultdict(list)
    for place, look in enumerate(looks):
        kinds[type(look.test)].append(place)
    for kind, places in kinds.items():
        own = [looks[place] for place in places]
        bank = banks.get(kind)
        found += zip(places, map(alone, own) if bank is None else bank(own), strict=True)
    return at_places(len(looks), found)
