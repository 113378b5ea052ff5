"""Detectors that stand beside the recommended ones keep what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from detectors.bets import beta_mixture, binary
from detectors.bets.grid import log_mean_exp
from detectors.drift import e_lond
from detectors.drift.bh import e_from_p, e_from_p_mixture
from detectors.sequential import e_cusum, e_sr
from schemas.errors import ConfigurationError


def test_beta_mixture_is_the_integral_over_its_prior() -> None:
    """By quadrature of the likelihood ratio over rates above the limit."""
    n, s, m = 200, 17, 0.05
    prior = stats.beta(1, 1 / m - 1)

    def ratio(q: float) -> float:
        return float(np.exp(s * np.log(q / m) + (n - s) * np.log((1 - q) / (1 - m))) * prior.pdf(q))

    mass, _ = integrate.quad(ratio, m, 1, points=[s / n], limit=200)
    expected = math.log(mass / prior.sf(m))
    assert beta_mixture.log_e(n=n, s=s, m=m) == pytest.approx(expected, abs=1e-6)


def test_beta_mixture_keeps_its_level() -> None:
    """At the limit, with 40 looks in each of 1,000 runs."""
    rng = np.random.default_rng(11)
    bad = np.cumsum(rng.binomial(100, 0.05, (1_000, 40)), axis=1)
    alarms = [
        any(
            beta_mixture.log_e(n=100 * (look + 1), s=int(s), m=0.05) >= math.log(20)
            for look, s in enumerate(run)
        )
        for run in bad
    ]
    assert np.mean(alarms) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1_000)


def test_e_cusum_runs_at_least_as_long_as_promised() -> None:
    """Mean time to an alarm at a wealth of 50 is at least 50 windows, at the limit."""
    rng = np.random.default_rng(5)
    runs, windows, c = 1_000, 400, 50.0
    bad = rng.binomial(100, 0.05, (windows, runs))
    wealth = np.zeros((runs, binary.FRACTIONS.size))
    first = np.full(runs, windows)
    for window in range(windows):
        wealth = e_cusum.step(wealth, binary.increments(n=100, s=bad[window], m=0.05))
        hit = (log_mean_exp(wealth) >= math.log(c)) & (first == windows)
        first[hit] = window + 1
    assert first.mean() >= c


def test_e_sr_is_no_slower_than_e_cusum() -> None:
    """The same change at the same promise, after a healthy time."""
    rng = np.random.default_rng(6)
    runs, c = 300, 1_000.0
    delays = {}
    for name in ("sr", "cusum"):
        start = -np.inf if name == "sr" else 0.0
        wealth = np.full((runs, binary.FRACTIONS.size), start)
        found = np.full(runs, 60)
        for window in range(90):
            rate = 0.03 if window < 30 else 0.08
            le = binary.increments(n=200, s=rng.binomial(200, rate, runs), m=0.05)
            if name == "sr":
                wealth = e_sr.step(wealth, le, log_share=0.0)
            else:
                wealth = e_cusum.step(wealth, le)
            hit = (log_mean_exp(wealth) >= math.log(c)) & (found == 60) & (window >= 30)
            found[hit] = window - 29
        delays[name] = found.mean()
    assert delays["sr"] <= delays["cusum"] + 0.1


def test_e_lond_spends_no_more_than_alpha_on_nothing() -> None:
    """Without rejections the levels sum to at most alpha, and one gives back."""
    levels = [e_lond.level(test, 0, 0.05) for test in range(1, 10_000)]
    assert 0.0499 < sum(levels) <= 0.05
    assert e_lond.level(2, 1) == 2 * e_lond.level(2, 0)
    with pytest.raises(ConfigurationError, match="test 2 after 2 rejections"):
        e_lond.level(2, 2)


def test_e_values_of_p_values_average_at_most_one() -> None:
    """For a uniform p-value p = exp(-t), over all but the smallest 1e-13; both forms."""
    t = np.linspace(1e-6, 30, 200_001)
    for form in (e_from_p, e_from_p_mixture):
        mean = integrate.trapezoid(form(np.exp(-t)) * np.exp(-t), t)
        assert 0.9 < mean <= 1.0 + 1e-6
