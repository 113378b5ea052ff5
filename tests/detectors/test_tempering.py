"""Tempered bets hold where events depend on each other and raw bets fail."""

import math

import numpy as np
import pytest

from detectors.bets import (
    ArmCounts,
    BinaryBet,
    BinarySums,
    BoundedBet,
    BoundedSums,
    ExpectedCount,
    PoissonBet,
    TemperedBet,
    TwoSampleBet,
    design_effect,
    dispersion,
    local_design_effect,
)
from detectors.bets.contract import Bet
from detectors.bets.grid import log_mean_exp
from schemas.errors import ConfigurationError

RUNS, WINDOWS, ALPHA = 1_000, 100, 0.05
LIMIT = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def ever_alarms(bet: Bet, sums: object) -> float:
    """Share of runs whose wealth ever reaches 1 / alpha; sums have shape (runs, windows)."""
    log_e = log_mean_exp(np.cumsum(bet.increments(sums), axis=1))
    return float(np.mean(log_e.max(axis=1) >= np.log(1 / ALPHA)))


def sticky(rho: float, seed: int, *, runs: int = RUNS, windows: int = WINDOWS) -> np.ndarray:
    """Sums over windows of 200 events, each event with chance rho a copy of the one before."""
    rng = np.random.default_rng(seed)
    sums, event = np.zeros((runs, windows)), rng.random(runs) < 0.05
    for window in range(windows):
        copied, fresh = rng.random((200, runs)) < rho, rng.random((200, runs)) < 0.05
        for step in range(200):
            event = np.where(copied[step], event, fresh[step])
            sums[:, window] += event
    return sums


