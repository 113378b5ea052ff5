"""After a reset nothing of the past is left."""

from __future__ import annotations

import math

from detectors.checks.specimen import Specimen, State, Summary


def reset_starts_anew(specimen: Specimen[Summary, State]) -> None:
    """State and wealth are those of a new test, and so is the answer to the next windows."""
    test, fresh = specimen.make(), specimen.make()
    assert fresh.log_m == -math.inf
    for window in specimen.mixed(seed=3, count=8):
        test.update(window, share=1e-3)
    test.reset()
    assert test.log_m == -math.inf
    assert test.state() == fresh.state()
    for window in specimen.mixed(seed=4, count=4):
        assert test.update(window, share=1e-3) == fresh.update(window, share=1e-3)
    assert test.state() == fresh.state()
