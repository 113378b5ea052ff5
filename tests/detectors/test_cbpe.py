"""Estimates without labels: known answers, coverage, and what happens when scores lie."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from detectors.bets import binary
from detectors.bets.grid import log_mean_exp
from detectors.estimation.cbpe import ASSUMPTION, Performance, error_budget, estimate
from detectors.estimation.rescore import Rescore, rescore
from detectors.estimation.score_map import ScoreMap, cells
from detectors.metrics import auc
from detectors.metrics.confusion import Confusion, confusion
from detectors.metrics.f1 import F1
from detectors.metrics.rates import ACCURACY, ERROR_RATE, PRECISION, RECALL
from schemas.errors import ConfigurationError

RUNS, BINS = 1_000, 20
NAMES = ["tp", "fp", "fn", "tn", "accuracy", "error_rate", "precision", "recall", "f1", "auc"]
THRESHOLD = 0.48
"""Not an edge of a bin, so that one bin holds both decisions."""


@dataclass(frozen=True)
class Rows:
    """Counts by run and score bin, with the labels that a window without labels lacks."""

    n: np.ndarray
    n1: np.ndarray
    pos: np.ndarray
    tp: np.ndarray


def truth(score: np.ndarray) -> np.ndarray:
    """P(positive | score): a model that is not calibrated."""
    return 0.02 + 0.9 * score**1.5


def rows(
    rng: np.random.Generator, beta: tuple[float, float], size: int, *, shifted: float = 0.0
) -> Rows:
    """`RUNS` samples of `size` rows; a share `shifted` has labels that ignore the score."""
    score = rng.beta(*beta, size=(RUNS, size))
    chance = np.where(rng.random(score.shape) < shifted, 0.5, truth(score))
    y, decision = rng.random(score.shape) < chance, score >= THRESHOLD
    place = np.arange(RUNS)[:, None] * BINS + np.minimum(score * BINS, BINS - 1).astype(int)

    def count(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(place[chosen], minlength=RUNS * BINS).reshape(RUNS, BINS)

    return Rows(count(y | ~y), count(decision), count(y), count(y & decision))


def realised(window: Rows) -> dict[str, np.ndarray]:
    """What the labels show."""
    tp, n1 = window.tp.sum(axis=1), window.n1.sum(axis=1)
    fn = window.pos.sum(axis=1) - tp
    counts = confusion(tp, n1 - tp, fn, window.n.sum(axis=1) - n1 - fn)
    metrics = {"accuracy": ACCURACY, "error_rate": ERROR_RATE, "precision": PRECISION}
    metrics |= {"recall": RECALL, "f1": F1}
    values = {name: metric.value(counts) for name, metric in metrics.items()}
    area = auc.auc(window.pos, window.n - window.pos)
    return counts._asdict() | values | {"auc": area}


def covered(result: Performance, shown: dict[str, np.ndarray]) -> dict[str, float]:
    """Share of runs whose interval holds what the labels show."""
    held = {}
    for name in NAMES:
        number = getattr(result, name)
        held[name] = float(np.mean((number.low <= shown[name]) & (shown[name] <= number.high)))
    return held


def learned(reference: Rows) -> ScoreMap:
    """The map of each run's own reference."""
    return ScoreMap.learn(reference.n, reference.pos, n1=reference.n1, tp=reference.tp)


def test_known_answers() -> None:
    """Three bins with known shares, by hand."""
    result = estimate([100, 100, 100], [0, 60, 100], ScoreMap.known([0.1, 0.5, 0.9]))
    assert float(result.accuracy.value) == pytest.approx(230 / 300, abs=1e-6)
    assert [float(x) for x in result.counts] == pytest.approx([120, 40, 30, 110], abs=1e-6)
    assert float(result.precision.value) == pytest.approx(0.75)
    assert float(result.recall.value) == pytest.approx(0.8)
    assert float(result.f1.value) == pytest.approx(240 / 310)
    assert float(result.auc.value) == pytest.approx(
        float(auc.auc([10, 50, 90], [90, 50, 10])), abs=1e-12
    )
    assert result.assumption == ASSUMPTION == "assumes P(label | score) unchanged"


