"""Calibration of a window: ECE and its noise floor, Spiegelhalter's Z, O/E, reliability bins."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.arrays import as_floats
from detectors.calibration import ece, observed_expected, reliability, spiegelhalter
from detectors.outcomes.calibration import BINS
from detectors.quantities import Sums
from detectors.summary import Ints, Layout
from schemas.windows import Bin, Metric
from streams.decide.measure.interval import LEVEL, Reading, interval_of, number


def metrics_each(windows: Sequence[tuple[Layout, Ints]]) -> list[list[Metric]]:
    """For each window the calibration metrics; none where the task has no probabilities. Those of
    all windows are worked out at once."""
    found: list[list[Metric]] = [[] for _ in windows]
    places = [place for place, (layout, _) in enumerate(windows) if "cal_n" in layout]
    if not places:
        return found
    some = [windows[place] for place in places]
    counts, p, y, pq, sq = (
        as_floats([layout.values(vector, name) for layout, vector in some])
        for name in ("cal_n", "cal_p", "cal_y", "cal_var", "cal_sq")
    )
    slope, variance = (
        as_floats([layout.total(vector, name) for layout, vector in some])
        for name in ("slope_d", "z_var")
    )
    n, sum_y, sum_p = (each.sum(axis=-1) for each in (counts, y, p))
    columns = (
        n,
        ece.debiased(counts, p, y, pq),
        *ece.interval(counts, p, y, sq, LEVEL),
        ece.noise_floor(counts, pq),
        spiegelhalter.z(slope=slope, variance=variance),
        observed_expected.ratio(sum_y, sum_p),
        *observed_expected.interval(n, sum_y, sum_p, LEVEL),
    )
    for place, own in zip(
        places, zip(*(each.tolist() for each in columns), strict=True), strict=True
    ):
        found[place] = _metrics(*own)
    return found


def _metrics(
    labels: float,
    error: float,
    error_low: float,
    error_high: float,
    noise: float,
    z: float,
    ratio: float,
    ratio_low: float,
    ratio_high: float,
) -> list[Metric]:
    n = int(labels)
    return [
        Metric(
            name="ece",
            n=n,
            value=number(error),
            low=number(error_low),
            high=number(error_high),
        ),
        _plain("ece_noise_floor", n, noise),
        _plain("spiegelhalter_z", n, z),
        Metric(
            name="observed_expected",
            n=n,
            value=number(ratio),
            low=number(ratio_low),
            high=number(ratio_high),
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
