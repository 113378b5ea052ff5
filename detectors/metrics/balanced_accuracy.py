"""Balanced accuracy: the mean of the accuracies on positives and on negatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.metrics.confusion import Confusion
from detectors.metrics.estimate import Estimate
from detectors.metrics.rates import RECALL, SPECIFICITY


@dataclass(frozen=True, slots=True)
class BalancedAccuracy:
    """Mean of recall and specificity; 1/2 for a decision that ignores its input.

    The interval puts Wilson's intervals of both together by the square-and-add rule, so it is
    right at a perfect score too.

    Examples
    --------
    >>> from detectors.metrics.confusion import confusion
    >>> number = BALANCED_ACCURACY.interval(confusion(40, 10, 20, 130))
    >>> [round(float(x), 4) for x in number]
    [0.7976, 0.7288, 0.853]

    References
    ----------
    .. [1] Newcombe, Interval estimation for the difference between independent proportions,
       Statistics in Medicine 17, 1998.
    """

    name: str = "balanced accuracy"

    def value(self, counts: Confusion) -> FloatArray:
        """The mean; NaN where a class is empty."""
        return as_floats((RECALL.value(counts) + SPECIFICITY.value(counts)) / 2.0)

    def gradient(self, counts: Confusion) -> Confusion:
        """Change of the mean for one more event in each cell."""
        first, second = RECALL.gradient(counts), SPECIFICITY.gradient(counts)
        return Confusion(*(as_floats((a + b) / 2.0) for a, b in zip(first, second, strict=True)))

    def interval(self, counts: Confusion, alpha: float = 0.05) -> Estimate:
        """The mean with its interval."""
        first, second = RECALL.interval(counts, alpha), SPECIFICITY.interval(counts, alpha)
        centre = self.value(counts)
        down = np.hypot(first.value - first.low, second.value - second.low) / 2.0
        up = np.hypot(first.high - first.value, second.high - second.value) / 2.0
        return Estimate(centre, as_floats(centre - down), as_floats(centre + up))


BALANCED_ACCURACY = BalancedAccuracy()
"""Balanced accuracy."""
