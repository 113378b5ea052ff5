"""Calibration measures and the calibration test at any time."""

import json
import math

import numpy as np
import pytest

from detectors.calibration import ece, murphy, observed_expected, reliability, spiegelhalter
from detectors.calibration.anytime import CalibrationSums, CalibrationTest, increments
from schemas.errors import ConfigurationError

N, P, Y = [100, 200, 100], [15, 80, 75], [10, 70, 80]


def sums_of(p: np.ndarray, y: np.ndarray, bins: int = 10) -> CalibrationSums:
    """Sums of one window from its rows."""
    place = np.minimum((p * bins).astype(int), bins - 1)
    residual, tilt = y - p, 2 * p - 1
    return CalibrationSums(
        n=np.bincount(place, minlength=bins).astype(float),
        d=np.bincount(place, weights=residual, minlength=bins),
        v=np.bincount(place, weights=residual**2, minlength=bins),
        d_slope=float((residual * tilt).sum()),
        v_slope=float(((residual * tilt) ** 2).sum()),
    )


def test_known_answers_of_binned_measures() -> None:
    """Three bins computed by hand."""
    parts = murphy.decompose(N, P, Y)
    assert float(parts.reliability) == pytest.approx(0.0025, abs=1e-9)
    assert float(parts.resolution) == pytest.approx(0.06375, abs=1e-9)
    assert float(parts.uncertainty) == pytest.approx(0.24, abs=1e-9)
    assert float(parts.binned_brier) == pytest.approx(0.17875, abs=1e-9)
    assert float(ece.squared_debiased(N, P, Y)) == pytest.approx(0.001297, abs=1e-6)
    assert float(ece.ece(N, P, Y)) == pytest.approx(0.05, abs=1e-9)


def test_known_answers_of_four_labels() -> None:
    """Brier parts, Spiegelhalter's z and observed over expected from raw rows."""
    p, y = np.array([0.1, 0.4, 0.8, 0.9]), np.array([0, 1, 1, 0])
    assert float(((y - p) ** 2).mean()) == pytest.approx(0.305)
    slope = float(((y - p) * (2 * p - 1)).sum())
    variance = float(((1 - 2 * p) ** 2 * p * (1 - p)).sum())
    assert float(spiegelhalter.z(slope=slope, variance=variance)) == pytest.approx(
        1.498537, abs=1e-6
    )
    assert float(observed_expected.ratio(y.sum(), p.sum())) == pytest.approx(0.909091, abs=1e-6)


def test_murphy_is_exact_for_constant_forecasts_and_reports_the_rest() -> None:
    """One forecast a bin leaves no remainder; rows that differ inside a bin leave one."""
    rng = np.random.default_rng(61)
    p = rng.choice([0.05, 0.35, 0.75], size=500)
    y = (rng.random(500) < p).astype(float)
    place = (p * 10).astype(int)
    n, sum_p, sum_y = (np.bincount(place, weights=w, minlength=10) for w in (p * 0 + 1, p, y))
    parts = murphy.decompose(n, sum_p, sum_y)
    assert float(murphy.remainder(((y - p) ** 2).mean(), parts)) == pytest.approx(0, abs=1e-12)
    assert float(murphy.remainder(0.5, parts)) > 0.2


@pytest.mark.parametrize("n", [200, 1_000])
def test_the_noise_floor_is_what_a_calibrated_model_shows(n: int) -> None:
    """Plug-in ECE averages to its floor, the debiased square to 0, z and O/E keep 5 %."""
    rng = np.random.default_rng(62)
    p = rng.random((500, n))
    y = (rng.random((500, n)) < p).astype(float)
    place = (p * 10).astype(int)
    onehot = place[..., None] == np.arange(10)
    count, sum_p, sum_y, sum_pq = (
        (onehot * w[..., None]).sum(axis=1) for w in (np.ones_like(p), p, y, p * (1 - p))
    )
    plug_in, floor = ece.ece(count, sum_p, sum_y), ece.noise_floor(count, sum_pq)
    assert plug_in.mean() == pytest.approx(floor.mean(), rel=0.05)
    assert ece.debiased(count, sum_p, sum_y, sum_pq).mean() < 0.5 * plug_in.mean()
    assert abs(ece.squared_debiased(count, sum_p, sum_y).mean()) < 0.1 * (plug_in**2).mean()
    slope = ((y - p) * (2 * p - 1)).sum(axis=1)
    variance = ((2 * p - 1) ** 2 * p * (1 - p)).sum(axis=1)
    limit = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 500)
    assert np.mean(spiegelhalter.p_value(slope=slope, variance=variance) < 0.05) <= limit
    o_e = observed_expected.p_value(y.sum(axis=1), p.sum(axis=1), (p * (1 - p)).sum(axis=1))
    assert np.mean(o_e < 0.05) <= limit


def test_no_labels_means_cannot_tell() -> None:
    """NaN everywhere, no points in the diagram, no warning."""
    zero = np.zeros(3)
    parts = murphy.decompose(zero, zero, zero)
    values = [
        ece.ece(zero, zero, zero),
        ece.noise_floor(zero, zero),
        ece.debiased(zero, zero, zero, zero),
        ece.squared_debiased(zero, zero, zero),
        *parts,
        parts.binned_brier,
        observed_expected.ratio(0, 0),
        observed_expected.z(0, 0, 0),
        spiegelhalter.z(slope=0, variance=0),
        observed_expected.interval(0, 0, 0).low,
    ]
    assert np.isnan(np.array([float(v) for v in values])).all()
    assert reliability.bins(zero, zero, zero) == []


