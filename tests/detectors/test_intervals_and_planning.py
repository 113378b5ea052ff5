"""Single-look intervals agree with independent implementations; plans are safe."""

import math

import numpy as np
import pytest
from scipy import stats

from detectors import intervals, planning
from detectors.bets import binary
from detectors.bets.grid import log_mean_exp
from schemas.errors import ConfigurationError


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (1, 50), (300, 1_000)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    """Also at both corners."""
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    low, high = intervals.wilson(k, n)
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_newcombe_published_values() -> None:
    """Two of the worked examples of Newcombe 1998, method 10."""
    for counts, expected in (
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ):
        low, high = intervals.newcombe(*counts)
        assert (float(low), float(high)) == pytest.approx(expected, abs=1e-4)


def test_clopper_pearson_known_answer_and_corners() -> None:
    """50 of 1,000 at 97.5 %; all or no events."""
    upper = intervals.clopper_pearson_upper
    assert upper(50, 1_000, alpha=0.025) == pytest.approx(0.065390, abs=1e-6)
    assert upper(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20), abs=1e-9)
    assert upper(20, 20) == upper(0, 0) == 1.0


def test_empirical_bernstein_covers_and_says_when_it_cannot() -> None:
    """The bound holds for a skewed law; below two values it is infinite."""
    rng = np.random.default_rng(91)
    x = rng.beta(0.5, 9.5, size=(1_000, 50))
    below = [
        intervals.empirical_bernstein_upper(50, float(row.sum()), float((row**2).sum())) < 0.05
        for row in x
    ]
    assert np.mean(below) <= 0.05
    assert intervals.empirical_bernstein_upper(1, 0.5, 0.25) == math.inf
    with pytest.raises(ConfigurationError, match="span is 0"):
        intervals.empirical_bernstein_upper(5, 1.0, 1.0, span=0.0)


def test_mean_interval_from_sums_is_that_from_values() -> None:
    """The usual normal interval."""
    x = np.random.default_rng(92).normal(3.0, 2.0, size=400)
    low, high = intervals.mean_interval(400, x.sum(), (x**2).sum())
    expected = stats.norm.interval(0.95, loc=x.mean(), scale=stats.sem(x))
    assert (float(low), float(high)) == pytest.approx(expected, abs=1e-9)


def test_nothing_known_is_nan() -> None:
    """Empty samples have no interval and raise nothing."""
    for ends in (
        intervals.wilson(0, 0),
        intervals.newcombe(0, 0, 1, 2),
        intervals.mean_interval(1, 0.5, 0.25),
    ):
        assert np.isnan([float(end) for end in ends]).all()


@pytest.mark.parametrize(("p", "m"), [(0.03, 0.02), (0.10, 0.05), (0.02, 0.06)])
def test_a_plan_suffices_for_most_runs(p: float, m: float) -> None:
    """With the planned events, more than half of the runs decide; with a tenth, few do."""
    needed = planning.needed_binary(p, m, 0.05)
    rng = np.random.default_rng(93)
    side = "above" if p > m else "below"
    for factor, low, high in ((1.0, 0.5, 1.0), (0.1, 0.0, 0.3)):
        n = math.ceil(needed * factor)
        log_e = log_mean_exp(binary.increments(n=n, s=rng.binomial(n, p, 1_000), m=m, side=side))
        assert low <= np.mean(log_e >= math.log(20)) <= high


def test_plans_shrink_with_evidence_and_know_the_impossible() -> None:
    """Evidence counts; at the limit no number of events decides."""
    fresh = planning.needed_binary(0.1, 0.05, 0.05)
    assert planning.needed_binary(0.1, 0.05, 0.05, log_e=2.0) < fresh
    assert planning.needed_binary(0.1, 0.05, 0.05, log_e=9.0) == 0.0
    assert planning.needed_binary(0.05, 0.05, 0.05) == math.inf
    assert planning.needed_difference(0.0, 0.05, 0.05, canary_share=0.2) == math.inf
    assert planning.needed_difference(
        0.05, 0.05, 0.05, canary_share=0.5
    ) < planning.needed_difference(0.05, 0.05, 0.05, canary_share=0.1)
    with pytest.raises(ConfigurationError, match=r"p is 1\.5"):
        planning.needed_binary(1.5, 0.05, 0.05)
