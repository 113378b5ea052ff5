"""Which sequential tests a policy asks for; one file for each kind of test."""

from __future__ import annotations

from detectors.inputs import CategoricalFeature, Feature
from schemas.alerts import Severity
from schemas.summaries import Part
from streams.decide.detect.calibration import Calibrated
from streams.decide.detect.contract import Reading, Recovery, SequentialTest, Step
from streams.decide.detect.drift import DriftTest
from streams.decide.detect.limit import LimitTest
from streams.decide.detect.strays import StrayTest
from streams.decide.measure.drift import drifting, eps_of
from streams.decide.subject import Subject

__all__ = ["Reading", "Recovery", "SequentialTest", "Step", "StrayTest", "tests_of"]


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
    tests = [*_label_tests(subject), *_service_tests(subject)]
    if subject.whole:
        tests += [test for feature in subject.features for test in _contract_tests(feature)]
        decay = subject.policy.drift.decay
        tests += [DriftTest(name, eps_of(subject, name), decay) for name in drifting(subject)]
    return tuple(tests)


def _label_tests(subject: Subject) -> list[SequentialTest]:
    budgets = subject.policy.budgets
    tests: list[SequentialTest] = []
    if budgets.error_rate is not None and "err" in subject.labels:
        tests.append(LimitTest("error_rate", Part.LABEL, budgets.error_rate, Severity.PAGE))
    if budgets.brier is not None and "brier" in subject.labels:
        tests.append(LimitTest("brier", Part.LABEL, budgets.brier, Severity.PAGE))
    if "cal_n" in subject.labels:
        tests.append(Calibrated(subject.policy.calibration.tolerance))
    return tests


def _service_tests(subject: Subject) -> list[SequentialTest]:
    budgets = subject.policy.budgets
    tests: list[SequentialTest] = []
    if budgets.service_errors is not None:
        tests.append(LimitTest("service_errors", Part.INPUT, budgets.service_errors, Severity.PAGE))
    if budgets.latency is not None:
        tests.append(LimitTest("latency_over", Part.INPUT, budgets.latency.rate, Severity.PAGE))
    return tests


def _contract_tests(feature: Feature) -> list[SequentialTest]:
    contract, name = feature.contract, feature.name
    tests: list[SequentialTest] = [
        LimitTest("missing_rate", Part.INPUT, contract.missing, Severity.TICKET, name)
    ]
    # A category is never out of range where the contract does not list them.
    if not isinstance(feature, CategoricalFeature) or contract.categories is not None:
        tests.append(
            LimitTest("out_of_range_rate", Part.INPUT, contract.out_of_range, Severity.TICKET, name)
        )
    return tests