def test_variance_of_the_accuracy_is_that_of_its_formula() -> None:
    """Noise of outcomes, and of a map that both decisions share."""
    n, n1, m = (np.array(x, float) for x in ([80, 120, 90], [5, 70, 85], [40, 60, 50]))
    score_map = ScoreMap.learn(m, [4, 30, 45])
    r = score_map.rate[0]
    both = n * r * (1 - r) + (2 * n1 - n) ** 2 * r * (1 - r) / (m + 1)
    number = estimate(n, n1, score_map).accuracy
    half = 1.959963985 * math.sqrt(both.sum()) / n.sum()
    assert float(number.high - number.value) == pytest.approx(half, abs=1e-8)


@pytest.mark.parametrize(
    ("beta", "reference_size"), [((0.8, 0.8), 20_000), ((3.0, 1.5), 20_000), ((3.0, 1.5), 2_000)]
)
def test_intervals_cover_under_covariate_shift(beta: tuple, reference_size: int) -> None:
    """Reference at Beta(.8, .8); another mix of scores, also learned from few labels."""
    rng = np.random.default_rng(31)
    size = min(reference_size, 4_000)
    parts = [rows(rng, (0.8, 0.8), size) for _ in range(reference_size // size)]
    reference = Rows(*(sum(getattr(p, f) for p in parts) for f in ("n", "n1", "pos", "tp")))
    window = rows(rng, beta, 1_000)
    result, shown = estimate(window.n, window.n1, learned(reference)), realised(window)
    for name, share in covered(result, shown).items():
        assert 0.92 <= share <= 0.98, (name, share)
    assert abs(float(np.mean(result.accuracy.value - shown["accuracy"]))) < 0.005
    assert abs(float(np.mean(result.auc.value - shown["auc"]))) < 0.005


def test_control_coverage_collapses_under_concept_shift() -> None:
    """A third of the labels ignores the score: the estimate does not notice."""
    rng = np.random.default_rng(32)
    reference, window = rows(rng, (0.8, 0.8), 4_000), rows(rng, (0.8, 0.8), 1_000, shifted=0.3)
    result, shown = estimate(window.n, window.n1, learned(reference)), realised(window)
    held = covered(result, shown)
    assert max(held["accuracy"], held["auc"], held["f1"]) < 0.15
    assert float(np.mean(result.accuracy.value - shown["accuracy"])) > 0.04


def bet_on_labels(map_: ScoreMap, windows: list[Rows]) -> np.ndarray:
    """Log e-values after each window, shape (runs, windows)."""
    increments = [
        binary.increments(
            n=window.n.sum(axis=1),
            s=(window.n1 + window.pos - 2 * window.tp).sum(axis=1),
            m=error_budget(window.n, window.n1, map_),
        )
        for window in windows
    ]
    return log_mean_exp(np.cumsum(np.stack(increments, axis=1), axis=1))


def test_bet_on_the_budget_finds_concept_shift_and_not_covariate_shift() -> None:
    """Harder scores raise no alarm; labels that ignore the score do, in nine of ten runs."""
    rng = np.random.default_rng(33)
    map_ = learned(rows(rng, (0.8, 0.8), 4_000))
    mixes = [(0.8, 0.8), (1.5, 1.5), (3.0, 3.0), (2.0, 1.0)]
    calm = bet_on_labels(map_, [rows(rng, mixes[i % 4], 200) for i in range(20)])
    level = 0.05 + 0.01
    limit = level + 3 * math.sqrt(level * (1 - level) / RUNS)
    assert np.mean(calm.max(axis=1) >= math.log(20)) <= limit
    moved = bet_on_labels(map_, [rows(rng, mixes[i % 4], 200, shifted=0.3) for i in range(20)])
    assert np.mean(moved.max(axis=1) >= math.log(20)) >= 0.9


def test_control_flat_budget_takes_covariate_shift_for_a_fault() -> None:
    """The error rate of the reference as limit alarms on harder cases alone."""
    rng = np.random.default_rng(34)
    windows = [rows(rng, (3.0, 3.0), 200) for _ in range(20)]
    flat = float(np.mean(realised(rows(rng, (0.8, 0.8), 4_000))["error_rate"]))
    s = np.stack([(w.n1 + w.pos - 2 * w.tp).sum(axis=1) for w in windows], axis=1)
    log_e = log_mean_exp(np.cumsum(binary.increments(n=200, s=s, m=flat), axis=1))
    assert np.mean(log_e.max(axis=1) >= math.log(20)) > 0.9


def test_decisions_inside_a_bin_have_shares_of_their_own() -> None:
    """A threshold inside a bin ties decision and truth together; one share a bin misses it."""
    n, n1, pos, tp = [1_000], [500], [500], [400]
    own = estimate(n, n1, ScoreMap.learn(n, pos, n1=n1, tp=tp))
    one = estimate(n, n1, ScoreMap.learn(n, pos))
    assert float(own.accuracy.value) == pytest.approx(0.8, abs=0.001)
    assert float(one.accuracy.value) == pytest.approx(0.5, abs=0.001)


def test_a_decision_never_seen_takes_the_share_of_its_bin() -> None:
    """With the variance of a guess."""
    map_ = ScoreMap.learn([999], [99], n1=[0], tp=[0])
    assert map_.rate[:, 0] == pytest.approx([0.0995, 0.0995])
    assert float(map_.variance[1, 0]) == pytest.approx(0.0995 * 0.9005)


def test_counts_of_windows_add() -> None:
    """Expected counts of two windows together are the sum of both; windows stack on an axis."""
    map_ = ScoreMap.learn([500, 500], [50, 450])
    n, n1 = np.array([[100, 50], [30, 80]]), np.array([[0, 50], [10, 80]])
    apart, together = estimate(n, n1, map_), estimate(n.sum(axis=0), n1.sum(axis=0), map_)
    sums = Confusion(*(cell.sum() for cell in apart.counts))
    assert [float(x) for x in sums] == pytest.approx([float(x) for x in together.counts])


def test_empty_window_is_unknown() -> None:
    """NaN, and nothing to bet on."""
    map_ = ScoreMap.known([0.1, 0.9])
    empty = estimate([0, 0], [0, 0], map_)
    assert math.isnan(empty.accuracy.value)
    assert math.isnan(empty.auc.value)
    assert math.isnan(error_budget([0, 0], [0, 0], map_))
    assert rescore("accuracy", empty.accuracy, 0.9).verdict == "cannot tell"


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.79, "below"), (0.82, "inside"), (0.86, "above"), (math.nan, "cannot tell")],
)
def test_rescore_says_where_the_labels_lie(value: float, verdict: str) -> None:
    """Against an estimate of .83 from .81 to .85."""
    result = Rescore("accuracy", estimated=0.83, low=0.81, high=0.85, realised=value)
    assert result.verdict == verdict
    assert result.outside == (verdict in ("below", "above"))


def test_rescore_in_words() -> None:
    """The sentence names estimate, interval and what was."""
    result = Rescore("accuracy", estimated=0.83, low=0.81, high=0.85, realised=0.79)
    assert (
        result.sentence == "accuracy: estimated 0.83 (0.81 to 0.85), was 0.79, below the interval"
    )
    assert result.gap == pytest.approx(-0.04)


def test_contradictions_are_refused() -> None:
    """The message says what does not fit."""
    with pytest.raises(ValueError, match="need 0 <= n1 <= n"):
        cells([10], [11])
    with pytest.raises(ValueError, match="2 score bins and the map 3"):
        estimate([1, 1], [0, 1], ScoreMap.known([0.1, 0.5, 0.9]))
    with pytest.raises(ValueError, match="pos"):
        ScoreMap.learn([10], [11])
    with pytest.raises(ConfigurationError, match="both or neither"):
        ScoreMap.learn([10], [5], n1=[5])
    with pytest.raises(ConfigurationError, match=r"\[0, 1\]"):
        ScoreMap.known([1.2])
    with pytest.raises(ConfigurationError, match="one window at a time"):
        rescore("accuracy", estimate([[5], [6]], [[1], [2]], ScoreMap.known([0.4])).accuracy, 0.5)
