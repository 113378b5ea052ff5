"""More confidence, a wider interval."""

from __future__ import annotations

import numpy as np

from detectors.checks.histograms import pairs
from detectors.contract import Comparison


def intervals_are_nested(unit: Comparison) -> None:
    """Ends in order, at least 0, and the interval at 95 % holds the one at 80 %."""
    if unit.interval is None:
        return
    window, reference = pairs()
    low, high = unit.interval(window, reference, 0.05)
    inner_low, inner_high = unit.interval(window, reference, 0.2)
    assert np.isfinite(high).all()
    assert (low >= 0.0).all()
    assert (low <= inner_low).all()
    assert (inner_low <= inner_high).all()
    assert (inner_high <= high).all()
    assert (low < high).any()
