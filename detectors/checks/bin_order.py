"""The order of bins is irrelevant where it is not promised to matter."""

from __future__ import annotations

import numpy as np

from detectors.checks.histograms import pairs
from detectors.contract import Comparison


def bin_order_is_irrelevant(unit: Comparison) -> None:
    """Shuffled bins give the same value; a measure of ordered bins gives another for some pair."""
    window, reference = pairs()
    order = np.random.default_rng(21).permutation(window.shape[-1])
    shuffled = unit.value(window[:, order], reference[:, order])
    same = np.allclose(unit.value(window, reference), shuffled, rtol=1e-9)
    assert same != unit.ordered
