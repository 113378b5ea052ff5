"""Histograms on which comparisons are tried."""

from __future__ import annotations

import numpy as np

from detectors.arrays import FloatArray, as_floats

LAW: FloatArray = as_floats([0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1, 0.05])


def drawn(rng: np.random.Generator, size: int, *, runs: int = 1) -> FloatArray:
    """Counts of `size` events in 8 bins for each run, shape (runs, 8)."""
    return as_floats(rng.multinomial(size, LAW, size=runs))


def pairs() -> tuple[FloatArray, FloatArray]:
    """Windows and references of many sizes and shapes, each (40, 6), some bins empty."""
    rng = np.random.default_rng(20)
    laws = rng.dirichlet(np.full(6, 0.4), size=40)
    window = [rng.multinomial(rng.integers(1, 400), law) for law in laws]
    reference = [rng.multinomial(rng.integers(1, 5_000), law) for law in laws[::-1]]
    return as_floats(window), as_floats(reference)
