"""What detectors promise: two contracts, to which `detectors.checks` holds every export.

A *sequential test* decides, window after window, and spends from a budget of false alarms. A
*comparison* describes how far one histogram is from another and decides nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from detectors.arrays import ArrayLike, FloatArray

Summary_contra = TypeVar("Summary_contra", contravariant=True)
State = TypeVar("State")

Measure = Callable[[ArrayLike, ArrayLike], FloatArray]
"""From counts of a window and of a reference, each (..., B), to one number for each pair."""

Threshold = Callable[[int, int, int, float], float]
"""From events of the window, events of the reference, bins and level to a value."""

Interval = Callable[[ArrayLike, ArrayLike, float], tuple[FloatArray, FloatArray]]
"""From counts and one less the coverage to the lower and the upper ends."""


class SequentialTest(Protocol[Summary_contra, State]):
    """A test on window summaries that may be looked at after every window.

    While its null hypothesis holds, the expected number of alarms is at most the sum of the
    shares that it was given. It is deterministic, holds no clock, and an empty window changes
    nothing.
    """

    @property
    def log_m(self) -> float:
        """Natural log of the wealth: an alarm at 0 or above, ``-inf`` for a fresh start."""

    def update(self, summary: Summary_contra, /, *, share: float) -> bool:
        """Bet on one window with its share of the false-alarm budget; whether it alarms.

        The share lies in [0, 1] and is fixed before the window is seen.

        Raises
        ------
        ValueError
            A summary of another shape, or one that is not finite; the test is as before.
        """

    def reset(self) -> None:
        """Start anew, as after an alarm."""

    def state(self) -> State:
        """What the test remembers between windows, in values that JSON knows."""

    def resume(self, state: State) -> Self:
        """A test with these settings that goes on from a `state`, bit for bit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A measure of the distance of two histograms, and what is known about it.

    Parameters
    ----------
    name
        The field's word for it.
    value
        The measure: 0 for equal shares, otherwise above; NaN where a side is empty.
    corrected
        The value less what chance alone explains; None where that is not known.
    threshold
        What an unchanged window exceeds with the chance of the level.
    p_value
        Chance of a value this large without drift, for one look.
    interval
        Ends for the true distance, for one look.
    ordered
        Whether neighbouring bins are close to each other, so that the order of bins matters.
    symmetric
        Whether window and reference may be swapped.
    conservative
        Whether the level of `threshold` and `p_value` is an upper bound instead of exact.

    Examples
    --------
    >>> from detectors.drift import PSI
    >>> round(float(PSI.value([50, 30, 20], [400, 400, 200])), 6)
    0.049755
    >>> PSI.ordered
    False
    """

    name: str
    value: Measure
    corrected: Measure | None = None
    threshold: Threshold | None = None
    p_value: Measure | None = None
    interval: Interval | None = None
    ordered: bool = False
    symmetric: bool = True
    conservative: bool = False
