"""F1 score: the harmonic mean of precision and recall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.intervals import wilson
from detectors.metrics.confusion import Confusion, divide
from detectors.metrics.estimate import Estimate


@dataclass(frozen=True, slots=True)
class F1Score:
    """F1 score, ``2 tp / (2 tp + fp + fn)``; true negatives do not matter.

    ``J = tp / (tp + fp + fn)``, Jaccard's index, is a share of the rows that are positive in
    decision or truth, and ``F1 = 2 J / (1 + J)`` rises with it: Wilson's interval of the one
    gives the interval of the other, also at a score of 1.

    Examples
    --------
    >>> from detectors.metrics.confusion import confusion
    >>> number = F1.interval(confusion(40, 10, 20, 130))
    >>> [round(float(x), 4) for x in number]
    [0.7273, 0.6252, 0.81]

    References
    ----------
    .. [1] Takahashi, Yamamoto, Kuchiba, Koyama, Confidence interval for micro-averaged F1 and
       macro-averaged F1 scores, Applied Intelligence 52, 2022.
    """

    name: str = "F1"

    def value(self, counts: Confusion) -> FloatArray:
        """The score; NaN where there is no positive, neither in decision nor in truth."""
        twice = 2.0 * counts.tp
        return divide(twice, twice + counts.fp + counts.fn)

    def gradient(self, counts: Confusion) -> Confusion:
        """Change of the score for one more event in each cell."""
        score, size = self.value(counts), 2.0 * counts.tp + counts.fp + counts.fn
        missed = divide(-score, size)
        return Confusion(
            tp=divide(2.0 - 2.0 * score, size), fp=missed, fn=missed, tn=np.zeros_like(size)
        )

    def interval(self, counts: Confusion, alpha: float = 0.05) -> Estimate:
        """The score with its interval."""
        low, high = wilson(counts.tp, counts.tp + counts.fp + counts.fn, alpha)
        return Estimate(self.value(counts), _from_jaccard(low), _from_jaccard(high))


def _from_jaccard(index: FloatArray) -> FloatArray:
    return as_floats(2.0 * index / (1.0 + index))


F1 = F1Score()
"""The F1 score."""
