"""PIT, coverage of intervals and quantiles, class-wise calibration: false alarms and power."""

import json
import math
from statistics import NormalDist

import numpy as np
import pytest

from detectors.calibration import pit
from detectors.calibration.anytime import CalibrationTest
from detectors.calibration.class_wise import ClassWiseTest, class_sums
from detectors.calibration.coverage import (
    below,
    interval_coverage_test,
    quantile_coverage_test,
)
from detectors.drift.witness import WitnessTest, reference_slack
from detectors.sequential.band import Rates
from schemas.errors import ConfigurationError

RUNS = 1_000
LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
NORMAL = np.array([NormalDist().inv_cdf(p) for p in LEVELS])


def limit_of(budget: float, runs: int = RUNS) -> float:
    """Most alarms a run that chance explains, where `budget` are expected."""
    return budget + 3 * math.sqrt(budget / runs)


def forecasts(rng: np.random.Generator, n: int, width: float = 1.0) -> tuple[np.ndarray, ...]:
    """Normal truths around moving centres, and quantiles of the given relative width."""
    centre, scale = rng.normal(size=n), rng.uniform(0.5, 2.0, size=n)
    y = centre + scale * rng.normal(size=n)
    return y, centre[:, None] + width * scale[:, None] * NORMAL


def test_pit_is_uniform_when_the_forecast_is_linear_between_its_quantiles() -> None:
    """Uniform truths under their own quantiles, within and beyond the outer levels."""
    rng = np.random.default_rng(91)
    y = rng.random(50_000) * 3 - 1
    quantiles = np.broadcast_to(3 * LEVELS - 1, (y.size, 5))
    counts = pit.histogram(pit.pit(y, quantiles, LEVELS, rng.random(y.size)))
    assert ((counts - 5_000) ** 2 / 5_000).sum() < 27.9  # chi-square, 9 degrees, 0.1 %


def test_pit_at_atoms_is_drawn_from_their_range() -> None:
    """Half of the mass at 1, as coinciding quantiles say: still uniform in total."""
    rng = np.random.default_rng(92)
    u = rng.random(60_000)
    y = np.where(u < 0.25, 4 * u, np.where(u < 0.75, 1.0, 1 + 4 * (u - 0.75)))
    quantiles = np.broadcast_to([0.0, 0.5, 1.0, 1.0, 1.5], (y.size, 5))
    levels = [1e-9, 0.125, 0.25, 0.75, 0.875]
    value = pit.pit(y, quantiles, levels, rng.random(y.size))
    counts = pit.histogram(value)
    assert ((counts - 6_000) ** 2 / 6_000).sum() < 27.9
    assert ((value[y == 1.0] >= 0.25) & (value[y == 1.0] <= 0.75)).all()


def test_pit_by_hand() -> None:
    """On a quantile, between two, below the first, above the last, on a double one."""
    quantiles = np.tile([0.0, 10.0, 10.0, 30.0], (5, 1))
    value = pit.pit(
        np.array([0.0, 5.0, -3.0, 31.0, 10.0]), quantiles, [0.1, 0.3, 0.7, 0.9], np.full(5, 0.25)
    )
    assert value == pytest.approx([0.1, 0.2, 0.025, 0.925, 0.4], abs=1e-12)
    assert pit.level_counts(
        np.array([0.0, 5.0, -3.0, 31.0, 10.0]), quantiles, [0.1, 0.3, 0.7, 0.9]
    ).tolist() == [2, 2, 0, 0, 1]


def test_an_exact_reference_costs_no_slack() -> None:
    """The uniform reference's sampling error is nothing beside any tolerance."""
    assert reference_slack(pit.uniform_reference()) < 1e-6
    assert reference_slack(pit.level_reference(LEVELS)) < 1e-6


