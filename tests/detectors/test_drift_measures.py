"""Drift measures: known answers, agreement with scipy, null behaviour, corrections."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from detectors.drift import bh, chi_square, e_bh, g_test, js, ks, psi, tv, wasserstein
from schemas.errors import ConfigurationError

C, R = np.array([50, 30, 20]), np.array([400, 400, 200])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (lambda: psi.psi(C, R), 0.049755),
        (lambda: psi.threshold(100, 1_000, 3, 0.01), 0.101314),
        (lambda: js.js(C, R), 0.006202),
        (lambda: tv.tv(C, R), 0.10),
        (lambda: ks.ks(C, R), 0.10),
        (lambda: wasserstein.wasserstein(C, R, edges=[0, 1, 2, 3]), 0.10),
        (lambda: chi_square.statistic(C, R), 4.547804),
        (lambda: chi_square.p_value(C, R), 0.102910),
        (lambda: g_test.statistic(C, R), 4.598846),
        (lambda: g_test.p_value(C, R), 0.100317),
    ],
)
def test_known_answers(value, expected: float) -> None:
    """Hand-computed values on one pair of histograms."""
    assert float(value()) == pytest.approx(expected, abs=1e-6)


def test_agreement_with_scipy() -> None:
    """The same statistics from an independent implementation."""
    p, q = (C + 0.5) / (C.sum() + 1.5), (R + 0.5) / (R.sum() + 1.5)
    assert float(js.js(C, R)) == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-12)
    table = np.stack([C, R])
    x2 = stats.chi2_contingency(table, correction=False)
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    assert float(chi_square.p_value(C, R)) == pytest.approx(x2.pvalue, abs=1e-12)
    assert float(g_test.p_value(C, R)) == pytest.approx(g.pvalue, abs=1e-12)


@pytest.fixture(scope="module")
def unchanged() -> tuple[np.ndarray, np.ndarray]:
    """4,000 windows of 200 events and references of 20,000, 10 equal bins, no drift."""
    rng, law = np.random.default_rng(41), np.full(10, 0.1)
    return rng.multinomial(200, law, size=4_000), rng.multinomial(20_000, law, size=4_000)


def test_without_drift_corrected_values_average_to_nothing(unchanged) -> None:
    """The correction removes the part that chance alone explains."""
    for measure in (psi, js):
        value = measure.corrected(*unchanged)
        plain = getattr(measure, measure.__name__.rsplit(".", 1)[-1])(*unchanged)
        assert abs(value.mean()) < 0.05 * plain.mean()
    assert abs((tv.tv(*unchanged) - tv.noise_floor(*unchanged)).mean()) < 0.002
    assert (tv.corrected(*unchanged) >= 0).all()


def test_without_drift_thresholds_and_p_values_keep_their_level(unchanged) -> None:
    """1 % thresholds are exceeded in about 1 % of windows, conservative ones in fewer."""
    slack = 3 * math.sqrt(0.01 * 0.99 / 4_000)
    for p in (psi.p_value, js.p_value, chi_square.p_value, g_test.p_value, ks.p_value):
        assert np.mean(p(*unchanged) < 0.01) <= 0.01 + slack + 0.003
    limit = psi.threshold(200, 20_000, 10, 0.01)
    assert np.mean(psi.psi(*unchanged) > limit) == pytest.approx(0.01, abs=slack + 0.003)
    assert np.mean(js.js(*unchanged) > js.threshold(200, 20_000, 10, 0.01)) <= 0.01 + slack
    assert np.mean(ks.ks(*unchanged) > ks.threshold(200, 20_000, 0.01)) <= 0.01


def test_control_a_fixed_psi_rule_is_noise_on_small_windows() -> None:
    """PSI > 0.1 fires in most unchanged windows of 100 events and 20 bins."""
    rng, law = np.random.default_rng(42), np.full(20, 0.05)
    c, r = rng.multinomial(100, law, size=2_000), rng.multinomial(20_000, law, size=2_000)
    assert np.mean(psi.psi(c, r) > 0.1) > 0.8
    assert np.mean(psi.psi(c, r) > psi.threshold(100, 20_000, 20, 0.01)) < 0.02


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.08])
def test_intervals_cover_the_true_distance(shift: float) -> None:
    """Approximate ones to 90 % at a nominal 95, exact ones to 95 %."""
    rng, q = np.random.default_rng(43), np.full(10, 0.1)
    p = q + shift * np.array([1, -1] * 5)
    c, r = rng.multinomial(500, p, size=1_000), rng.multinomial(20_000, q, size=1_000)
    mean = (p + q) / 2
    truth = {
        psi: float(((p - q) * np.log(p / q)).sum()),
        js: float((p * np.log(p / mean) + q * np.log(q / mean)).sum() / 2),
        tv: float(np.abs(p - q).sum() / 2),
        ks: float(np.abs(np.cumsum(p - q)).max()),
    }
    for measure, value in truth.items():
        low, high = measure.interval(c, r)
        needed = 0.90 if measure in (psi, js) else 0.95
        assert np.mean((low <= value + 1e-12) & (value <= high)) >= needed, measure.__name__
    distance = float(np.abs(np.cumsum(p - q)).sum())
    low, high = wasserstein.interval(c, r, edges=np.arange(11.0))
    # With alternating signs each bin's triangle or trapezium averages to the plain sum.
    assert np.mean((low <= distance) & (distance <= high)) >= 0.95


def test_wasserstein_is_at_least_the_difference_of_means_and_knows_units() -> None:
    """Any two histograms; a shift by one bin is one width; sd divides."""
    rng, edges = np.random.default_rng(44), np.array([0.0, 0.5, 2.0, 3.0, 7.0])
    c, r = rng.multinomial(50, [0.25] * 4, size=200), rng.multinomial(90, [0.25] * 4, size=200)
    centres = (edges[1:] + edges[:-1]) / 2
    means = np.abs(c @ centres / 50 - r @ centres / 90)
    assert (wasserstein.wasserstein(c, r, edges=edges) >= means - 1e-12).all()
    moved = wasserstein.wasserstein([0, 10, 0], [10, 0, 0], edges=[0, 2, 4, 6], sd=0.5)
    assert float(moved) == pytest.approx(4.0)
    crossing = wasserstein.wasserstein([1, 0, 1], [0, 2, 0], edges=[0, 1, 2, 3])
    assert float(crossing) == pytest.approx(0.75)


def test_features_on_leading_axes_and_empty_sides() -> None:
    """A batch equals its rows; an empty window is NaN and never an error."""
    c, r = np.stack([C, np.zeros(3), C]), np.stack([R, R, np.zeros(3)])
    for one in (psi.psi, psi.corrected, js.js, tv.tv, tv.corrected, ks.ks, ks.p_value):
        value = one(c, r)
        assert float(value[0]) == float(one(C, R))
        assert np.isnan(value[1:]).all()
    for one in (psi.p_value, js.p_value, chi_square.p_value, g_test.p_value):
        value = one(c, r)
        assert float(value[0]) == pytest.approx(float(one(C, R)))
        assert np.isnan(value[1:]).all()


def test_bins_empty_on_both_sides_take_no_freedom() -> None:
    """Adding empty bins leaves the p-values as they were."""
    wide_c, wide_r = np.append(C, [0, 0]), np.append(R, [0, 0])
    for test in (chi_square, g_test):
        assert float(test.p_value(wide_c, wide_r)) == pytest.approx(float(test.p_value(C, R)))


def test_pooling_keeps_totals_and_reaches_the_minimum() -> None:
    """Every pooled bin expects five events, whatever the window looks like."""
    rng = np.random.default_rng(45)
    for _ in range(50):
        r = rng.multinomial(5_000, rng.dirichlet(np.full(20, 0.3)))
        c = rng.multinomial(60, np.full(20, 0.05))
        window, reference, bins = chi_square.pool(c, r)
        assert (window.sum(), reference.sum()) == (60, 5_000)
        assert (reference[: int(bins)] * 60 / 5_000 >= 5).all()
        assert not reference[int(bins) :].any()


def test_pooled_together_as_alone() -> None:
    """Neighbours are merged from the left, of each row by its own expectation, to the bit."""
    rng = np.random.default_rng(46)
    r = rng.multinomial(5_000, rng.dirichlet(np.full(20, 0.3)), 40) / 1.7
    c = np.stack([rng.multinomial(n, np.full(20, 0.05)) for n in rng.integers(0, 90, 40)]) / 1.7
    together = chi_square.pool(c, r)
    for place in range(40):
        alone = chi_square.pool(c[place], r[place])
        assert [column[place].tolist() for column in together] == [x.tolist() for x in alone]
        ends = np.cumsum([np.flatnonzero(together.reference[place]).size])
        assert ends[0] == together.bins[place]


def test_e_bh_known_answer_and_order() -> None:
    """One rejection of ten; the answer follows the values, not their order."""
    e = np.array([120, 45, 30, 12, 3, 1, 0.5, 0.2, 1e-9, 1e-9])
    assert e_bh.e_bh(np.log(e), alpha=0.1).tolist() == [True] + [False] * 9
    assert e_bh.e_bh(np.log(e[::-1]), alpha=0.1).tolist() == [False] * 9 + [True]
    assert e_bh.e_bh([-np.inf, np.log(1_000), np.log(60)], alpha=0.1).sum() == 2
    assert e_bh.e_bh([], alpha=0.1).size == 0


def test_bh_agrees_with_scipy_and_ignores_unknown() -> None:
    """The adjusted p-values of scipy give the same set."""
    p = np.random.default_rng(46).beta(0.4, 1, size=60)
    expected = stats.false_discovery_control(p) <= 0.05
    assert bh.bh(p, q=0.05).tolist() == expected.tolist()
    assert bh.bh(np.append(p, np.nan), q=0.05)[:-1].tolist() == expected.tolist()
    assert not bh.bh([np.nan, 0.9]).any()


def test_p_to_e_has_mean_one_at_most() -> None:
    """An e-value made from a p-value is fair."""
    p = (np.arange(100_000) + 0.5) / 100_000
    assert bh.e_from_p(p).mean() <= 1.0


@pytest.mark.parametrize(
    ("edges", "sd", "match"),
    [([0, 1, 2], 1.0, "3 edges"), ([0, 2, 1, 3], 1.0, "increase"), ([0, 1, 2, 3], 0.0, "sd is 0")],
)
def test_wasserstein_refuses_what_does_not_fit(edges, sd: float, match: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(ConfigurationError, match=match):
        wasserstein.wasserstein(C, R, edges=edges, sd=sd)
