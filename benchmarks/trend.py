"""Whether a series is flat: its slope by robust regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SETTLED = 0.25
"""The first share of a run is left out: stores and caches fill."""

GROWTH_SHARE, GROWTH_MB = 0.05, 20.0
"""Flat is a growth an hour below either of them."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Growth an hour and the level it starts from, both in the unit of the series."""

    level: float
    per_hour: float

    @property
    def flat(self) -> bool:
        """Whether it grows by less than a twentieth, or 20 MB, an hour."""
        return self.per_hour < max(GROWTH_SHARE * self.level, GROWTH_MB)


def trend(seconds: Sequence[float], values: Sequence[float]) -> Trend:
    """Median of the slopes between all pairs of points, after the start is left out.

    Half of the points may be anything without moving it far: a compaction, a burst.

    Parameters
    ----------
    seconds
        When each value was taken, ascending.
    values
        At least two of them after the start.

    References
    ----------
    .. [1] Sen, Estimates of the regression coefficient based on Kendall's tau, 1968.

    Examples
    --------
    >>> trend([0, 900, 1_800, 2_700, 3_600], [10, 100, 900, 102, 103])
    Trend(level=100.0, per_hour=4.0)
    """
    times, levels = np.asarray(seconds, float), np.asarray(values, float)
    kept = times >= times[0] + SETTLED * (times[-1] - times[0])
    times, levels = times[kept], levels[kept]
    first, second = np.triu_indices(len(times), 1)
    slope = float(np.median((levels[second] - levels[first]) / (times[second] - times[first])))
    level = float(np.median(levels - slope * (times - times[0])))
    return Trend(level=round(level, 3), per_hour=round(3_600 * slope, 3))
