"""A value depends on the pooled counts of its own pair and on nothing else."""

from __future__ import annotations

import numpy as np

from detectors.checks.histograms import pairs
from detectors.contract import Comparison


def computed_alone(unit: Comparison) -> None:
    """Rows counted in parts and added give the value of all rows; a batch gives that of each."""
    rng = np.random.default_rng(22)
    window, reference = pairs()
    whole = unit.value(window, reference)
    for place, counts in enumerate(window):
        rows = rng.permutation(np.repeat(np.arange(counts.size), counts.astype(np.int64)))
        cuts = np.sort(rng.integers(0, rows.size + 1, size=3))
        parts = [np.bincount(part, minlength=counts.size) for part in np.split(rows, cuts)]
        alone = unit.value(sum(parts, np.zeros(counts.size)), reference[place])
        assert float(alone) == float(whole[place])
