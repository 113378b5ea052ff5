"""Nothing lies between a distribution and itself."""

from __future__ import annotations

import numpy as np

from detectors.checks.histograms import LAW, pairs
from detectors.contract import Comparison


def nothing_between_equal_shares(unit: Comparison) -> None:
    """Equal counts give 0, equal shares of many events nearly 0, and no pair less than 0."""
    window, reference = pairs()
    assert np.allclose(unit.value(window, window), 0.0, rtol=0.0, atol=1e-12)
    assert float(unit.value(LAW * 1e6, LAW * 7e6)) < 1e-6
    apart = unit.value(window, reference)
    assert (apart >= 0.0).all()
    assert (apart[(window > 0).any(axis=-1)] > 1e-6).any()