def test_reliability_bins_hold_their_interval_and_skip_empty_bins() -> None:
    """Each point lies inside its own interval."""
    points = reliability.bins([100, 0, 5], [15.0, 0.0, 4.0], [10, 0, 5])
    assert [point.index for point in points] == [0, 2]
    assert all(point.low <= point.frequency <= point.high for point in points)
    assert points[1].high == 1.0


def test_bet_known_answers() -> None:
    """One component without and with tolerance."""
    assert increments(12.0, 80.0, 500, tau=0.0)[0, 2] == pytest.approx(0.817489, abs=1e-6)
    assert increments(12.0, 80.0, 500, tau=0.01)[0, 2] == pytest.approx(0.198862, abs=1e-6)


def test_the_tolerant_bet_is_the_plain_bet_on_shifted_residuals() -> None:
    """Sums with tolerance equal a row-by-row computation."""
    rng = np.random.default_rng(63)
    p, tau = rng.random(50), 0.03
    x = (rng.random(50) < p) - p
    for row, sign in enumerate((1.0, -1.0)):
        shifted = (sign * x - tau) / (1 + tau)
        expected = increments(shifted.sum(), (shifted**2).sum(), 50, tau=0.0)[0]
        got = increments(x.sum(), (x**2).sum(), 50, tau=tau)[row]
        assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("tau", "bias"), [(0.0, 0.0), (0.02, 0.02), (0.02, -0.02)])
def test_false_alarms_at_the_tolerated_deviation_are_within_budget(tau: float, bias: float) -> None:
    """Outcomes deviate by exactly tau for ever; restart at each alarm."""
    rng, windows, share = np.random.default_rng(64), 25, 0.004
    alarms = 0
    for _ in range(1_000):
        test = CalibrationTest(tau=tau)
        p = rng.uniform(0.05, 0.95, size=(windows, 40))
        y = (rng.random(p.shape) < p + bias).astype(float)
        for row_p, row_y in zip(p, y, strict=True):
            if test.update(sums_of(row_p, row_y), share=share):
                alarms += 1
                test.reset()
    budget = share * windows
    assert alarms / 1_000 <= budget + 3 * math.sqrt(budget / 1_000)


@pytest.mark.parametrize(
    ("shown", "true", "leading"),
    [
        (lambda p: p, lambda p: p + 0.08 * (p < 0.9), "total, outcomes above forecasts"),
        (lambda p: p, lambda p: 0.5 + 0.6 * (p - 0.5), "slope, overconfident"),
    ],
)
def test_miscalibration_is_found_and_named(shown, true, leading: str) -> None:
    """A bias of 0.08 and an overconfident slope are found within 6,000 labels."""
    rng = np.random.default_rng(65)
    test, found = CalibrationTest(), False
    for _ in range(30):
        p = rng.random(200)
        found = test.update(sums_of(shown(p), rng.random(200) < true(p)), share=1e-3)
        if found:
            break
    assert found
    assert test.leading == leading


def test_restart_at_any_window_changes_nothing() -> None:
    """State through JSON continues exactly, with bins that never had a label."""
    rng = np.random.default_rng(66)
    whole, cut = CalibrationTest(), CalibrationTest()
    assert cut.leading == ""
    for _ in range(5):
        p = rng.uniform(0.0, 0.3, size=50)
        sums = sums_of(p, (rng.random(50) < p).astype(float))
        cut = CalibrationTest.restore(json.loads(json.dumps(cut.state(), allow_nan=False)))
        assert cut.update(sums, share=1e-3) == whole.update(sums, share=1e-3)
        assert cut.state() == whole.state()
    before = cut.state()
    assert not cut.update(sums_of(np.zeros(0), np.zeros(0)), share=1e-3)
    assert cut.state() == before
    cut.reset()
    assert cut.state() == []
    assert cut.log_m == -math.inf


def test_settings_that_cannot_work_are_refused() -> None:
    """The message names the setting; other bins are a bug."""
    with pytest.raises(ConfigurationError, match="tau is 1"):
        CalibrationTest(tau=1.0)
    with pytest.raises(ConfigurationError, match="bins is 0"):
        CalibrationTest(bins=0)
    with pytest.raises(ConfigurationError, match="share is 2"):
        CalibrationTest().update(sums_of(np.array([0.5]), np.array([1.0])), share=2.0)
    with pytest.raises(ValueError, match="5 bins"):
        CalibrationTest(bins=5).update(sums_of(np.array([0.5]), np.array([1.0])), share=0.1)


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.15])
@pytest.mark.parametrize("n", [200, 2_000])
def test_the_interval_of_the_calibration_error_covers_it(shift: float, n: int) -> None:
    """In at least 95 % of 1,000 windows, for good and for bad calibration."""
    rng = np.random.default_rng(11)
    p = rng.beta(2, 3, (1_000, n))
    truth = np.clip(p + shift, 0, 1)
    y = rng.random(p.shape) < truth
    bins = np.minimum((p * 10).astype(int), 9)
    sums = [
        np.stack([np.where(bins == b, values, 0).sum(axis=1) for b in range(10)], axis=1)
        for values in (np.ones_like(p), p, y, (y - p) ** 2, truth)
    ]
    low, high = ece.interval(*sums[:4])
    true = np.abs(sums[4] - sums[1]).sum(axis=1) / n
    covered = np.mean((low <= true) & (true <= high))
    assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 1_000)
