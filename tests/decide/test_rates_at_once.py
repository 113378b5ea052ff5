"""Rates and means of many windows are those of `metric_of`, one by one, to the bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.outcomes import classes_of
from detectors.outcomes.feedback import sources_of
from detectors.quantities import (
    CLASS_METRICS,
    FEATURE_METRICS,
    INPUT_METRICS,
    LABEL_METRICS,
    TOLD_METRICS,
    sums_of,
)
from detectors.summary import SCALE, Ints, Layout
from schemas.policy import Budgets, Dependence, FeatureContract, Floors, Policy, Task
from schemas.profiling import build
from schemas.windows import Metric, Verdict
from streams.decide.measure.interval import metric_of
from streams.decide.measure.rates import levels_of, rates_each
from streams.decide.subject import Subject, subject_of

START_MS = 1_750_000_000_000


def subjects() -> list[Subject]:
    """Of all tasks, with budgets and floors on both sides of a metric, and with units."""
    rng = np.random.default_rng(7)
    columns = {"a": (50 + 9 * rng.normal(size=500)).tolist(), "b": rng.integers(0, 3, 500).tolist()}
    known = build("m", columns, score=rng.random(500).tolist(), source="test")
    budgets = Budgets(error_rate=0.3, brier=0.2, service_errors=0.5, positive_rate=0.6, flips=0.2)
    binary = Policy(
        model="m",
        task=Task.BINARY,
        segments=["k"],
        budgets=budgets,
        floors=Floors(positive_rate=0.4, recall=0.5, precision=0.5),
        features={"a": FeatureContract(min=10.0, max=90.0, min_mean=30.0, max_mean=60.0)},
    )
    units = binary.model_copy(update={"dependence": Dependence(rows_per_unit=3)})
    others = [Policy(model="m", task=task) for task in Task if task is not Task.BINARY]
    return [
        *(
            subject_of(one, known, whole=whole)
            for one in (binary, units)
            for whole in (True, False)
        ),
        *(subject_of(policy, None, whole=True) for policy in (binary, *others)),
    ]


SUBJECTS = subjects()


def pane(layout: Layout, rng: np.random.Generator) -> Ints:
    """Counts, some of them of nothing, and sums of what such counts may hold."""
    found: Ints = rng.integers(0, rng.choice([1, 5, 90]), layout.size)
    for field in layout.fields:
        if field.fixed:
            found[layout.slices[field.name]] *= SCALE // 3
    return found


def one_by_one(
    subject: Subject, layout: Layout, vector: Ints, names: list[tuple[str, str]], *, empty: bool
) -> list[Metric]:
    """Each metric alone; those of no event only if ``empty``."""
    found = []
    for name, of in names:
        sums = sums_of(layout, vector, name, of)
        if sums is not None and (empty or sums.n > 0):
            levels = levels_of(subject, name, of)
            budget, floor = levels.at(subject, START_MS)
            found.append(
                metric_of(
                    name,
                    sums,
                    feature=of,
                    budget=budget,
                    floor=floor,
                    dispersion=levels.dispersion,
                )
            )
    return found


def expected(subject: Subject, inputs: Ints, labels: Ints) -> tuple[list[Metric], ...]:
    """The same as `rates_each`, one metric after the other."""
    classes = classes_of(subject.policy, subject.reference)
    named = [(name, "") for name in LABEL_METRICS]
    named += [(name, of) for of in classes for name in CLASS_METRICS]
    told = [(name, of) for of in ("", *sources_of(subject.policy)) for name in TOLD_METRICS]
    features = [(name, one.name) for one in subject.features for name in FEATURE_METRICS]
    return (
        one_by_one(subject, subject.labels, labels, named, empty=True),
        one_by_one(subject, subject.labels, labels, told, empty=False),
        one_by_one(
            subject, subject.inputs, inputs, [(name, "") for name in INPUT_METRICS], empty=False
        ),
        one_by_one(subject, subject.inputs, inputs, features, empty=False),
    )


@settings(deadline=None)
@given(picks=st.lists(st.integers(0, len(SUBJECTS) - 1), max_size=8), seed=st.integers(0, 2**32))
def test_as_one_by_one(picks: list[int], seed: int) -> None:
    """Values, intervals, verdicts and how many more events they need, of panes of any kind."""
    rng = np.random.default_rng(seed)
    windows = [
        (subject, pane(subject.inputs, rng), pane(subject.labels, rng), START_MS)
        for subject in (SUBJECTS[pick] for pick in picks)
    ]
    found = [tuple(own) for own in rates_each(windows)]
    assert repr(found) == repr([expected(*window[:3]) for window in windows])


def test_all_of_it_is_compared() -> None:
    """Verdicts of all kinds, events still needed, means moved out of [0, 1]."""
    rng = np.random.default_rng(1)
    windows = [
        (subject, pane(subject.inputs, rng), pane(subject.labels, rng), START_MS)
        for subject in SUBJECTS * 20
    ]
    found = [metric for rates in rates_each(windows) for own in rates for metric in own]
    assert {metric.verdict for metric in found} == {None, *Verdict}
    assert any(metric.needed for metric in found)
    assert any(metric.name == "mean" and (metric.value or 0.0) > 1.0 for metric in found)
    assert any(metric.budget is not None and metric.floor is not None for metric in found)
