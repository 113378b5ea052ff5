"""Metrics of confusion counts and score bins, their intervals, and the asymptotic floor test."""

import math

import numpy as np
import pytest
from scipy import stats

from detectors.metrics import auc
from detectors.metrics.asymptotic import AsymptoticConfidenceSequence, margin, rho_squared
from detectors.metrics.balanced_accuracy import BALANCED_ACCURACY
from detectors.metrics.confusion import Confusion, ConfusionMetric, confusion, delta_variance
from detectors.metrics.f1 import F1
from detectors.metrics.floor import FloorTest
from detectors.metrics.mcc import MCC
from detectors.metrics.rates import ACCURACY, ERROR_RATE, PRECISION, RECALL, SPECIFICITY
from schemas.errors import ConfigurationError

RUNS = 1_000
LIMIT = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)
METRICS = [ACCURACY, ERROR_RATE, PRECISION, RECALL, SPECIFICITY, F1, MCC, BALANCED_ACCURACY]
POS, NEG = [5, 10, 25, 60], [300, 200, 80, 20]


def names(metrics: list[ConfusionMetric]) -> list[str]:
    """Words to tell parametrised tests apart."""
    return [metric.name for metric in metrics]


def rows_of(counts: list[int]) -> np.ndarray:
    """Score bins of single rows."""
    return np.repeat(np.arange(len(counts)), counts)


def test_known_answer_of_the_binned_area() -> None:
    """Four bins, and the Mann-Whitney statistic of their rows."""
    assert float(auc.auc(POS, NEG)) == pytest.approx(0.894167, abs=1e-6)
    wins = stats.mannwhitneyu(rows_of(POS), rows_of(NEG)).statistic
    assert float(auc.auc(POS, NEG)) == pytest.approx(wins / (100 * 600), abs=1e-12)


def test_variance_of_the_area_is_delongs() -> None:
    """Sample variances of the placements of single rows."""
    pos, neg = rows_of(POS), rows_of(NEG)
    wins = (pos[:, None] > neg) + 0.5 * (pos[:, None] == neg)
    expected = wins.mean(axis=1).var(ddof=1) / pos.size + wins.mean(axis=0).var(ddof=1) / neg.size
    assert float(auc.variance(POS, NEG)) == pytest.approx(expected, abs=1e-12)


def test_area_of_merged_windows_is_that_of_the_rows() -> None:
    """Counts add; the mean of the windows' areas is something else."""
    windows = np.random.default_rng(1).poisson(5, size=(2, 6, 8))
    pos, neg = windows.sum(axis=1)
    wins = stats.mannwhitneyu(rows_of(list(pos)), rows_of(list(neg))).statistic
    assert float(auc.auc(pos, neg)) == pytest.approx(wins / (pos.sum() * neg.sum()), abs=1e-12)


def test_relabel_gradient_is_the_derivative() -> None:
    """Central differences in every bin."""
    pos, neg = np.array(POS, float), np.array(NEG, float)
    steps = 1e-4 * np.eye(4)
    slopes = (auc.auc(pos + steps, neg - steps) - auc.auc(pos - steps, neg + steps)) / 2e-4
    assert auc.relabel_gradient(pos, neg) == pytest.approx(slopes, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS, ids=names(METRICS))
def test_gradients_are_derivatives(metric: ConfusionMetric) -> None:
    """Central differences in every cell, and orthogonality that `delta_variance` rests on."""
    cells = np.array([40.0, 10.0, 20.0, 130.0])
    steps = 1e-4 * np.eye(4)
    up, down = (metric.value(confusion(*(cells + sign * steps).T)) for sign in (1, -1))
    gradient = np.array(metric.gradient(confusion(*cells)))
    assert gradient == pytest.approx((up - down) / 2e-4, abs=1e-8)
    assert gradient @ cells == pytest.approx(0.0, abs=1e-12)


