"""The promise itself: expected false alarms are at most the sum of the shares."""

from __future__ import annotations

import math

import numpy as np

from detectors.checks.specimen import Specimen, State, Summary

RUNS, WINDOWS, SHARE = 1_000, 25, 0.01


def false_alarms_within_budget(specimen: Specimen[Summary, State]) -> None:
    """1,000 runs on the boundary, a look after every window, a new start at each alarm."""
    rng = np.random.default_rng(7)
    alarms = np.zeros(RUNS)
    for run in range(RUNS):
        test = specimen.make()
        for _ in range(WINDOWS):
            if test.update(specimen.null(rng), share=SHARE):
                alarms[run] += 1
                test.reset()
    error = float(alarms.std()) / math.sqrt(RUNS)
    assert alarms.mean() <= WINDOWS * SHARE + 3 * error
