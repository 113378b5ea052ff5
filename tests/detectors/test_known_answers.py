"""Known answers that other tests of the detectors do not hold."""

import numpy as np
import pytest
from scipy import stats

from detectors.bets import paired, two_sample
from detectors.bets.grid import FRACTIONS, log_mean_exp
from detectors.drift.bh import e_from_p


@pytest.mark.parametrize(
    ("n_c", "n_b", "b0", "d", "side", "place", "size"),
    [
        (1_000, 4_000, 0.05, 0.01, "harm", 3, 0.05263158),
        (1_000, 4_000, 0.05, 0.01, "benefit", 3, 0.01329787),
        (100, 300, 0.3, 0.02, "harm", 2, 0.09765625),
        (100, 300, 0.3, 0.02, "benefit", 2, 0.04595588),
    ],
)
def test_sizes_of_two_sample_bets(
    n_c: int, n_b: int, b0: float, d: float, side: str, place: int, size: float
) -> None:
    """Read off what one more bad event of the canary wins: solved for A."""
    le = [
        two_sample.increments_binary(n_c=n_c, k_c=k, n_b=n_b, k_b=1, b0=b0, d=d, side=side)[place]
        for k in (0, 1)
    ]
    factor, centre = np.exp(le[1] - le[0]), b0 + d
    bet = (factor - 1) / (1 - centre + centre * factor)
    assert abs(bet) * n_c / (n_c + n_b) == pytest.approx(size, abs=1e-8)


def test_one_bet_of_the_two_sample_test_by_its_formula() -> None:
    """Harm, fourth bet, from the size above."""
    w_c, w_b, b0, d = 0.2, 0.8, 0.05, 0.01
    a, b = 0.05263158 / w_c, 0.05263158 / w_b
    c0 = b0 + d
    harm = 80 * np.log1p(a * (1 - c0)) + 920 * np.log1p(-a * c0)
    harm += 205 * np.log1p(-b * (1 - b0)) + 3_795 * np.log1p(b * b0)
    assert harm == pytest.approx(2.273335, abs=1e-5)
    got = two_sample.increments_binary(n_c=1_000, k_c=80, n_b=4_000, k_b=205, b0=b0, d=d)
    assert got[3] == pytest.approx(harm, abs=1e-5)
    assert FRACTIONS[3] == 1 / 16


def test_evidence_of_pairs_is_weaker_than_the_exact_test_of_one_look() -> None:
    """20 against 5: the exact one-sided p is .00204; its anytime counterpart must be larger."""
    exact = stats.binomtest(20, 25, 0.5, alternative="greater").pvalue
    assert exact == pytest.approx(0.00204, abs=5e-6)
    log_e = float(log_mean_exp(paired.increments(n10=20, n01=5, n0=0)))
    assert exact < np.exp(-log_e) < 0.1


def test_e_value_of_a_p_value() -> None:
    """0.5 / sqrt(p)."""
    assert float(e_from_p(1e-4)) == pytest.approx(50.0, abs=1e-6)
