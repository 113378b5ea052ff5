"""Feedback anomalies: label rate, label mix, disagreement and flips, with their false alarms."""

import json
import math

import numpy as np
import pytest

from detectors.bets.grid import log_mean_exp
from detectors.feedback.disagreement import disagreement, disagreement_test
from detectors.feedback.flips import OTHERS, FlipTest
from detectors.feedback.label_mix import label_share_test, positive_rate_test
from detectors.feedback.label_rate import ARRIVAL_BETS, arrival_increments, coverage_test
from detectors.patterns.class_mix import class_rates
from detectors.sequential.band import BandTest, Rates
from detectors.sequential.e_sr import BudgetedESR
from schemas.errors import ConfigurationError

RUNS, ALPHA = 1_000, 0.05


def limit_of(budget: float) -> float:
    """Most alarms a run that chance explains, where `budget` are expected."""
    return budget + 3 * math.sqrt(budget / RUNS)


def one(n: int, s: float) -> Rates:
    """A window of one rate."""
    return Rates(np.array([float(n)]), np.array([float(s)]))


def ever_alarms(le: np.ndarray) -> float:
    """Share of runs whose wealth ever reaches 1 / alpha; `le` has shape (runs, windows, bets)."""
    log_e = log_mean_exp(np.cumsum(le, axis=1))
    return float(np.mean(log_e.max(axis=1) >= math.log(1 / ALPHA)))


def alarms_of(test: BandTest, n: int, s: np.ndarray, share: float) -> int:
    """Alarms over runs of windows, shape (runs, windows); the test starts anew with each run."""
    alarms = 0
    for run in s:
        test.reset()
        for k in run:
            if test.update(one(n, k), share=share):
                alarms += 1
                test.reset()
    return alarms


@pytest.mark.parametrize("side", [-1, 1])
def test_coverage_and_positive_rate_keep_their_budget_at_the_tolerance(side: int) -> None:
    """The true rate is off by exactly the tolerance; the reference is large."""
    rng, windows, share = np.random.default_rng(71), 25, 0.004
    for test, rate, tolerance in (
        (coverage_test(90_000, 100_000), 0.90, 0.05),
        (positive_rate_test(5_000, 100_000), 0.05, 0.02),
    ):
        s = rng.binomial(80, rate + side * tolerance, size=(RUNS, windows))
        assert alarms_of(test, 80, s, share) / RUNS <= limit_of(share * windows)


def test_sampled_reference_is_no_reason_to_alarm() -> None:
    """References of 300 labels, no tolerance, 40 windows at the true rate."""
    rng, alarms, share, windows = np.random.default_rng(72), 0, 0.004, 40
    for k in rng.binomial(300, 0.3, size=200):
        test = positive_rate_test(int(k), 300, tolerance=0.0)
        alarms += alarms_of(test, 200, rng.binomial(200, 0.3, size=(1, windows)), share)
    assert alarms / 200 <= share * windows + 3 * math.sqrt(share * windows / 200)


@pytest.mark.parametrize("change", [0.8, 1.2])
def test_label_arrivals_keep_their_level_at_the_tolerance(change: float) -> None:
    """Expectations move with the hour, and labels come a fifth too often, or too seldom."""
    mu = np.broadcast_to(50 + 30 * np.sin(np.arange(120) / 4), (RUNS, 120))
    count = np.random.default_rng(73).poisson(change * mu)
    le = arrival_increments(count=count, mu=mu, tolerance=0.2)
    assert ever_alarms(le) <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def test_control_labels_in_batches_without_their_dispersion() -> None:
    """Batches of five: taken as single labels they alarm in most runs; tempered they do not."""
    mu, rng = 50.0, np.random.default_rng(74)
    count = 5 * rng.poisson(mu / 5, size=(RUNS, 100))
    assert ever_alarms(arrival_increments(count=count, mu=mu)) > 0.5
    tempered = arrival_increments(count=count, mu=mu, dispersion=5.0)
    assert ever_alarms(tempered) <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


@pytest.mark.parametrize(("rate", "hours"), [(0.0, 2), (0.5, 3), (1.5, 4)])
def test_labels_that_stop_or_flood_are_found_within_hours(rate: float, hours: int) -> None:
    """50 labels an hour stop, halve, or come half as often again, after 1,000 healthy hours."""
    rng, detector = np.random.default_rng(75), BudgetedESR(bets=ARRIVAL_BETS)
    for count in rng.poisson(50, size=1_000):
        assert not detector.update(arrival_increments(count=count, mu=50.0), share=1e-5)
    found = [
        detector.update(arrival_increments(count=count, mu=50.0), share=1e-5)
        for count in rng.poisson(50 * rate, size=hours)
    ]
    assert found[-1]


def test_settings_of_arrivals_that_cannot_work_are_refused() -> None:
    """The message names the setting."""
    with pytest.raises(ConfigurationError, match="tolerance is 1"):
        arrival_increments(count=1, mu=1.0, tolerance=1.0)
    with pytest.raises(ConfigurationError, match="mu is 0"):
        arrival_increments(count=1, mu=0.0)


def test_control_label_mix_by_hour_of_arrival() -> None:
    """Positives take ten windows, negatives none: arrivals alarm on a healthy cohort."""
    rng, reference = np.random.default_rng(76), (2_000, 10_000)
    positives = rng.binomial(200, 0.2, size=30)
    by_cohort, by_arrival = positive_rate_test(*reference), positive_rate_test(*reference)
    late = np.concatenate([np.zeros(10, np.int64), positives[:-10]])
    negatives = 200 - positives
    cohort = [by_cohort.update(one(200, k), share=1e-3) for k in positives]
    arrival = [
        by_arrival.update(one(int(k + m), k), share=1e-3)
        for k, m in zip(late, negatives, strict=True)
    ]
    assert not any(cohort)
    assert any(arrival[:10])
    assert by_arrival.leading == (0, "below")


