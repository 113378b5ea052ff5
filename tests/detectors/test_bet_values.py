"""Known answers, algebra and fairness of the bets."""

import itertools
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.bets import binary, bounded, paired, poisson, two_sample
from detectors.bets.grid import FRACTIONS, K, log_mean_exp, psi
from schemas.errors import ConfigurationError

Harm = Literal["harm", "benefit"]


def lme(le: np.ndarray) -> float:
    return float(log_mean_exp(le))


def test_binary_known_answers() -> None:
    """Hand-computed values of both directions."""
    assert lme(binary.increments(n=1_000, s=80, m=0.05)) == pytest.approx(5.773949, abs=1e-6)
    assert lme(binary.increments(n=200, s=40, m=0.3, side="below")) == pytest.approx(
        2.723956, abs=1e-6
    )


def test_bounded_known_answer() -> None:
    """One bet of size 2 on four values, below the exact product of factors."""
    x, m, size = np.array([0.1, 0.2, 0.15, 0.3]), 0.12, 2.0
    price = float(psi(size * m)) / m**2 * float(((x - m) ** 2).sum())
    assert size * (x - m).sum() - price == pytest.approx(0.444103, abs=1e-6)
    assert np.log1p(size * (x - m)).sum() == pytest.approx(0.473352, abs=1e-6)
    le = bounded.increments(n=4, s=x.sum(), q=(x**2).sum(), m=m)
    for k, fraction in enumerate(FRACTIONS):
        bet = fraction / m
        exact = np.log1p(bet * (x - m)).sum()
        direct = bet * (x - m).sum() - float(psi(fraction)) / m**2 * ((x - m) ** 2).sum()
        assert le[k] == pytest.approx(direct, abs=1e-12)
        assert le[k] <= exact


def test_two_sample_binary_known_answers() -> None:
    """The mixture, and one bet of each direction."""
    mixture = two_sample.increments_binary(n_c=1_000, k_c=30, n_b=9_000, k_b=180, b0=0.02, d=0.0)
    assert lme(mixture) == pytest.approx(0.648303, abs=1e-6)
    sums = {"n_c": 1_000, "n_b": 4_000, "k_b": 205, "b0": 0.05, "d": 0.01}
    harm = two_sample.increments_binary(k_c=80, side="harm", **sums)
    benefit = two_sample.increments_binary(k_c=52, side="benefit", **sums)
    assert harm[3] == pytest.approx(2.273335, abs=1e-6)
    assert benefit[3] == pytest.approx(0.474895, abs=1e-6)


def test_two_sample_bounded_known_answers() -> None:
    """One bet of each direction."""
    sums = {"n_c": 100, "n_b": 300, "s_b": 90, "q_b": 33, "b0": 0.3, "d": 0.02}
    harm = two_sample.increments_bounded(s_c=36, q_c=15, side="harm", **sums)
    benefit = two_sample.increments_bounded(s_c=28, q_c=10, side="benefit", **sums)
    assert harm[2] == pytest.approx(1.325027, abs=1e-6)
    assert benefit[2] == pytest.approx(0.681086, abs=1e-6)


def test_paired_known_answer() -> None:
    """Agreement tells nothing at d = 0, so only discordant pairs count."""
    assert lme(paired.increments(n10=20, n01=5, n0=0)) == pytest.approx(2.466818, abs=1e-6)
    assert lme(paired.increments(n10=20, n01=5, n0=10_000)) == pytest.approx(2.466818, abs=1e-6)


def test_poisson_known_answer() -> None:
    """The mixture over nine rises."""
    assert lme(poisson.increments(count=260, mu=200.0)) == pytest.approx(5.983198, abs=1e-6)


@given(
    parts=st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=7),
    m=st.floats(0.01, 0.99),
)
def test_increments_of_parts_add_up(parts: list[tuple[int, float]], m: float) -> None:
    """Splitting a window at a fixed limit changes nothing."""
    n = np.array([float(count) for count, _ in parts])
    s = np.array([round(count * share) for count, share in parts], dtype=float)
    for side in ("above", "below"):
        whole = binary.increments(n=n.sum(), s=s.sum(), m=m, side=side)
        assert binary.increments(n=n, s=s, m=m, side=side).sum(axis=0) == pytest.approx(
            whole, abs=1e-8
        )
        whole = bounded.increments(n=n.sum(), s=s.sum(), q=s.sum(), m=m, side=side)
        pieces = bounded.increments(n=n, s=s, q=s, m=m, side=side).sum(axis=0)
        assert pieces == pytest.approx(whole, rel=1e-9, abs=1e-6)


def test_streams_on_leading_axes_are_computed_together() -> None:
    """A batch equals its rows one by one, and an empty window or arm gives zeros."""
    n, s = np.array([[0, 100], [50, 10]]), np.array([[0, 9], [3, 0]])
    together = binary.increments(n=n, s=s, m=np.array([0.05, 0.1]))
    assert together.shape == (2, 2, K)
    assert not together[0, 0].any()
    assert together[1, 1].tolist() == binary.increments(n=10, s=0, m=0.1).tolist()
    arms = two_sample.increments_binary(
        n_c=[0, 10, 10], k_c=[0, 1, 1], n_b=[10, 0, 90], k_b=[1, 0, 9], b0=0.1, d=0.0
    )
    assert not arms[:2].any()
    assert arms[2].any()
    loss = two_sample.increments_bounded(
        n_c=[0, 10], s_c=[0, 1], q_c=[0, 1], n_b=[9, 0], s_b=[1, 0], q_b=[1, 0], b0=0.1, d=0.0
    )
    assert not loss.any()