@pytest.mark.parametrize(("size", "raw_fails"), [(1, False), (5, True), (20, True)])
def test_clusters_of_users_hold_their_level_when_tempered(size: int, raw_fails: bool) -> None:
    """Users with `size` equal outcomes: the raw bet fails above one, the tempered one holds."""
    users = np.random.default_rng(91).binomial(200 // size, 0.05, size=(RUNS, WINDOWS))
    sums, bet = BinarySums(n=np.full(users.shape, 200), s=size * users), BinaryBet(0.05)
    assert (ever_alarms(bet, sums) > 0.25) == raw_fails
    assert ever_alarms(TemperedBet(bet, g=size), sums) <= LIMIT


def test_clusters_of_different_sizes_hold_at_the_largest() -> None:
    """Sizes 1 to 12 at random, losses alike inside a user; the mean size is not enough."""
    rng = np.random.default_rng(92)
    sizes = rng.choice([1, 12], p=[0.5, 0.5], size=(RUNS, WINDOWS, 20))
    losses = rng.choice([0.0, 0.5, 1.0], p=[0.85, 0.1, 0.05], size=sizes.shape)
    n, s, q = sizes.sum(-1), (sizes * losses).sum(-1), (sizes * losses**2).sum(-1)
    sums, bet = BoundedSums(n=n, s=s, q=q), BoundedBet(0.1)
    assert ever_alarms(bet, sums) > 0.2
    assert ever_alarms(TemperedBet(bet, g=12), sums) <= LIMIT


@pytest.mark.parametrize("d", [0.0, 0.02])
def test_arms_of_returning_users_hold_at_the_largest(d: float) -> None:
    """Users of 1 or 10 equal outcomes in both arms, shares of each that differ by arm."""
    rng, shape = np.random.default_rng(90), (RUNS, 60)
    level = 0.08 + 0.05 * np.sin(np.arange(60) / 5)
    columns = {"b0": np.full(shape, 0.08)}
    for arm, often, rate in (("c", 0.7, level + d), ("b", 0.2, level)):
        sizes = rng.choice([10, 1], p=[often, 1 - often], size=(*shape, 20))
        columns[f"n_{arm}"] = sizes.sum(-1)
        columns[f"k_{arm}"] = (sizes * (rng.random(sizes.shape) < rate[:, None])).sum(-1)
    sums, bet = ArmCounts(**columns), TwoSampleBet(d)
    assert ever_alarms(bet, sums) > 0.25
    assert ever_alarms(TemperedBet(bet, g=10), sums) <= LIMIT


@pytest.mark.parametrize("side", ["above", "below"])
def test_batches_of_arrivals_hold_at_the_largest(side: str) -> None:
    """Poisson batches of 1 to 9 requests, 50 requests expected: no estimate is needed."""
    rng = np.random.default_rng(89)
    batches = rng.poisson(10, size=(RUNS, WINDOWS))
    count = batches + 8 * rng.binomial(batches, 0.5)
    sums, bet = ExpectedCount(count=count, mu=np.full(count.shape, 50.0)), PoissonBet(side=side)
    assert ever_alarms(bet, sums) > 0.25
    assert ever_alarms(TemperedBet(bet, g=9), sums) <= LIMIT


@pytest.mark.parametrize("side", ["above", "below"])
def test_one_cluster_of_any_law_has_expected_wealth_of_at_most_one(side: str) -> None:
    """By enumeration: g outcomes with any joint law at the limit, tempered by g."""
    rng, g, m = np.random.default_rng(93), 4, 0.3
    outcomes = ((np.arange(2**g)[:, None] >> np.arange(g)) & 1).sum(axis=1)
    bet = TemperedBet(BinaryBet(m, side=side), g=g)
    wealth = np.exp(bet.increments(BinarySums(n=np.full(2**g, g), s=outcomes)))
    for _ in range(200):
        law = rng.dirichlet(np.full(2**g, 0.2))
        mean = law @ outcomes / g
        # Mixed with "none" or "all" so that the mean is exactly the limit.
        corner, weight = (0, 1 - m / mean) if mean > m else (-1, 1 - (1 - m) / (1 - mean))
        law = (1 - weight) * law + weight * np.eye(2**g)[corner]
        assert law @ outcomes / g == pytest.approx(m)
        assert (law @ wealth <= 1 + 1e-12).all()


@pytest.mark.parametrize("rho", [0.3, 0.6])
def test_a_sticky_chain_holds_when_tempered_by_its_effect(rho: float) -> None:
    """By the known effect (1 + rho) / (1 - rho), and by the one estimated from a reference."""
    s = sticky(rho, seed=94)
    sums, bet = BinarySums(n=np.full(s.shape, 200), s=s), BinaryBet(0.05)
    assert ever_alarms(bet, sums) > LIMIT
    effect = (1 + rho) / (1 - rho)
    assert ever_alarms(TemperedBet(bet, g=effect), sums) <= LIMIT
    reference = sticky(rho, seed=95, runs=1, windows=1_000)[0]
    estimate = design_effect(n=np.full(1_000, 200), s=reference)
    assert estimate == pytest.approx(effect, rel=0.15)
    assert ever_alarms(TemperedBet(bet, g=estimate), sums) <= LIMIT


def test_levels_that_move_from_window_to_window_hold_when_tempered() -> None:
    """Random effects of .01 on .05 at 200 events: the effect is 1.42."""
    rng = np.random.default_rng(96)
    s = rng.binomial(200, np.clip(rng.normal(0.05, 0.01, size=(RUNS, 200)), 0.0, 1.0))
    estimate = design_effect(n=np.full(5_000, 200), s=s[:25].ravel())
    assert estimate == pytest.approx(1 + 199 * 0.01**2 / (0.05 * 0.95), rel=0.08)
    sums = BinarySums(n=np.full(s.shape, 200), s=s)
    assert ever_alarms(TemperedBet(BinaryBet(0.05), g=estimate), sums) <= LIMIT


def test_overdispersed_counts_hold_when_tempered_by_their_dispersion() -> None:
    """Five times the Poisson variance, estimated from reference hours."""
    rng = np.random.default_rng(97)
    count = rng.negative_binomial(50 / 4, 1 / 5, size=(RUNS, WINDOWS))
    estimate = dispersion(rng.negative_binomial(50 / 4, 1 / 5, size=1_000))
    assert estimate == pytest.approx(5.0, rel=0.15)
    sums = ExpectedCount(count=count, mu=np.full(count.shape, 50.0))
    assert ever_alarms(PoissonBet(), sums) > 0.25
    tempered = TemperedBet(PoissonBet(), g=estimate)
    assert ever_alarms(tempered, sums) <= LIMIT
    direct = PoissonBet(dispersion=estimate).increments(sums)
    assert np.allclose(tempered.increments(sums), direct, rtol=1e-12)


def test_the_effect_is_that_of_the_formula() -> None:
    """Windows of one size: variance of the means, times n, over p (1 - p); squares likewise."""
    rng = np.random.default_rng(98)
    s = 5 * rng.binomial(40, 0.2, size=60)
    p = s.sum() / (60 * 200)
    expected = (s / 200).var(ddof=1) * 200 / (p * (1 - p))
    n = np.full(60, 200)
    assert design_effect(n=n, s=s) == pytest.approx(expected, abs=1e-9)
    assert design_effect(n=n, s=0.5 * s, q=0.25 * s) == pytest.approx(expected, abs=1e-9)
    empty = design_effect(n=np.append(n, 0), s=np.append(s, 0))
    assert empty == pytest.approx(expected, abs=1e-9)


def test_the_effect_stays_between_independence_and_one_observation_a_window() -> None:
    """Windows that agree too well give 1, windows of all or nothing give their size."""
    assert design_effect(n=[100] * 6, s=[50] * 6) == 1.0
    assert design_effect(n=[100] * 6, s=[0, 100] * 3) == 100.0
    assert design_effect(n=[100] * 6, s=[0] * 6) == 1.0
    assert dispersion([20] * 5) == 1.0


def test_a_season_is_not_taken_for_dependence() -> None:
    """Hours of their own level: large without slots, about 1 with them."""
    rng, hour = np.random.default_rng(99), np.tile(np.arange(24), 30)
    level = 0.10 + 0.08 * np.sin(2 * np.pi * hour / 24)
    n = rng.integers(100, 300, size=hour.size)
    s = rng.binomial(n, level)
    assert design_effect(n=n, s=s) > 5
    assert design_effect(n=n, s=s, slot=hour) == pytest.approx(1.0, abs=0.15)
    count = rng.poisson(1_000 * level)
    assert dispersion(count) > 5
    assert dispersion(count, slot=hour) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("g", [0.5, np.nan, np.inf])
def test_a_cluster_size_that_is_none_is_refused(g: float) -> None:
    """The message names it."""
    with pytest.raises(ConfigurationError, match=f"g is {g:g}"):
        TemperedBet(BinaryBet(0.05), g=g)


def test_reference_windows_that_cannot_tell_are_refused() -> None:
    """Too few for their slots, of another shape, or unknown."""
    with pytest.raises(ValueError, match="1 reference windows for 1 slots"):
        design_effect(n=[10], s=[1])
    with pytest.raises(ValueError, match="4 reference windows for 3 slots"):
        dispersion([4, 5, 6, 7], slot=[0, 1, 2, 2])
    with pytest.raises(ValueError, match="shapes"):
        design_effect(n=[10, 10, 10], s=[1, 2])
    with pytest.raises(ValueError, match="nan"):
        dispersion([4.0, np.nan, 6.0])


def test_scatter_from_window_to_window_is_found_and_a_moving_level_is_not() -> None:
    """Random effects count as in `design_effect`; a trend and a step count for nothing."""
    rng = np.random.default_rng(8)
    n = np.full(2_000, 200)
    effects = rng.binomial(200, np.clip(rng.normal(0.05, 0.015, 2_000), 0.001, 1))
    assert local_design_effect(n=n, s=effects) == pytest.approx(
        design_effect(n=n, s=effects), rel=0.1
    )
    for level in (np.linspace(0.05, 0.2, 2_000), np.where(np.arange(2_000) < 1_000, 0.05, 0.2)):
        moving = rng.binomial(200, level)
        assert local_design_effect(n=n, s=moving) < 1.15
        assert design_effect(n=n, s=moving) > 3


def test_scatter_within_chance_costs_nothing() -> None:
    """Of references of independent rows, about one in a hundred is taken for more."""
    rng = np.random.default_rng(9)
    found = [
        local_design_effect(n=np.full(40, 200), s=rng.binomial(200, 0.1, 40)) for _ in range(1_000)
    ]
    share = np.mean(np.array(found) > 1.0)
    assert share <= 0.02 + 3 * math.sqrt(0.02 * 0.98 / 1_000)
