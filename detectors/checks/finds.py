"""A test that never alarms keeps every level; this one does alarm."""

from __future__ import annotations

import numpy as np

from detectors.checks.specimen import Specimen, State, Summary

RUNS, WINDOWS = 20, 40


def finds_what_has_shifted(specimen: Specimen[Summary, State]) -> None:
    """In at least 18 of 20 runs within 40 windows, and with the alarm the wealth is at 1."""
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(RUNS):
        test = specimen.make()
        for _ in range(WINDOWS):
            if test.update(specimen.shifted(rng), share=1e-3):
                assert test.log_m >= 0.0
                found += 1
                break
    assert found >= 18, f"found in {found} of {RUNS} runs"