@pytest.mark.parametrize("eps", [0.0, 0.05])
def test_pit_keeps_its_budget_at_the_tolerated_distance(eps: float) -> None:
    """A histogram at exactly eps from uniform for ever, witness test of 1,000 runs."""
    rng, windows, share, alarms = np.random.default_rng(93), 30, 0.002, 0
    p = 0.1 + eps / 5 * np.array([1, -1] * 5)
    for run in rng.multinomial(150, p, size=(RUNS, windows)):
        test = WitnessTest(pit.uniform_reference(), eps=eps)
        for counts in run:
            if test.update(counts, share=share):
                alarms += 1
                test.reset()
    assert alarms / RUNS <= limit_of(share * windows)


@pytest.mark.parametrize(("width", "wide"), [(0.6, False), (1.7, True)])
def test_forecasts_too_narrow_or_too_wide_are_found_and_described(width: float, wide: bool) -> None:
    """By both histograms within eight windows of 200; right forecasts by neither in fifty."""
    rng = np.random.default_rng(94)
    by_level = WitnessTest(pit.level_reference(LEVELS), eps=0.02)
    for _ in range(50):
        y, quantiles = forecasts(rng, 200)
        assert not by_level.update(pit.level_counts(y, quantiles, LEVELS), share=1e-3)
    by_pit, found, total = WitnessTest(pit.uniform_reference(), eps=0.05), set(), np.zeros(10)
    for _ in range(8):
        y, quantiles = forecasts(rng, 200, width)
        counts = pit.histogram(pit.pit(y, quantiles, LEVELS, rng.random(200)))
        total += counts
        if by_level.update(pit.level_counts(y, quantiles, LEVELS), share=1e-3):
            found.add("level")
        if by_pit.update(counts, share=1e-3):
            found.add("pit")
    assert found == {"level", "pit"}
    mean, spread = pit.describe(total)
    assert float(mean) == pytest.approx(0.5, abs=0.03)
    assert (float(spread) < 1) == wide


def test_control_interpolation_between_few_quantiles() -> None:
    """Right forecasts as five quantiles: ten interpolated bins alarm, the levels' own do not."""
    rng = np.random.default_rng(102)
    by_level = WitnessTest(pit.level_reference(LEVELS), eps=0.0)
    by_pit, found = WitnessTest(pit.uniform_reference(), eps=0.0), False
    for _ in range(40):
        y, quantiles = forecasts(rng, 500)
        counts = pit.histogram(pit.pit(y, quantiles, LEVELS, rng.random(500)))
        found = by_pit.update(counts, share=1e-3) or found
        assert not by_level.update(pit.level_counts(y, quantiles, LEVELS), share=1e-3)
    assert found


def test_shape_of_known_histograms() -> None:
    """Flat is 0.5 and 1; nothing is known of an empty one."""
    flat = pit.describe(np.full(10, 7))
    assert float(flat.mean) == pytest.approx(0.5)
    assert float(flat.spread) == pytest.approx(1.0)
    assert float(pit.describe([0, 0, 0, 1]).mean) == 0.875
    assert np.isnan(pit.describe(np.zeros(4)).mean)


def test_forecasts_that_cannot_be_read_are_refused() -> None:
    """The message names the row and the value."""
    y, one = np.zeros(2), np.zeros((2, 1))
    with pytest.raises(ValueError, match=r"row 1 descend"):
        pit.level_counts(y, np.array([[0.0, 1.0], [1.0, 0.0]]), [0.1, 0.9])
    with pytest.raises(ValueError, match=r"need \(2, 2\)"):
        pit.pit(y, one, [0.1, 0.9], y)
    with pytest.raises(ValueError, match="u has shape"):
        pit.pit(y, one, [0.5], np.zeros(3))
    with pytest.raises(ConfigurationError, match="ascending"):
        pit.level_reference([0.9, 0.1])
    with pytest.raises(ConfigurationError, match="level is 1"):
        pit.level_reference([0.5, 1.0])
    with pytest.raises(ConfigurationError, match="bins is 1"):
        pit.uniform_reference(1)
    with pytest.raises(ValueError, match="2 truths"):
        below(y, np.zeros((3, 1)))


