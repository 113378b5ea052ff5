"""Confidence-based performance estimation: the quality of a classifier before labels arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.estimation.expected_errors import allowance, expected_errors, fitting
from detectors.estimation.score_map import ScoreMap, cells
from detectors.metrics import auc
from detectors.metrics.confusion import Confusion, ConfusionMetric, confusion, divide
from detectors.metrics.estimate import Estimate, normal_at
from detectors.metrics.f1 import F1
from detectors.metrics.rates import ACCURACY, ERROR_RATE, PRECISION, RECALL

ASSUMPTION = "assumes P(label | score) unchanged"
"""Goes with every number of this file; a model may fail in a way that its own score hides."""

_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Performance:
    """Estimates of what the labels of a window will show; arrays of one shape.

    An interval is for the value that the window's own labels will give, so it holds their noise
    as well as that of the map.
    """

    counts: Confusion
    """Expected confusion counts."""
    tp: Estimate
    fp: Estimate
    fn: Estimate
    tn: Estimate
    accuracy: Estimate
    error_rate: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    auc: Estimate
    """Area of the binned scores: compare with `detectors.metrics.auc` on the same bins."""
    assumption: str = ASSUMPTION


def estimate(n: ArrayLike, n1: ArrayLike, score_map: ScoreMap, alpha: float = 0.05) -> Performance:
    """Estimate the performance in a window without labels.

    Right while a score and decision mean what they meant in the reference, however the mix of
    scores moves (covariate shift). Wrong, without any sign of it, when they do not (concept
    shift): compare with the labels when they come, see `detectors.estimation.rescore`, and
    never roll back on an estimate.

    Parameters
    ----------
    n, n1
        Rows, and rows with a positive decision, of each score bin, shape (..., B).
    score_map
        Shares of positives of the same bins.
    alpha
        One less the nominal coverage of each interval.

    Returns
    -------
    Estimates of shape (...); NaN where a metric is undefined, as for an empty window.

    Raises
    ------
    ValueError
        Counts that contradict each other or do not fit the map.

    Examples
    --------
    >>> result = estimate([100, 100, 100], [0, 60, 100], ScoreMap.known([0.1, 0.5, 0.9]))
    >>> [round(float(x), 4) for x in result.accuracy]
    [0.7667, 0.7238, 0.8095]
    >>> [round(float(x)) for x in result.counts]
    [120, 40, 30, 110]
    >>> result.assumption
    'assumes P(label | score) unchanged'

    References
    ----------
    .. [1] Białek, Kivimäki, Kuberski, Perrakis, Estimating model performance under covariate shift
       without labels, NeurIPS 2025, arXiv 2401.08348 (CBPE as its baseline).
    """
    rows = fitting(cells(n, n1), score_map)
    positive = rows * score_map.rate
    negative = rows - positive
    counts = _confusion(positive, negative)

    def number(metric: ConfusionMetric) -> Estimate:
        spread = _variance(rows, score_map, _per_cell(metric.gradient(counts), rows))
        return normal_at(metric.value(counts), spread, alpha=alpha)

    def count(name: str) -> Estimate:
        unit = Confusion(*(np.full(counts.tp.shape, float(x == name)) for x in Confusion._fields))
        spread = _variance(rows, score_map, _per_cell(unit, rows))
        value, decided = getattr(counts, name), rows[..., int(name in ("tp", "fp")), :]
        return normal_at(value, spread, high=decided.sum(axis=-1), alpha=alpha)

    return Performance(
        counts=counts,
        tp=count("tp"),
        fp=count("fp"),
        fn=count("fn"),
        tn=count("tn"),
        accuracy=number(ACCURACY),
        error_rate=number(ERROR_RATE),
        precision=number(PRECISION),
        recall=number(RECALL),
        f1=number(F1),
        auc=_area(rows, positive, negative, score_map, alpha),
    )


def estimate_auc(n: ArrayLike, score_map: ScoreMap, alpha: float = 0.05) -> Estimate:
    """The area of `estimate` alone, for which decisions do not matter.

    Parameters
    ----------
    n
        Rows of each score bin, shape (..., B).
    score_map, alpha
        As there.

    Examples
    --------
    >>> number = estimate_auc([100, 100, 100], ScoreMap.known([0.1, 0.5, 0.9]))
    >>> round(float(number.value), 4)
    0.8556
    """
    rows = fitting(cells(n, np.zeros_like(as_floats(n))), score_map)
    positive = rows * score_map.rate
    return _area(rows, positive, rows - positive, score_map, alpha)


def error_budget(
    n: ArrayLike, n1: ArrayLike, score_map: ScoreMap, *, alpha: float = 0.01, tolerance: float = 0.0
) -> FloatArray:
    """Highest error rate that a window's scores explain: the limit of a bet on its labels.

    While P(label | score, decision) is that of the reference, the expected error rate of the
    window lies below this limit, but for an error of the map that has chance `alpha` for each
    mix of scores and stays the same in all windows of that mix. So `detectors.bets.binary` with
    this `m` on the window's matured labels is a test for concept shift, at any time: a harder
    mix of cases raises the limit and not an alarm.

    Parameters
    ----------
    n, n1
        Rows and positive decisions of the labelled rows of the window, shape (..., B).
    score_map
        Shares of positives of the same bins.
    alpha
        Chance that the map's error exceeds what is allowed for.
    tolerance
        Error rate that is tolerated on top.

    Returns
    -------
    Shape (...), inside (0, 1); NaN for an empty window, which must be skipped.

    Examples
    --------
    >>> score_map = ScoreMap.learn([1_000, 1_000], [100, 900])
    >>> round(float(error_budget([500, 500], [0, 500], score_map)), 4)
    0.116
    """
    found = expected_errors(n, n1, score_map)
    limit = divide(found.s, found.n) + allowance(n, n1, score_map, alpha=alpha) + tolerance
    return as_floats(np.clip(limit, _EDGE, 1.0 - _EDGE))


def _confusion(positive: FloatArray, negative: FloatArray) -> Confusion:
    p, q = positive.sum(axis=-1), negative.sum(axis=-1)
    return confusion(tp=p[..., 1], fp=q[..., 1], fn=p[..., 0], tn=q[..., 0])


def _per_cell(gradient: Confusion, rows: FloatArray) -> FloatArray:
    """Change of a metric when one event of a cell turns from negative to positive."""
    turned = np.stack([gradient.fn - gradient.tn, gradient.tp - gradient.fp], axis=-1)
    return as_floats(np.broadcast_to(turned[..., None], rows.shape))


def _variance(rows: FloatArray, score_map: ScoreMap, slope: FloatArray) -> FloatArray:
    """Noise of the outcomes given the shares, and of the shares themselves."""
    outcome = rows * score_map.rate * (1.0 - score_map.rate) * slope**2
    return as_floats(outcome.sum(axis=(-2, -1)) + score_map.noise(rows * slope))


def _area(
    rows: FloatArray, positive: FloatArray, negative: FloatArray, score_map: ScoreMap, alpha: float
) -> Estimate:
    """Area under the curve; a bin is one score, whatever was decided in it."""
    pos, neg = positive.sum(axis=-2), negative.sum(axis=-2)
    slope = np.broadcast_to(auc.relabel_gradient(pos, neg)[..., None, :], rows.shape)
    return normal_at(auc.auc(pos, neg), _variance(rows, score_map, as_floats(slope)), alpha=alpha)
