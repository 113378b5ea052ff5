"""Bins may be empty; a side without events cannot be told."""

from __future__ import annotations

import numpy as np

from detectors.contract import Comparison

BINS = 5


def accepts_empty_bins(unit: Comparison) -> None:
    """A finite value where events do not overlap, NaN where a side has none, no warning."""
    left, right, none = np.zeros(BINS), np.zeros(BINS), np.zeros(BINS)
    left[0], right[1] = 30.0, 300.0
    sides = [(left, right), (right, left), (left, left + right)]
    with np.errstate(all="raise"):
        assert all(np.isfinite(unit.value(*pair)) and unit.value(*pair) > 0.0 for pair in sides)
        for measure in (unit.value, unit.corrected, unit.p_value):
            if measure is not None:
                assert np.isfinite([measure(*pair) for pair in sides]).all()
                assert np.isnan([measure(none, right), measure(left, none)]).all()