def test_known_answers_of_confusion_metrics() -> None:
    """By hand from 40, 10, 20, 130, and the correlation of the rows themselves."""
    counts = confusion(40, 10, 20, 130)
    decision = np.repeat([1, 1, 0, 0], [40, 10, 20, 130])
    truth = np.repeat([1, 0, 1, 0], [40, 10, 20, 130])
    assert float(MCC.value(counts)) == pytest.approx(np.corrcoef(decision, truth)[0, 1])
    assert float(F1.value(counts)) == pytest.approx(80 / 110)
    assert float(BALANCED_ACCURACY.value(counts)) == pytest.approx((40 / 60 + 130 / 140) / 2)


@pytest.mark.parametrize("law", [(0.2, 0.05, 0.1, 0.65), (0.04, 0.01, 0.01, 0.94)])
@pytest.mark.parametrize("metric", METRICS, ids=names(METRICS))
def test_intervals_of_confusion_metrics_cover(metric: ConfusionMetric, law: tuple) -> None:
    """A window of 500 rows, common and rare positives: coverage within reach of 95 %."""
    seen = np.random.default_rng(2).multinomial(500, law, size=4 * RUNS)
    number = metric.interval(confusion(*seen.T))
    truth = float(metric.value(confusion(*np.array(law))))
    covered = np.mean((number.low <= truth) & (truth <= number.high))
    assert 0.93 <= covered <= 0.985


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0, 3.0])
def test_interval_of_the_area_covers(shift: float) -> None:
    """60 positives and 340 negatives in 20 bins, from no to nearly perfect separation."""
    rng, edges = np.random.default_rng(3), np.linspace(-2.5, 4.5, 21)[1:-1]
    laws = [np.diff(np.r_[0, stats.norm.cdf(edges, loc=m), 1]) for m in (0.0, shift)]
    neg, pos = (
        rng.multinomial(n, law, size=4 * RUNS) for n, law in zip((340, 60), laws, strict=True)
    )
    number, truth = auc.interval(pos, neg), float(auc.auc(laws[1], laws[0]))
    covered = np.mean((number.low <= truth) & (truth <= number.high))
    assert 0.93 <= covered <= 0.985


def test_perfect_scores_keep_an_interval() -> None:
    """No error among few rows is not certainty."""
    for metric in (ACCURACY, F1, MCC, BALANCED_ACCURACY):
        number = metric.interval(confusion(20, 0, 0, 20))
        assert float(number.value) == 1.0
        assert float(number.low) < 0.95
    assert float(auc.interval([0, 20], [20, 0]).low) < 0.95


def test_undefined_metrics_are_nan() -> None:
    """A class or a decision that never occurs leaves no number, and no warning."""
    empty = confusion(0, 0, 0, 50)
    assert all(math.isnan(m.value(empty)) for m in (PRECISION, RECALL, F1, MCC, BALANCED_ACCURACY))
    assert math.isnan(auc.auc([0, 0], [3, 4]))
    assert all(np.isnan(x) for x in auc.interval([0, 0], [3, 4]))


def test_counts_are_checked() -> None:
    """The message names the cell and the value."""
    with pytest.raises(ValueError, match="fn is -1"):
        confusion(1, 2, -1, 4)
    unit = Confusion(*(np.asarray(1.0) for _ in range(4)))
    assert float(delta_variance(confusion(1, 2, 3, 4), unit)) == 10.0


def test_known_answers_of_the_asymptotic_sequence() -> None:
    """Scale and margin at 1,000 windows."""
    assert rho_squared(0.05, 5_000) == pytest.approx(0.00158723, abs=1e-8)
    assert margin(1_000, 0.05, 5_000) == pytest.approx(0.106375, abs=1e-6)
    values = np.random.default_rng(4).normal(0.9, 0.03, 60)
    sequence = AsymptoticConfidenceSequence()
    for value in values:
        sequence.update(float(value))
    half = values.std(ddof=1) * margin(60, 0.05, 200)
    assert sequence.interval(0.05) == pytest.approx((values.mean() - half, values.mean() + half))


