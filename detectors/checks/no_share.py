"""Who has nothing cannot win."""

from __future__ import annotations

import math

import numpy as np

from detectors.checks.specimen import Specimen, State, Summary


def no_alarm_without_budget(specimen: Specimen[Summary, State]) -> None:
    """Shares of 0 from a fresh start leave no wealth, whatever the windows show."""
    rng = np.random.default_rng(6)
    test = specimen.make()
    for _ in range(8):
        assert not test.update(specimen.shifted(rng), share=0.0)
        assert test.log_m == -math.inf
