"""Budgets by hour of the week: what is usual at this hour is no alarm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, IntArray, as_floats
from schemas.errors import ConfigurationError

SLOTS = 168
"""Hours of a week, from Monday 00:00 UTC."""

HOUR_MS = 3_600_000
WEEK_MS = SLOTS * HOUR_MS

_EPOCH_SLOT = 72
"""1970-01-01 was a Thursday."""

_EDGE = 1e-6


def hour_of_week(time_ms: ArrayLike) -> IntArray:
    """Hour of the week of a time, in UTC.

    Parameters
    ----------
    time_ms
        Milliseconds since 1970-01-01 00:00 UTC, integers, shape (...).

    Returns
    -------
    Shape (...), 0 for Monday 00:00 to 01:00, up to 167.

    Examples
    --------
    Monday 2024-01-01 00:30 and Sunday 2023-12-31 23:59:59.999:

    >>> hour_of_week([1_704_069_000_000, 1_704_067_199_999]).tolist()
    [0, 167]
    """
    hours = np.asarray(time_ms, dtype=np.int64) // HOUR_MS
    return np.asarray((hours + _EPOCH_SLOT) % SLOTS, dtype=np.int64)


def slot_hours(start_ms: int, end_ms: int) -> FloatArray:
    """Hours of a window that fall into each hour of the week.

    Parameters
    ----------
    start_ms, end_ms
        The window [start, end), milliseconds since 1970-01-01 00:00 UTC.

    Returns
    -------
    Shape (168,); the sum is the length of the window in hours.

    Raises
    ------
    ConfigurationError
        A window that does not end after its start.

    Examples
    --------
    Two and a half hours from Monday 00:30:

    >>> slot_hours(1_704_069_000_000, 1_704_078_000_000)[:4].tolist()
    [0.5, 1.0, 1.0, 0.0]
    """
    if not end_ms > start_ms:
        raise ConfigurationError(f"the window [{start_ms}, {end_ms}) ms ends before it starts")
    whole_weeks, rest_ms = divmod(end_ms - start_ms, WEEK_MS)
    hours = np.full(SLOTS, float(whole_weeks))
    first, last = start_ms // HOUR_MS, (start_ms + rest_ms - 1) // HOUR_MS
    begin = np.arange(first, last + 1, dtype=np.int64) * HOUR_MS
    inside = np.minimum(begin + HOUR_MS, start_ms + rest_ms) - np.maximum(begin, start_ms)
    np.add.at(hours, hour_of_week(begin), np.maximum(inside, 0) / HOUR_MS)
    return hours


@dataclass(frozen=True, slots=True)
class SeasonalBudget:
    """Limit of a rate or mean for each window, from reference sums by hour of the week.

    A bet whose limit follows the season keeps its false-alarm budget as far as the reference
    tells the season right: the promise is approximate. Where a baseline runs beside the model,
    compare with it instead (`detectors.bets.two_sample`): season cancels exactly there.

    Parameters
    ----------
    n, s
        Events and sum of the metric in each hour of the week, shape (168,), in the order of
        `hour_of_week`.
    tolerance
        What is added to the usual level.
    prior
        Events with which the level of all hours is mixed into that of each hour.

    Examples
    --------
    >>> import numpy as np
    >>> night = np.arange(168) % 24 < 6
    >>> budget = SeasonalBudget.of(np.full(168, 1_000), np.where(night, 100, 20), tolerance=0.01)
    >>> monday_ms = 1_704_067_200_000
    >>> [round(budget.limit(monday_ms + h * HOUR_MS, monday_ms + (h + 1) * HOUR_MS), 4)
    ...  for h in (3, 12)]
    [0.1071, 0.031]

    References
    ----------
    .. [1] Efron, Morris, Data analysis using Stein's estimator and its generalizations, JASA 70,
       1975 (the shrinkage).
    """

    rate: FloatArray
    """Usual level of each hour of the week, shape (168,), shrunk."""
    traffic: FloatArray
    """Events of the reference in each hour of the week, shape (168,)."""
    tolerance: float

    @classmethod
    def of(cls, n: ArrayLike, s: ArrayLike, *, tolerance: float = 0.0, prior: float = 50.0) -> Self:
        """Build the budget from reference sums.

        Raises
        ------
        ConfigurationError
            No events, sums of another shape than (168,), or a negative tolerance or prior.
        """
        count, total = as_floats(n), as_floats(s)
        if count.shape != (SLOTS,) or total.shape != (SLOTS,) or not count.sum() > 0.0:
            raise ConfigurationError(
                f"reference sums have shapes {count.shape} and {total.shape} and "
                f"{float(count.sum()):g} events; need (168,) each and at least 1 event"
            )
        if not (tolerance >= 0.0 and prior > 0.0):
            raise ConfigurationError(
                f"tolerance is {tolerance:g} and prior {prior:g}; need at least 0, and above 0"
            )
        level = total.sum() / count.sum()
        rate = (total + prior * level) / (count + prior)
        return cls(rate=as_floats(rate), traffic=count, tolerance=tolerance)

    def expected(self, start_ms: int, end_ms: int) -> float:
        """Usual level of a window; hours count by how much of them it covers and their traffic.

        Parameters
        ----------
        start_ms, end_ms
            The window [start, end), milliseconds since 1970-01-01 00:00 UTC.
        """
        # One event more for each hour, so that hours without a reference count by their length.
        weight = slot_hours(start_ms, end_ms) * (self.traffic + 1.0)
        return float(np.sum(weight * self.rate) / np.sum(weight))

    def limit(self, start_ms: int, end_ms: int) -> float:
        """Limit `m` of a bet on the window, inside (0, 1); known before the window is seen."""
        level = self.expected(start_ms, end_ms) + self.tolerance
        return float(np.clip(level, _EDGE, 1.0 - _EDGE))