@pytest.mark.parametrize("side", ["harm", "benefit"])
@pytest.mark.parametrize(("d", "r"), [(0.0, 0.8), (0.05, 1.0), (-0.05, 1.0), (0.0, 1.2)])
@pytest.mark.parametrize(("n_c", "n_b"), [(4, 6), (2, 9)])
def test_two_sample_bet_is_fair_at_every_null(
    side: Harm, d: float, r: float, n_c: int, n_b: int
) -> None:
    """By enumeration: no null hypothesis and no guess b0 gives expected wealth above 1."""
    k_c, k_b = np.meshgrid(np.arange(n_c + 1), np.arange(n_b + 1), indexing="ij")
    worst = 0.0
    grid = np.linspace(0.0, 1.0, 21)
    for b0 in (0.02, 0.3, 0.9):
        wealth = np.exp(
            two_sample.increments_binary(
                n_c=np.full_like(k_c, n_c),
                k_c=k_c,
                n_b=np.full_like(k_b, n_b),
                k_b=k_b,
                b0=b0,
                d=d,
                r=r,
                side=side,
            )
        )
        for mu_c, mu_b in itertools.product(grid, grid):
            gap = mu_c - r * mu_b - d
            if (gap > 1e-12) if side == "harm" else (gap < -1e-12):
                continue
            chance = np.outer(
                stats.binom.pmf(np.arange(n_c + 1), n_c, mu_c),
                stats.binom.pmf(np.arange(n_b + 1), n_b, mu_b),
            )
            worst = max(worst, float((chance[..., None] * wealth).sum(axis=(0, 1)).max()))
    assert worst <= 1.0 + 1e-9


def test_one_event_bets_are_fair_at_the_limit() -> None:
    """B1, B2, B4 and B5 have expected wealth of at most 1 exactly at their limit."""
    for m, side in itertools.product((0.01, 0.3, 0.9), ("above", "below")):
        le = binary.increments(n=1, s=[1, 0], m=m, side=side)
        assert np.allclose(np.array([m, 1 - m]) @ np.exp(le), 1.0)
        x = np.array([0.0, m / 2, (1 + m) / 2])
        # Weights on three points with mean m.
        high = m / 2 / ((1 + m) / 2)
        law = np.array([1 - high - 0.5, 0.5, high * (1 - 0.5)])
        law[2] = (m - 0.5 * m / 2) / ((1 + m) / 2)
        law[0] = 1 - law[1:].sum()
        if (law >= 0).all():
            le = bounded.increments(n=1, s=x, q=x**2, m=m, side=side)
            assert (law @ np.exp(le) <= 1 + 1e-12).all()
    for d, side in itertools.product((0.0, 0.02), ("harm", "benefit")):
        le = paired.increments(n10=[1, 0, 0], n01=[0, 1, 0], n0=[0, 0, 1], d=d, side=side)
        law = np.array([0.05 + d, 0.05, 0.90 - d])
        assert np.allclose(law @ np.exp(le), 1.0)
    counts = np.arange(200)
    for side in ("above", "below"):
        le = poisson.increments(count=counts, mu=20.0, side=side)
        assert stats.poisson.pmf(counts, 20.0) @ np.exp(le) == pytest.approx(1.0, abs=1e-6)


def test_log_mean_exp_survives_extremes() -> None:
    """No overflow, no NaN, no warning."""
    assert float(log_mean_exp([5_000.0] * K)) == pytest.approx(5_000.0)
    assert float(log_mean_exp([-np.inf] * K)) == -np.inf
    assert float(log_mean_exp([0.0] + [-np.inf] * 11)) == pytest.approx(-np.log(12))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: binary.increments(n=1, s=1, m=0.0), "m is 0"),
        (lambda: binary.increments(n=1, s=1, m=[0.5, 1.0]), "m is 1"),
        (lambda: binary.increments(n=1, s=1, m=0.5, side="up"), "side is 'up'"),
        (lambda: bounded.increments(n=1, s=1, q=1, m=2.0), "m is 2"),
        (lambda: paired.increments(n10=1, n01=1, n0=1, d=1.0), "d is 1"),
        (lambda: poisson.increments(count=1, mu=0.0), "mu is 0"),
        (lambda: poisson.increments(count=1, mu=1.0, dispersion=0.5), "dispersion is 0.5"),
        (
            lambda: two_sample.increments_binary(n_c=1, k_c=1, n_b=1, k_b=1, b0=0.1, d=1.0),
            "leaves no room",
        ),
        (
            lambda: two_sample.increments_binary(n_c=1, k_c=1, n_b=1, k_b=1, b0=0.1, d=0.0, r=0.0),
            "r is 0",
        ),
    ],
)
def test_an_impossible_setting_is_refused_by_name(call, match: str) -> None:
    """The message names the setting and its value."""
    with pytest.raises(ConfigurationError, match=match):
        call()
