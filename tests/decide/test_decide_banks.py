"""Tests of many streams, stepped at once, are the same tests, to the bit."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from detectors.calibration.anytime import CalibrationTest
from detectors.outcomes.calibration import BINS
from detectors.patterns.constant import ConstantOutputTest
from detectors.quantities import QUANTITIES, sums_of
from schemas.policy import Labels, Policy, Task
from schemas.profiling import build
from streams.decide.detect import Bet, Evidence, asked_of, bet_each
from streams.decide.detect.calibration import Calibrated
from streams.decide.detect.calibration import sums_of as calibration_sums
from streams.decide.detect.constant import ConstantTest
from streams.decide.detect.gather import Gathered
from streams.decide.detect.limit_bank import ROW, recipe_of
from streams.decide.detect.limit_bank import sums_of as many_sums
from streams.decide.measure.histograms import SCORE, reference_counts
from streams.decide.measure.labels import BESIDE, sums_beside
from streams.decide.subject import subject_of


def subject(task, *, scale=1.0, whole=True):
    """A stream with features, classes and weights of labels, as far as the task has them."""
    policy = Policy(
        model="m",
        task=task,
        labels=Labels(propensity=True, sources=["desk"], scale=scale),
        segments=["k"],
    )
    profile = build(
        "m",
        {"x": np.linspace(-3.0, 9.0, 2_000).tolist(), "c": ["a", "b"] * 1_000},
        score=np.linspace(0.01, 0.99, 2_000).tolist(),
    )
    return subject_of(policy, profile, whole=whole, key="" if whole else "k")


def windows(of, rng, count):
    """Evidence of windows with something in every entry."""
    found = []
    for _ in range(count):
        inputs = rng.integers(0, 1 << 22, of.inputs.size)
        labels = rng.integers(0, 1 << 22, of.labels.size)
        found.append((Evidence(of, inputs, 0, None, inputs), Evidence(of, labels, 0, None, inputs)))
    return found


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("whole", [True, False])
def test_the_sums_of_many_windows_are_those_of_each(task, whole):
    """Every metric, of streams with other layouts in between."""
    rng = np.random.default_rng(3)
    subjects = [subject(task, whole=whole), subject(Task.RANKING), subject(task, scale=2.0)]
    asked, expected = [], []
    for of in subjects:
        for by_part in windows(of, rng, 2):
            for layout, seen in zip((of.inputs, of.labels), by_part, strict=True):
                for metric in (*QUANTITIES, *BESIDE):
                    for feature in ("", "x", "c", "desk"):
                        if metric in BESIDE and (layout is of.inputs or feature):
                            continue
                        one = (
                            sums_beside(of.inputs, seen.served, layout, seen.vector, metric)
                            if metric in BESIDE
                            else sums_of(layout, seen.vector, metric, feature)
                        )
                        recipe = recipe_of(layout, of.inputs, metric, feature)
                        assert (one is None) == (recipe is None), (metric, feature)
                        if recipe is not None:
                            asked.append((seen, recipe))
                            expected.append(one)
    gathered = Gathered(seen for seen, _ in asked)
    recipes = np.array([recipe for _, recipe in asked], ROW)
    found = many_sums(gathered, recipes, np.arange(len(asked)))
    assert len(expected) > 20
    assert found.n.tolist() == [one.n for one in expected]
    assert found.s.tolist() == [one.s for one in expected]
    squares = [one.q is not None for one in expected]
    assert found.squares.tolist() == squares
    assert found.q[squares].tolist() == [one.q for one in expected if one.q is not None]
    assert found.lo.tolist() == [one.lo for one in expected]
    assert found.hi.tolist() == [one.hi for one in expected]


def test_calibration_of_many_windows_is_that_of_each():
    """Alarm, evidence and memory over several windows, some of them empty."""
    of, rng = subject(Task.BINARY), np.random.default_rng(4)
    tests = [Calibrated(tau, rows_per_unit=rows) for tau in (0.02, 0.1) for rows in (1, 3)]
    alone = [CalibrationTest(bins=BINS, tau=test.tau) for test in tests]
    memories = [b""] * len(tests)
    for number in range(5):
        vector = of.labels.zeros()
        if number != 2:
            n = rng.integers(0, 60, BINS)
            vector[of.labels.slices["cal_n"]] = n
            vector[of.labels.slices["cal_y"]] = rng.binomial(n, 0.5)
            vector[of.labels.slices["cal_p"]] = n * (1 << 19)
            vector[of.labels.slices["cal_sq"]] = n * (1 << 18)
            vector[of.labels.slices["slope_v"]] = int(n.sum()) * (1 << 17)
        seen = Evidence(of, vector, 0)
        steps = bet_each(
            [Bet(test, kept, seen, 0.01) for test, kept in zip(tests, memories, strict=True)]
        )
        for place, (test, single, step) in enumerate(zip(tests, alone, steps, strict=True)):
            if number == 2:
                assert step is None
                continue
            alarm = single.update(test._sums(seen), share=0.01)
            assert (step.alarm, step.log_e) == (alarm, single.log_m)
            memories[place] = step.memory
            known = [x if x is not None else -np.inf for x in single.state()]
            assert np.frombuffer(step.memory).tolist() == known
    assert calibration_sums(seen).count > 0


def test_constant_answers_of_many_windows_are_those_of_each():
    """Alarm, evidence and memory over several windows; some are empty, some of one answer."""
    of, rng = subject(Task.BINARY), np.random.default_rng(6)
    reference = reference_counts(of, SCORE)
    tests = [ConstantTest(SCORE, way, rows_per_unit=rows) for way in (0.2, 0.5) for rows in (1, 3)]
    alone = [ConstantOutputTest(reference, test.way) for test in tests]
    memories, alarms = [b""] * len(tests), 0
    for number in range(6):
        vector = of.inputs.zeros()
        if number != 2:
            place = of.inputs.slices["score"]
            shares = np.ones(reference.size)
            shares[0] = 1.0 if number < 2 else 1_000.0
            vector[place] = rng.multinomial(300, shares / shares.sum())
        seen = Evidence(of, vector, 0)
        steps = bet_each(
            [Bet(test, kept, seen, 0.01) for test, kept in zip(tests, memories, strict=True)]
        )
        for place, (test, single, step) in enumerate(zip(tests, alone, steps, strict=True)):
            if number == 2:
                assert step is None
                continue
            made = single.suspect is not None
            counts = vector[of.inputs.slices["score"]] / test.rows_per_unit
            assert step.alarm == single.update(counts, share=0.01)
            assert step.spent == (0.01 if made else 0.0)
            assert step.log_e == (single.log_m if made else 0.0)
            assert msgspec.msgpack.decode(step.memory) == single.state()
            memories[place] = step.memory
            alarms += step.alarm
    assert alarms > 2


@pytest.mark.parametrize("task", list(Task))
def test_tests_that_are_stepped_together_are_those_stepped_alone(task):
    """All tests of a stream over three windows, in one call and one by one."""
    of, rng = subject(task), np.random.default_rng(5)
    asked = [one.test for one in asked_of(of)]
    assert len(asked) > 5
    together, apart = [b""] * len(asked), [b""] * len(asked)
    for inputs, labels in windows(of, rng, 3):
        bets = [
            Bet(test, kept, labels if test.part == "label" else inputs, 1e-3)
            for test, kept in zip(asked, together, strict=True)
        ]
        steps = bet_each(bets)
        for place, (bet, step) in enumerate(zip(bets, steps, strict=True)):
            alone = bet.test.bet(apart[place], bet.seen, share=bet.share)
            assert step == alone
            if step is not None:
                together[place] = apart[place] = step.memory