def window_areas(runs: int, windows: int, seed: int) -> tuple[np.ndarray, float]:
    """Areas of windows of 200 rows, 15 % positive, in 20 bins, and their true mean."""
    rng, edges = np.random.default_rng(seed), np.linspace(-2.5, 4.0, 21)[1:-1]
    laws = [np.diff(np.r_[0, stats.norm.cdf(edges, loc=m), 1]) for m in (0.0, 1.5)]
    n_pos = rng.binomial(200, 0.15, size=(runs, windows))
    pos, neg = rng.multinomial(n_pos, laws[1]), rng.multinomial(200 - n_pos, laws[0])
    return auc.auc(pos, neg), float(auc.auc(laws[1], laws[0]))


def ever_outside(values: np.ndarray, truth: float, first: int, *, one_sided: bool) -> float:
    """Share of runs whose sequence ever leaves out the truth from window `first` on."""
    n = np.arange(1, values.shape[1] + 1)
    mean = np.cumsum(values, axis=1) / n
    squares = np.cumsum(values**2, axis=1) - n * mean**2
    spread = np.sqrt(np.maximum(squares, 0.0) / np.maximum(n - 1, 1))
    half = spread * np.array([margin(int(k), 0.05, 200) for k in n])
    gap = truth - mean if one_sided else np.abs(truth - mean)
    return float(np.mean((gap > half)[:, first - 1 :].any(axis=1)))


def test_floor_at_the_mean_keeps_its_level_after_the_burn_in() -> None:
    """Looked at after each of 200 windows, two-sided and below the floor."""
    values, truth = window_areas(RUNS, 200, seed=5)
    assert ever_outside(values, truth, 20, one_sided=False) <= LIMIT
    assert ever_outside(values, truth, 20, one_sided=True) <= LIMIT


def test_control_without_burn_in() -> None:
    """A spread from two windows is believed, and the sequence does not keep its level."""
    values, truth = window_areas(RUNS, 200, seed=6)
    assert ever_outside(values, truth, 2, one_sided=False) > LIMIT


def test_floor_test_is_the_simulated_rule() -> None:
    """The class decides as the vectorised simulation does, and says that it is asymptotic."""
    values, truth = window_areas(30, 120, seed=7)
    floor = truth + 0.01
    tests = [FloorTest(floor) for _ in values]
    alarms = [
        max(test.update(float(value)) for value in run)
        for test, run in zip(tests, values, strict=True)
    ]
    assert np.mean(alarms) == ever_outside(values, floor, 20, one_sided=True)
    assert FloorTest(floor).guarantee == "asymptotic"


def test_floor_test_finds_a_worse_metric() -> None:
    """Four hundredths below the floor are found in 60 windows in nearly all runs."""
    values, truth = window_areas(RUNS, 60, seed=8)
    assert ever_outside(values, truth + 0.04, 20, one_sided=True) >= 0.95


def test_floor_test_goes_on_from_its_state() -> None:
    """Bit for bit, and a reset starts the burn-in anew."""
    values = np.random.default_rng(9).normal(0.85, 0.02, 60).tolist()
    whole, first = FloorTest(0.86), FloorTest(0.86)
    for value in values[:30]:
        first.update(value)
    second = first.resume(first.state())
    expected = [whole.update(value) for value in values]
    assert [second.update(value) for value in values[30:]] == expected[30:]
    assert second.state() == whole.state()
    second.reset()
    assert second.interval == (-math.inf, math.inf)


def test_settings_and_values_are_checked() -> None:
    """A window without a value must be skipped, not taken as a number."""
    with pytest.raises(ValueError, match="nan"):
        FloorTest(0.9).update(math.nan)
    with pytest.raises(ConfigurationError, match="burn_in is 1"):
        FloorTest(0.9, burn_in=1)
    with pytest.raises(ConfigurationError, match="alpha is 2"):
        FloorTest(0.9, alpha=2.0)
    with pytest.raises(ConfigurationError, match="n_opt is 0"):
        AsymptoticConfidenceSequence(n_opt=0)