@pytest.mark.parametrize("side", [-1, 1])
def test_interval_coverage_keeps_its_budget_at_the_tolerance(side: int) -> None:
    """True coverage exactly two per cent off the promised 90, either way."""
    rng, windows, share, alarms = np.random.default_rng(95), 25, 0.004, 0
    test = interval_coverage_test(0.9, tolerance=0.02)
    for run in rng.binomial(80, 0.9 + side * 0.02, size=(RUNS, windows)):
        test.reset()
        for k in run:
            if test.update(Rates(np.array([80.0]), np.array([float(k)])), share=share):
                alarms += 1
                test.reset()
    assert alarms / RUNS <= limit_of(share * windows)


def test_quantile_coverage_keeps_its_budget_for_all_levels_together() -> None:
    """All quantiles are moved by the tolerance, from the same truths."""
    rng, windows, share, alarms = np.random.default_rng(96), 15, 0.004, 0
    test = quantile_coverage_test(LEVELS, tolerance=0.03)
    u = rng.random((RUNS, windows, 60, 1))
    for run in (u <= LEVELS + 0.03).sum(axis=2):
        test.reset()
        for s in run:
            if test.update(Rates(np.full(5, 60.0), s.astype(float)), share=share):
                alarms += 1
                test.reset()
    assert alarms / RUNS <= limit_of(share * windows)


def test_narrow_and_wide_intervals_are_found_and_named() -> None:
    """Too few below the upper quantile of a narrow forecast, too many of a wide one."""
    rng = np.random.default_rng(97)
    for width, upper in ((0.6, "below"), (2.0, "above")):
        test = quantile_coverage_test(LEVELS)
        for _ in range(30):
            y, quantiles = forecasts(rng, 200)
            assert not test.update(Rates(np.full(5, 200.0), below(y, quantiles)), share=1e-3)
        found = False
        for _ in range(10):
            y, quantiles = forecasts(rng, 200, width)
            found = found or test.update(Rates(np.full(5, 200.0), below(y, quantiles)), share=1e-3)
        assert found
        place, side = test.leading or (-1, "")
        assert side == upper if place > 2 else side != upper
    with pytest.raises(ConfigurationError, match="tolerance is 0"):
        interval_coverage_test(0.9, tolerance=0.0)
    with pytest.raises(ConfigurationError, match="level is 1"):
        interval_coverage_test(1.0)


def softmax_rows(rng: np.random.Generator, n: int, classes: int = 4) -> np.ndarray:
    """Probabilities of a sharp model, shape (n, classes)."""
    logits = 1.5 * rng.normal(size=(n, classes))
    weights = np.exp(logits)
    return weights / weights.sum(axis=1, keepdims=True)


def drawn(rng: np.random.Generator, p: np.ndarray) -> np.ndarray:
    """A class of each row from its probabilities."""
    return (rng.random((len(p), 1)) > np.cumsum(p, axis=1)[:, :-1]).sum(axis=1)


def test_class_wise_test_keeps_its_budget_at_the_tolerance() -> None:
    """Two classes trade exactly tau for ever, so that four null hypotheses hold on the edge."""
    rng, windows, share, alarms, tau = np.random.default_rng(98), 10, 0.008, 0, 0.02
    test = ClassWiseTest(4, bins=5, tau=tau)
    for _ in range(RUNS):
        test.reset()
        p = 0.9 * softmax_rows(rng, windows * 40) + 0.025
        y = drawn(rng, p + tau * np.array([1, -1, 1, -1]))
        for part_p, part_y in zip(np.split(p, windows), np.split(y, windows), strict=True):
            if test.update(class_sums(part_p, part_y, bins=5), share=share):
                alarms += 1
                test.reset()
    assert alarms / RUNS <= limit_of(share * windows)


