"""Are groups of people treated alike? Gaps to look at, and tests that may be looked at for ever.

Where base rates differ, the criteria exclude each other: choose one for each model.
"""

from detectors.fairness.four_fifths import GroupCounts, GroupTest, rate_deficit, rate_excess
from detectors.fairness.gaps import Gaps, calibration_gaps

__all__ = [
    "Gaps",
    "GroupCounts",
    "GroupTest",
    "calibration_gaps",
    "rate_deficit",
    "rate_excess",
]
