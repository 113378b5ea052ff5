"""Calibration of a window: ECE and its noise floor, Spiegelhalter's Z, O/E, reliability bins."""

from __future__ import annotations

from detectors.calibration import ece, observed_expected, reliability, spiegelhalter
from detectors.outcomes.calibration import BINS
from detectors.quantities import Sums
from detectors.summary import Ints, Layout
from schemas.windows import Bin, Metric
from streams.decide.measure.interval import LEVEL, Reading, interval_of, number


def metrics(layout: Layout, vector: Ints) -> list[Metric]:
    """Calibration metrics; none where the task has no probabilities."""
    if "cal_n" not in layout:
        return []
    counts, p, y, pq = (
        layout.values(vector, name) for name in ("cal_n", "cal_p", "cal_y", "cal_var")
    )
    n = int(counts.sum())
    low, high = observed_expected.interval(n, y.sum(), p.sum(), LEVEL)
    z = spiegelhalter.z(
        slope=layout.total(vector, "slope_d"), variance=layout.total(vector, "z_var")
    )
    ece_low, ece_high = ece.interval(counts, p, y, layout.values(vector, "cal_sq"), LEVEL)
    return [
        Metric(
            name="ece",
            n=n,
            value=number(float(ece.debiased(counts, p, y, pq))),
            low=number(float(ece_low)),
            high=number(float(ece_high)),
        ),
        _plain("ece_noise_floor", n, float(ece.noise_floor(counts, pq))),
        _plain("spiegelhalter_z", n, float(z)),
        Metric(
            name="observed_expected",
            n=n,
            value=number(float(observed_expected.ratio(y.sum(), p.sum()))),
            low=number(float(low)),
            high=number(float(high)),
        ),
    ]


def bins(layout: Layout, vector: Ints) -> list[Bin]:
    """Points of the reliability diagram; bins without labels are left out."""
    if "cal_n" not in layout:
        return []
    points = reliability.bins(
        layout.values(vector, "cal_n"),
        layout.values(vector, "cal_p"),
        layout.values(vector, "cal_y"),
        LEVEL,
    )
    return [
        Bin(
            lower=point.index / BINS,
            upper=(point.index + 1) / BINS,
            n=point.n,
            mean_score=point.forecast,
            rate=point.frequency,
            low=point.low,
            high=point.high,
        )
        for point in points
    ]


def gap_reading(gap: Sums, *, tau: float, rows_per_unit: int = 1) -> Reading:
    """Size of the mean deviation of outcomes from scores, for an alert on calibration."""
    n = gap.n
    low, high = interval_of(gap, rows_per_unit)
    if n <= 0 or low is None or high is None:
        return Reading(n, None, None, None, tau)
    near = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    return Reading(n, abs(gap.s) / n, near, max(abs(low), abs(high)), tau)


def _plain(name: str, n: int, value: float) -> Metric:
    return Metric(name=name, n=n, value=number(value))
