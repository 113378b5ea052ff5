"""Window and reference may be swapped where that is promised."""

from __future__ import annotations

import numpy as np

from detectors.checks.histograms import pairs
from detectors.contract import Comparison


def window_and_reference_may_be_swapped(unit: Comparison) -> None:
    """The same value both ways round; without the promise, another for some pair."""
    window, reference = pairs()
    same = np.allclose(unit.value(window, reference), unit.value(reference, window), rtol=1e-9)
    assert same == unit.symmetric
