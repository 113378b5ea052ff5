"""Matthews correlation coefficient: agreement of decision and truth beyond both base rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.metrics.confusion import Confusion, delta_variance, divide
from detectors.metrics.estimate import Estimate, wilson_at


@dataclass(frozen=True, slots=True)
class MatthewsCorrelation:
    """Correlation of decision and truth, in [-1, 1].

    The interval is Wilson's at the variance of the delta method; with fewer than some twenty
    events in the rarer class or decision it is rough.

    Examples
    --------
    >>> from detectors.metrics.confusion import confusion
    >>> number = MCC.interval(confusion(40, 10, 20, 130))
    >>> [round(float(x), 4) for x in number]
    [0.6299, 0.4967, 0.7342]

    References
    ----------
    .. [1] Matthews, Comparison of the predicted and observed secondary structure of T4 phage
       lysozyme, Biochimica et Biophysica Acta 405, 1975.
    """

    name: str = "MCC"

    def value(self, counts: Confusion) -> FloatArray:
        """The coefficient; NaN where a class or a decision never occurs."""
        tp, fp, fn, tn = counts
        return divide(tp * tn - fp * fn, _root(counts))

    def gradient(self, counts: Confusion) -> Confusion:
        """Change of the coefficient for one more event in each cell."""
        tp, fp, fn, tn = counts
        root, half = _root(counts), self.value(counts) / 2.0
        yes, no = divide(half, tp + fp), divide(half, tn + fn)
        positive, negative = divide(half, tp + fn), divide(half, tn + fp)
        return Confusion(
            tp=as_floats(divide(tn, root) - yes - positive),
            fp=as_floats(divide(-fn, root) - yes - negative),
            fn=as_floats(divide(-fp, root) - no - positive),
            tn=as_floats(divide(tp, root) - no - negative),
        )

    def interval(self, counts: Confusion, alpha: float = 0.05) -> Estimate:
        """The coefficient with its interval."""
        rarer = np.minimum(counts.tp + counts.fn, counts.tn + counts.fp)
        variance = delta_variance(counts, self.gradient(counts))
        return wilson_at(self.value(counts), variance, fallback=rarer, low=-1.0, alpha=alpha)


def _root(counts: Confusion) -> FloatArray:
    """Square root of the product of the four margins, in two factors to avoid an overflow."""
    tp, fp, fn, tn = counts
    return as_floats(np.sqrt((tp + fp) * (tn + fn)) * np.sqrt((tp + fn) * (tn + fp)))


MCC = MatthewsCorrelation()
"""The Matthews correlation coefficient."""
