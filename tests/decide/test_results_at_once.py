"""Results of windows are worked out together, and each is what it is alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.summary import Ints, Layout
from schemas.policy import Dependence, Policy, Task
from schemas.profiling import build
from streams.decide.measure.window import shared_each
from streams.decide.subject import Subject, subject_of

MOST = 60
START_MS = 1_750_000_000_000


def subjects() -> list[Subject]:
    """Of tasks and layouts that differ: with a reference and without, whole and in part."""
    rng = np.random.default_rng(7)
    columns = {"a": rng.normal(size=500).tolist(), "b": rng.integers(0, 3, 500).tolist()}
    known = build("m", columns, score=rng.random(500).tolist(), source="test")
    binary = Policy(model="m", task=Task.BINARY, segments=["k"])
    units = binary.model_copy(update={"dependence": Dependence(rows_per_unit=3)})
    others = [Policy(model="m", task=task) for task in (Task.REGRESSION, Task.RANKING)]
    return [
        *(
            subject_of(policy, known, whole=whole)
            for policy in (binary, units)
            for whole in (True, False)
        ),
        *(subject_of(policy, None, whole=True) for policy in (binary, *others)),
    ]


SUBJECTS = subjects()


def vector(layout: Layout, rng: np.random.Generator) -> Ints:
    """Any pane that has no field below 0; of positives as many as of all, at most."""
    found: Ints = rng.integers(0, MOST, layout.size)
    for every, positive in (("bin_n", "bin_pos"), ("cal_n", "cal_y")):
        if positive in layout:
            found[layout.slices[every]] += found[layout.slices[positive]]
    return found


def pane(layout: Layout, rng: np.random.Generator) -> Ints:
    """The same, sometimes of no row."""
    return vector(layout, rng) if rng.random() < 0.9 else layout.zeros()


@settings(deadline=None)
@given(picks=st.lists(st.integers(0, len(SUBJECTS) - 1), max_size=12), seed=st.integers(0, 2**32))
def test_together_as_alone(picks: list[int], seed: int) -> None:
    """To the bit, whatever other windows are worked out with it."""
    rng = np.random.default_rng(seed)
    windows = [
        (subject, pane(subject.inputs, rng), pane(subject.labels, rng), START_MS)
        for subject in (SUBJECTS[pick] for pick in picks)
    ]
    alone = [shared_each([window])[0] for window in windows]
    assert repr(shared_each(windows)) == repr(alone)
    assert len(shared_each(windows)) == len(windows)


def test_something_is_worked_out() -> None:
    """What is compared above is not empty."""
    rng = np.random.default_rng(1)
    subject = SUBJECTS[0]
    sums = vector(subject.inputs, rng), vector(subject.labels, rng)
    shared = shared_each([(subject, *sums, START_MS)])[0]
    assert {metric.name for metric in shared.drift} == {"psi", "js", "tv"}
    assert {metric.name for metric in shared.smooth} == {"auc", "f1"}
    assert len(shared.calibration) == 4