def test_class_wise_finds_what_the_top_label_hides() -> None:
    """Classes 2 and 3 trade places below a top label that is right: only class-wise sees it."""
    rng = np.random.default_rng(99)
    whole, top = ClassWiseTest(4), CalibrationTest()
    found, top_found = False, False
    for _ in range(20):
        p = np.tile([0.6, 0.2, 0.15, 0.05], (200, 1))
        y = drawn(rng, np.tile([0.6, 0.2, 0.05, 0.15], (200, 1)))
        found = whole.update(class_sums(p, y), share=1e-3) or found
        top_found = top.update(class_sums(p, y)[0], share=1e-3) or top_found
    assert found
    assert not top_found
    assert whole.leading in {
        (2, "total, outcomes below forecasts"),
        (3, "total, outcomes above forecasts"),
    }


def test_class_wise_restarts_exactly_and_skips_empty_windows() -> None:
    """State through JSON continues exactly; the wealth is the mean over classes."""
    rng = np.random.default_rng(100)
    whole, cut, alone = ClassWiseTest(3), ClassWiseTest(3), [CalibrationTest() for _ in range(3)]
    assert cut.leading is None
    assert cut.log_m == -math.inf
    for _ in range(4):
        p = softmax_rows(rng, 50, 3)
        sums = class_sums(p, drawn(rng, p))
        cut = ClassWiseTest.restore(json.loads(json.dumps(cut.state(), allow_nan=False)))
        assert cut.update(sums, share=1e-3) == whole.update(sums, share=1e-3)
        assert cut.state() == whole.state()
        for test, part in zip(alone, sums, strict=True):
            test.update(part, share=1e-3)
    mean = np.mean([math.exp(test.log_m) for test in alone])
    assert cut.log_m == pytest.approx(math.log(mean), abs=1e-12)
    before = cut.state()
    empty = class_sums(np.zeros((0, 3)), np.zeros(0, np.int64))
    assert not cut.update(empty, share=1e-3)
    assert cut.state() == before
    wrong = class_sums(np.full((300, 3), 1 / 3), np.zeros(300, np.int64))
    assert cut.update(wrong, share=1e-3)
    assert not cut.update(empty, share=1e-3)
    cut.reset()
    assert cut.state() == [[], [], []]


def test_class_sums_add_and_refuse_rows_that_cannot_be() -> None:
    """Halves add up to the whole; a probability above 1 or a class that is not there is refused."""
    rng = np.random.default_rng(101)
    p = softmax_rows(rng, 60, 3)
    y = drawn(rng, p)
    halves = zip(class_sums(p[:25], y[:25]), class_sums(p[25:], y[25:]), strict=True)
    for (a, b), c in zip(halves, class_sums(p, y), strict=True):
        assert (a.n + b.n).tolist() == c.n.tolist()
        assert a.d + b.d == pytest.approx(c.d, abs=1e-12)
        assert a.v_slope + b.v_slope == pytest.approx(c.v_slope, abs=1e-12)
    with pytest.raises(ValueError, match="do not fit"):
        class_sums(p, y[:5])
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        class_sums(np.array([[1.5, 0.0]]), np.array([0]))
    with pytest.raises(ValueError, match="outside 0 to 1"):
        class_sums(np.array([[0.5, 0.5]]), np.array([2]))
    for classes in (1, 11):
        with pytest.raises(ConfigurationError, match=f"classes is {classes}"):
            ClassWiseTest(classes)
    with pytest.raises(ValueError, match="sums of 3 classes"):
        ClassWiseTest(2).update(class_sums(p, y), share=0.1)
    with pytest.raises(ValueError, match="state of 3 classes"):
        ClassWiseTest(2).resume([[], [], []])
    mixed = (*class_sums(p, y)[:2], class_sums(p, y, bins=5)[2])
    test = ClassWiseTest(3)
    with pytest.raises(ValueError, match="10 bins"):
        test.update(mixed, share=0.1)
    assert test.state() == [[], [], []]