def test_label_mix_names_the_class_that_grew() -> None:
    """Class 2 goes from 10 % to 25 % at the cost of class 0: found in five windows of 200."""
    rng, test = np.random.default_rng(77), label_share_test([5_000, 4_000, 1_000])
    for counts in rng.multinomial(200, [0.5, 0.4, 0.1], size=50):
        assert not test.update(class_rates(counts), share=1e-3)
    found = [
        test.update(class_rates(counts), share=1e-3)
        for counts in rng.multinomial(200, [0.35, 0.4, 0.25], size=5)
    ]
    assert any(found)
    assert test.leading == (2, "above")


def test_disagreement_by_hand() -> None:
    """Full agreement, full disagreement, guessing, nothing known; tables add."""
    tables = np.array([[[30, 0], [0, 70]], [[0, 50], [50, 0]], [[25, 25], [25, 25]], [[0] * 2] * 2])
    found = disagreement(tables)
    assert found.rate[:3].tolist() == [0.0, 1.0, 0.5]
    assert found.kappa[:3].tolist() == [1.0, -1.0, 0.0]
    assert np.isnan([part[3] for part in found]).all()
    assert (found.low[:3] <= found.rate[:3]).all()
    assert (found.rate[:3] <= found.high[:3]).all()
    assert np.isnan(disagreement([[9, 0], [0, 0]]).kappa)
    assert float(disagreement(tables[0] + tables[2]).rate) == 0.25
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        disagreement(np.ones((2, 3)))


def test_disagreement_keeps_its_budget_and_is_found() -> None:
    """Exactly at the budget for ever; twice the budget within eight windows of 50."""
    rng, windows, share = np.random.default_rng(78), 25, 0.004
    test = disagreement_test(budget=0.15)
    s = rng.binomial(50, 0.15, size=(RUNS, windows))
    assert alarms_of(test, 50, s, share) / RUNS <= limit_of(share * windows)
    test.reset()
    assert any(test.update(one(50, k), share=1e-3) for k in rng.binomial(50, 0.30, size=8))
    with pytest.raises(ConfigurationError, match="budget is 0"):
        disagreement_test(budget=0.0)


FLIPS = {"crm": (400, 20_000), "review": (3_000, 30_000), "import": (0, 5_000)}


def test_flips_of_all_sources_together_keep_one_budget() -> None:
    """Every source exactly at its reference and its tolerance, in 1,000 runs."""
    rng, windows, share, alarms = np.random.default_rng(79), 15, 0.004, 0
    test = FlipTest(FLIPS)
    rate = {"crm": 0.04, "review": 0.12, "import": 0.02, "new": 0.08}
    draws = {name: rng.binomial(60, p, size=(RUNS, windows)) for name, p in rate.items()}
    for run in range(RUNS):
        test.reset()
        for w in range(windows):
            window = {name: (int(k[run, w]), 60) for name, k in draws.items()}
            if test.update(window, share=share):
                alarms += 1
                test.reset()
    assert alarms / RUNS <= limit_of(share * windows)


@pytest.mark.parametrize("name", ["crm", "import", "new"])
def test_a_source_that_turns_labels_round_is_named(name: str) -> None:
    """Three in ten of its feedback are flips; the other sources stay as they were."""
    rng, test = np.random.default_rng(80), FlipTest(FLIPS)
    steady = {"crm": 0.02, "review": 0.10, "import": 0.0}
    found = False
    for w in range(60):
        rates = steady if w < 50 else {**steady, name: 0.3}
        window = {source: (int(rng.binomial(50, p)), 50) for source, p in rates.items()}
        found = test.update(window, share=1e-3)
        assert not (found and w < 50)
        if found:
            break
    assert found
    assert test.leading == (OTHERS if name == "new" else name)


def test_flips_restart_exactly_and_ignore_silent_sources() -> None:
    """State through JSON continues exactly; a window without feedback changes nothing."""
    whole, cut = FlipTest(FLIPS), FlipTest(FLIPS)
    assert cut.leading is None
    for window in ({"crm": (4, 60)}, {"review": (9, 80), "new": (1, 9)}, {"import": (1, 50)}):
        state = json.loads(json.dumps(cut.state(), allow_nan=False))
        cut = FlipTest.restore(FLIPS, state)
        assert cut.update(window, share=1e-3) == whole.update(window, share=1e-3)
        assert (cut.state(), cut.log_m) == (whole.state(), whole.log_m)
    before = cut.state()
    assert not cut.update({}, share=1e-3)
    assert not cut.update({"crm": (0, 0)}, share=1e-3)
    assert cut.state() == before
    cut.reset()
    assert cut.state() == []


def test_sources_that_cannot_be_tested_are_refused() -> None:
    """No source at all, one without feedback, more flips than feedback."""
    with pytest.raises(ConfigurationError, match="names no source"):
        FlipTest({})
    with pytest.raises(ConfigurationError, match="no reference events"):
        FlipTest({"crm": (0, 0), "review": (1, 10)})
    with pytest.raises(ValueError, match="has 5 of 4"):
        FlipTest(FLIPS).update({"crm": (5, 4)}, share=0.1)
    with pytest.raises(ValueError, match="does not fit"):
        FlipTest.restore({"crm": (1, 10)}, [0.0])
