"""Metrics that are a share of some cells of the confusion counts: accuracy, precision, recall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.intervals import wilson
from detectors.metrics.confusion import Confusion, divide
from detectors.metrics.estimate import Estimate

Cell: TypeAlias = Literal["tp", "fp", "fn", "tn"]


@dataclass(frozen=True, slots=True)
class Share:
    """Share of the cells ``of`` that lies in the cells ``hits``, with Wilson's interval.

    Parameters
    ----------
    name
        The field's word for it.
    hits, of
        Cells; every hit is among ``of``.

    Examples
    --------
    >>> from detectors.metrics.confusion import confusion
    >>> counts = confusion(40, 10, 20, 130)
    >>> [round(float(share.value(counts)), 4) for share in (ACCURACY, PRECISION, RECALL)]
    [0.85, 0.8, 0.6667]
    >>> number = PRECISION.interval(counts)
    >>> round(float(number.low), 4), round(float(number.high), 4)
    (0.6696, 0.8876)

    References
    ----------
    .. [1] Wilson, Probable inference, the law of succession, and statistical inference, JASA 22,
       1927.
    """

    name: str
    hits: tuple[Cell, ...]
    of: tuple[Cell, ...]

    def value(self, counts: Confusion) -> FloatArray:
        """The share; NaN where the cells ``of`` are empty."""
        return divide(_sum(counts, self.hits), _sum(counts, self.of))

    def gradient(self, counts: Confusion) -> Confusion:
        """Change of the share for one more event in each cell."""
        share, size = self.value(counts), _sum(counts, self.of)
        zero = np.zeros_like(size)
        slopes = (
            divide(float(cell in self.hits) - share, size) if cell in self.of else zero
            for cell in Confusion._fields
        )
        return Confusion(*slopes)

    def interval(self, counts: Confusion, alpha: float = 0.05) -> Estimate:
        """The share with Wilson's interval."""
        low, high = wilson(_sum(counts, self.hits), _sum(counts, self.of), alpha)
        return Estimate(self.value(counts), low, high)


def _sum(counts: Confusion, cells: tuple[Cell, ...]) -> FloatArray:
    return as_floats(np.sum(np.stack([getattr(counts, cell) for cell in cells]), axis=0))


_ALL: tuple[Cell, ...] = ("tp", "fp", "fn", "tn")

ACCURACY = Share("accuracy", hits=("tp", "tn"), of=_ALL)
"""Share of right decisions."""

ERROR_RATE = Share("error rate", hits=("fp", "fn"), of=_ALL)
"""Share of wrong decisions."""

PRECISION = Share("precision", hits=("tp",), of=("tp", "fp"))
"""Share of predicted positives that are positive."""

RECALL = Share("recall", hits=("tp",), of=("tp", "fn"))
"""Share of positives that are predicted positive; the true positive rate."""

SPECIFICITY = Share("specificity", hits=("tn",), of=("tn", "fp"))
"""Share of negatives that are predicted negative; one less the false positive rate."""
