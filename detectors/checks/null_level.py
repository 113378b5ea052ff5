"""Without drift, a threshold is exceeded as often as it says."""

from __future__ import annotations

import math

import numpy as np

from detectors.arrays import BoolArray
from detectors.checks.histograms import LAW, drawn
from detectors.contract import Comparison

RUNS, WINDOW, REFERENCE = 4_000, 1_000, 20_000
LEVELS = (0.1, 0.02)


def level_without_drift(unit: Comparison) -> None:
    """Within 3 standard errors of the level; below it for a conservative one; p-values alike."""
    rng = np.random.default_rng(23)
    window, reference = drawn(rng, WINDOW, runs=RUNS), drawn(rng, REFERENCE, runs=RUNS)
    for level in LEVELS:
        if unit.threshold is not None:
            limit = unit.threshold(WINDOW, REFERENCE, LAW.size, level)
            _holds(unit.value(window, reference) > limit, level, conservative=unit.conservative)
        if unit.p_value is not None:
            _holds(unit.p_value(window, reference) < level, level, conservative=unit.conservative)
    if unit.corrected is not None:
        plain, corrected = unit.value(window, reference), unit.corrected(window, reference)
        assert 0.0 <= abs(float(corrected.mean())) < 0.5 * float(plain.mean())


def _holds(exceeded: BoolArray, level: float, *, conservative: bool) -> None:
    error = 3 * math.sqrt(level * (1 - level) / RUNS)
    share = float(np.mean(exceeded))
    assert share <= level + error, f"{share} of windows without drift exceed the level {level}"
    assert conservative or share >= level - error, f"only {share} exceed the level {level}"
