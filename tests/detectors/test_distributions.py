"""The distribution functions agree with scipy."""

import numpy as np
import pytest
from scipy import stats

from detectors import distributions
from schemas.errors import ConfigurationError


@pytest.mark.parametrize("df", [1, 2, 9, 19, 55, 390])
def test_chi_square_tail_agrees_with_scipy(df: int) -> None:
    """Tails agree relatively, from the middle to 1e-30, across series and fraction."""
    x = np.concatenate([np.linspace(0.01, 3 * df, 50), [df + 1.0, df + 2.0, df + 150.0]])
    assert distributions.chi2_sf(x, df) == pytest.approx(stats.chi2.sf(x, df), rel=1e-9)


@pytest.mark.parametrize("df", [1, 2, 9, 19, 390])
@pytest.mark.parametrize("alpha", [0.99, 0.5, 0.05, 0.01, 1e-6, 1e-12])
def test_chi_square_quantile_agrees_with_scipy(df: int, alpha: float) -> None:
    """Quantiles agree far into the tail, where budgets are spent."""
    assert distributions.chi2_isf(alpha, df) == pytest.approx(stats.chi2.isf(alpha, df), rel=1e-9)


def test_chi_square_edges() -> None:
    """No freedom is p = 1, nothing above 0 is p = 1, and NaN stays NaN."""
    got = distributions.chi2_sf([3.0, 0.0, np.nan], [0, 4, 4])
    assert got[:2].tolist() == [1.0, 1.0]
    assert np.isnan(got[2])


@pytest.mark.parametrize(("a", "b"), [(1, 1), (51, 950), (0.5, 3), (2_000, 1e6), (1, 100)])
def test_beta_agrees_with_scipy(a: float, b: float) -> None:
    """Beta cdf and quantile agree, also for large samples."""
    for p in (1e-6, 0.025, 0.5, 0.975):
        x = float(stats.beta.ppf(p, a, b))
        assert distributions.beta_ppf(p, a, b) == pytest.approx(x, rel=1e-8)
        assert distributions.beta_cdf(x, a, b) == pytest.approx(p, rel=1e-7)


def test_binomial_agrees_with_scipy() -> None:
    """Binomial cdf agrees, ends included."""
    for k in (-1, 0, 3, 49, 50):
        expected = float(stats.binom.cdf(k, 50, 0.1))
        assert distributions.binomial_cdf(k, 50, 0.1) == pytest.approx(expected, abs=1e-12)


def test_normal_agrees_with_scipy() -> None:
    """Normal tail and quantile agree."""
    z = np.linspace(-6, 6, 25)
    assert distributions.normal_sf(z) == pytest.approx(stats.norm.sf(z), rel=1e-12)
    assert distributions.normal_ppf(0.001) == pytest.approx(stats.norm.ppf(0.001), rel=1e-9)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 1.1])
def test_a_probability_outside_its_range_is_refused(p: float) -> None:
    """The message names the value."""
    with pytest.raises(ConfigurationError, match="probability"):
        distributions.chi2_isf(p, 3)
