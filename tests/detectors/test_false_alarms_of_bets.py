"""Simulated false alarms with a look after every window, 1,000 runs, fixed seeds.

Each null hypothesis sits on its boundary, where it is hardest to keep. The controls at the end
break a condition on purpose and must be caught alarming too often.
"""

import math

import numpy as np
import pytest

from detectors.bets import binary, bounded, paired, poisson, two_sample
from detectors.bets.grid import log_mean_exp

RUNS = 1_000
ALPHA = 0.05
LIMIT = ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def ever_alarms(le: np.ndarray) -> float:
    """Share of runs whose wealth ever reaches 1 / alpha; `le` has shape (runs, windows, bets)."""
    log_e = log_mean_exp(np.cumsum(le, axis=1))
    return float(np.mean(log_e.max(axis=1) >= math.log(1 / ALPHA)))


def moments(
    rng: np.random.Generator, n: np.ndarray, points: list[float], mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum and sum of squares of `n` draws on three points 0, x, 1 with the given mean."""
    x = points[1]
    middle = 0.5 * np.ones_like(mean)
    high = mean - middle * x
    law = np.stack([1 - middle - high, middle, high], axis=-1)
    seen = rng.multinomial(n, law)
    return seen[..., 1] * x + seen[..., 2], seen[..., 1] * x * x + seen[..., 2]


@pytest.mark.parametrize(("p", "n"), [(0.02, 100), (0.3, 20)])
@pytest.mark.parametrize("side", ["above", "below"])
def test_binary_bet_keeps_its_level(p: float, n: int, side: str) -> None:
    """A rate exactly at its limit."""
    s = np.random.default_rng(11).binomial(n, p, size=(RUNS, 200))
    assert ever_alarms(binary.increments(n=n, s=s, m=p, side=side)) <= LIMIT


@pytest.mark.parametrize("side", ["above", "below"])
def test_bounded_bet_keeps_its_level(side: str) -> None:
    """A mean exactly at its limit, with mass at both bounds."""
    rng = np.random.default_rng(12)
    n = np.full((RUNS, 150), 50)
    s, q = moments(rng, n, [0.0, 0.1, 1.0], np.full(n.shape, 0.1))
    assert ever_alarms(bounded.increments(n=n, s=s, q=q, m=0.1, side=side)) <= LIMIT


class Swinging:
    """Two arms whose common level and whose split swing from window to window."""

    windows = 100

    def __init__(self, seed: int, d: float = 0.0, r: float = 1.0) -> None:
        self.rng = np.random.default_rng(seed)
        time = np.arange(self.windows)
        level = 0.05 + 0.04 * np.sin(time / 5)
        split = 0.3 + 0.25 * np.sin(time / 7)
        self.n_c = np.broadcast_to(np.round(500 * split).astype(int), (RUNS, self.windows))
        self.n_b = 500 - self.n_c
        self.mu_b = np.broadcast_to(level, self.n_c.shape)
        self.mu_c = r * self.mu_b + d

    def earlier_mean(self, sums: np.ndarray) -> np.ndarray:
        """Baseline mean of the windows before, 0.05 at the first."""
        total = np.cumsum(sums, axis=1) - sums
        count = np.cumsum(self.n_b, axis=1) - self.n_b
        return np.where(count > 0, total / np.maximum(count, 1), 0.05)


@pytest.mark.parametrize("side", ["harm", "benefit"])
@pytest.mark.parametrize(("d", "r"), [(0.0, 1.0), (0.01, 1.0), (0.0, 1.2)])
def test_two_sample_binary_bet_keeps_its_level(side: str, d: float, r: float) -> None:
    """Exactly at the margin, while level and split swing."""
    arms = Swinging(13, d, r)
    k_c, k_b = arms.rng.binomial(arms.n_c, arms.mu_c), arms.rng.binomial(arms.n_b, arms.mu_b)
    le = two_sample.increments_binary(
        n_c=arms.n_c, k_c=k_c, n_b=arms.n_b, k_b=k_b, b0=arms.earlier_mean(k_b), d=d, r=r, side=side
    )
    assert ever_alarms(le) <= LIMIT


@pytest.mark.parametrize("side", ["harm", "benefit"])
@pytest.mark.parametrize("d", [0.0, 0.02])
def test_two_sample_bounded_bet_keeps_its_level(side: str, d: float) -> None:
    """The same for a bounded loss."""
    arms = Swinging(14, d)
    s_c, q_c = moments(arms.rng, arms.n_c, [0.0, 0.02, 1.0], np.asarray(arms.mu_c))
    s_b, q_b = moments(arms.rng, arms.n_b, [0.0, 0.02, 1.0], np.asarray(arms.mu_b))
    le = two_sample.increments_bounded(
        n_c=arms.n_c,
        s_c=s_c,
        q_c=q_c,
        n_b=arms.n_b,
        s_b=s_b,
        q_b=q_b,
        b0=arms.earlier_mean(s_b),
        d=d,
        side=side,
    )
    assert ever_alarms(le) <= LIMIT


@pytest.mark.parametrize(("d", "side"), [(0.0, "harm"), (0.01, "harm"), (0.01, "benefit")])
def test_paired_bet_keeps_its_level(d: float, side: str) -> None:
    """Discordant pairs exactly at the margin."""
    law = [0.02 + d, 0.02, 0.96 - d]
    seen = np.random.default_rng(15).multinomial(100, law, size=(RUNS, 150))
    le = paired.increments(n10=seen[..., 0], n01=seen[..., 1], n0=seen[..., 2], d=d, side=side)
    assert ever_alarms(le) <= LIMIT


@pytest.mark.parametrize("side", ["above", "below"])
def test_poisson_bet_keeps_its_level(side: str) -> None:
    """Counts around an expectation that moves with the hour."""
    mu = np.broadcast_to(50 + 30 * np.sin(np.arange(150) / 4), (RUNS, 150))
    count = np.random.default_rng(16).poisson(mu)
    assert ever_alarms(poisson.increments(count=count, mu=mu, side=side)) <= LIMIT


def test_power_is_not_given_away() -> None:
    """Nine in ten runs find twice the budgeted rate within 600 events."""
    rng = np.random.default_rng(17)
    le = binary.increments(n=100, s=rng.binomial(100, 0.10, size=(RUNS, 6)), m=0.05)
    assert ever_alarms(le) >= 0.9


def small_arms(seed: int) -> dict[str, np.ndarray]:
    """Equal rates, 5 canary and 20 baseline events a window, 300 windows."""
    rng, shape = np.random.default_rng(seed), (RUNS, 300)
    return {
        "n_c": np.full(shape, 5),
        "k_c": rng.binomial(5, 0.05, shape),
        "n_b": np.full(shape, 20),
        "k_b": rng.binomial(20, 0.05, shape),
    }


def test_control_guess_of_the_baseline_picked_after_the_window() -> None:
    """A b0 picked with the outcomes in hand alarms in most runs; a fixed one does not."""
    sums = small_arms(18)
    worse = sums["k_c"] / sums["n_c"] > sums["k_b"] / sums["n_b"]
    picked = np.where(worse, 0.05, 0.99)
    assert ever_alarms(two_sample.increments_binary(b0=picked, d=0.0, **sums)) > 0.5
    assert ever_alarms(two_sample.increments_binary(b0=0.05, d=0.0, **sums)) <= LIMIT


def test_control_bet_size_picked_after_the_window() -> None:
    """The best of the K bets of each window, picked afterwards, alarms always."""
    le = two_sample.increments_binary(b0=0.05, d=0.0, **small_arms(22))
    assert ever_alarms(le.max(axis=-1, keepdims=True)) > 0.95


def test_control_peeked_z_test() -> None:
    """The usual z test, looked at after every window, alarms many times its level."""
    k = np.cumsum(np.random.default_rng(19).binomial(100, 0.05, size=(RUNS, 200)), axis=1)
    n = 100 * np.arange(1, 201)
    z = (k - n * 0.05) / np.sqrt(n * 0.05 * 0.95)
    assert np.mean((z > 1.645).any(axis=1)) > 0.25


@pytest.mark.parametrize("size", [5, 20])
def test_clusters_alarm_unless_tempered_by_their_size(size: int) -> None:
    """Users with `size` equal outcomes each: raw bets fail, bets over `size` hold."""
    users = np.random.default_rng(20).binomial(200 // size, 0.05, size=(RUNS, 100))
    le = binary.increments(n=200, s=size * users, m=0.05)
    assert ever_alarms(le) > 0.25
    assert ever_alarms(le / size) <= LIMIT


def test_overdispersed_counts_alarm_unless_tempered() -> None:
    """Counts with five times the Poisson variance: raw bets fail, tempered ones hold."""
    rng = np.random.default_rng(21)
    count = rng.negative_binomial(50 / 4, 1 / 5, size=(RUNS, 100))
    assert ever_alarms(poisson.increments(count=count, mu=50.0)) > 0.25
    assert ever_alarms(poisson.increments(count=count, mu=50.0, dispersion=5.0)) <= LIMIT
