"""Tests of many streams, stepped at once, are the same tests, to the bit."""

from __future__ import annotations

from dataclasses import fields, replace

import msgspec
import numpy as np
import pytest

from detectors.bets import binary, bounded
from detectors.calibration.anytime import CalibrationSums, CalibrationTest
from detectors.outcomes.calibration import BINS
from detectors.patterns.constant import ConstantOutputTest
from detectors.quantities import QUANTITIES, sums_of
from detectors.sequential.e_sr import BudgetedESR
from schemas.policy import Labels, Policy, Task
from schemas.profiling import build
from streams.decide.detect import Bet, Evidence, Recovering, asked_of, bet_each, recover_each
from streams.decide.detect.calibration import Calibrated
from streams.decide.detect.calibration import sums_of as calibration_sums
from streams.decide.detect.constant import ConstantTest
from streams.decide.detect.contract import ALPHA_RECOVERY
from streams.decide.detect.gather import Gathered
from streams.decide.detect.limit import LimitTest
from streams.decide.detect.limit_bank import ROW, recipe_of
from streams.decide.detect.limit_bank import sums_of as many_sums
from streams.decide.detect.recovery import clear_of, restarted
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
            alarm = single.update(of_units(seen, test.rows_per_unit), share=0.01)
            assert (step.alarm, step.log_e) == (alarm, single.log_m)
            memories[place] = step.memory
            known = [x if x is not None else -np.inf for x in single.state()]
            assert np.frombuffer(step.memory).tolist() == known
    assert calibration_sums(seen).count > 0


def of_units(seen, rows):
    """What a calibration test sees of a window: sums of units of so many rows."""
    sums = calibration_sums(seen)
    return CalibrationSums(*(getattr(sums, one.name) / rows for one in fields(sums)))


def reversed_alone(memory, increments):
    """One reverse bet, by the detector of a single test."""
    window = memory[0] + 1 if memory else 1.0
    process = BudgetedESR.restore(memory[1:])
    over = process.update(increments, share=ALPHA_RECOVERY * 6.0 / (np.pi * window) ** 2)
    return [window, *process.state()], over, process.log_m - np.log(ALPHA_RECOVERY)


def test_recovery_of_calibration_in_many_windows_is_that_of_each():
    """Total, slope and the bin that had alarmed, by hand; a bad window makes the bets anew."""
    of, rng = subject(Task.BINARY), np.random.default_rng(7)
    tests = [Calibrated(tau, rows_per_unit=rows) for tau in (0.02, 0.1) for rows in (1, 3)]
    clear = of.policy.alerting.clear
    memories, bins = [], [None, 0, 3, BINS - 1]
    for bin_ in bins:
        wealth = np.full((BINS + 2, 2, 8), -np.inf)
        wealth[0 if bin_ is None else 2 + bin_] = 5.0
        memories.append(wealth.tobytes())
    recoveries, ends, anew = [[] for _ in tests], 0, 0
    for number in range(12):
        n = rng.integers(200, 400, BINS) if number != 2 else np.zeros(BINS, int)
        rate = 0.9 if number in (0, 3) else 0.5
        vector = of.labels.zeros()
        vector[of.labels.slices["cal_n"]] = n
        vector[of.labels.slices["cal_y"]] = rng.binomial(n, rate)
        vector[of.labels.slices["cal_p"]] = n * (1 << 19)
        vector[of.labels.slices["cal_sq"]] = n * (1 << 18)
        vector[of.labels.slices["slope_v"]] = int(n.sum()) * (1 << 17)
        seen = Evidence(of, vector, 0)
        looks = [
            Recovering(test, memory, recovery, seen, test.read(seen))
            for test, memory, recovery in zip(tests, memories, recoveries, strict=True)
        ]
        for place, found in enumerate(recover_each(looks)):
            test, recovery = tests[place], recoveries[place]
            assert (found is None) == (number == 2)
            if found is None:
                continue
            sums = of_units(seen, test.rows_per_unit)
            parts = [(sums.count, sums.d.sum(), sums.v.sum())]
            parts.append((sums.count, sums.d_slope, sums.v_slope))
            if bins[place] is not None:
                parts.append(tuple(getattr(sums, name)[bins[place]] for name in "ndv"))
            tau = test.tau * (1 - clear)
            increments = [
                bounded.increments(n=count, s=d, q=v, m=m, lo=-1.0, side=side)
                for count, d, v in parts
                for m, side in ((tau, "below"), (-tau, "above"))
            ]
            steps = [
                reversed_alone(recovery[13 * bet : 13 * (bet + 1)], le)
                for bet, le in enumerate(increments)
            ]
            bad = looks[place].reading.low > test.tau
            memory = [restarted(step[0]) if bad else step[0] for step in steps]
            assert found.memory == [x for one in memory for x in one]
            assert found.over == (not bad and all(over for _, over, _ in steps))
            assert found.log_e == min(log_e for *_, log_e in steps)
            recoveries[place] = found.memory
            ends, anew = ends + found.over, anew + bad
    assert ends > 0 and anew > 0


@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_recovery_of_levels_in_many_windows_is_that_of_each(task):
    """Rates and means, of either side, by the bets of a single test."""
    of, rng = subject(task), np.random.default_rng(8)
    tests = [one.test for one in asked_of(of) if isinstance(one.test, LimitTest)]
    tests += [LimitTest(replace(test.level, worse="below", dispersion=2.5)) for test in tests]
    assert len(tests) > 5
    recoveries, weighed = [[] for _ in tests], 0
    for inputs, labels in windows(of, rng, 4):
        looks = [
            Recovering(test, b"", recovery, seen, test.read(seen))
            for test, recovery in zip(tests, recoveries, strict=True)
            for seen in [labels if test.part == "label" else inputs]
        ]
        for place, (look, found) in enumerate(zip(looks, recover_each(looks), strict=True)):
            level, sums = tests[place].level, tests[place].sums(look.seen)
            assert (found is None) == (sums is None)
            if found is None:
                continue
            side = "below" if level.worse == "above" else "above"
            m = clear_of(
                level.at(0, of.window_ms),
                of.policy.alerting.clear,
                worse=level.worse,
                lo=sums.lo,
                hi=sums.hi,
            )
            span = sums.hi - sums.lo
            if sums.q is None:
                le = binary.increments(n=sums.n, s=sums.s, m=(m - sums.lo) / span, side=side)
            else:
                le = bounded.increments(
                    n=sums.n,
                    s=(sums.s - sums.n * sums.lo) / span,
                    q=(sums.q - 2.0 * sums.lo * sums.s + sums.n * sums.lo**2) / span**2,
                    m=(m - sums.lo) / span,
                    side=side,
                )
            memory, over, log_e = reversed_alone(recoveries[place], le / level.dispersion)
            assert (found.memory, found.over, found.log_e) == (memory, over, log_e)
            recoveries[place] = found.memory
            weighed += 1
    assert weighed > 10
    nothing = Evidence(of, of.layout(tests[0].part).zeros(), 0)
    look = Recovering(tests[0], b"", [], nothing, tests[0].read(nothing))
    assert recover_each([look]) == [None]


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
