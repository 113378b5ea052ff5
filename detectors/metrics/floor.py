"""Floor test: alarm when the confidence sequence of a smooth metric lies below its floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from detectors.metrics.asymptotic import BURN_IN, GUARANTEE, AsymptoticConfidenceSequence
from detectors.sequential.confidence_sequence import Interval
from detectors.sequential.e_process import log_threshold


class FloorTest:
    """Alarm when the mean of a metric over windows is below `floor`, at every look at once.

    For AUC, F1 and other metrics that are no mean of rows. In the limit of many windows, the
    chance of ever alarming while the mean is at or above the floor is at most `alpha`, for one
    life from a start to a `reset`. The mean is that of a life, so a long healthy one hides a
    later fall: give it a life as long as the fall you want to see, a week for example.

    No `detectors.contract.SequentialTest`: it has one `alpha` for a life in place of a share for
    each window, and an interval in place of a wealth. Its promise is asymptotic, so the laws of
    `detectors.checks`, which are exact, are not tried on it.

    Parameters
    ----------
    floor
        Lowest acceptable mean.
    alpha
        Chance of a false alarm in one life, in (0, 1).
    n_opt
        Windows after which the test is sharpest.
    burn_in
        Windows before the first look.

    Examples
    --------
    >>> test = FloorTest(floor=0.90)
    >>> values = [0.91, 0.89, 0.90] * 8 + [0.84, 0.85] * 12
    >>> alarms = [test.update(value) for value in values]
    >>> alarms.index(True)
    33
    >>> test.guarantee
    'asymptotic'
    """

    guarantee = GUARANTEE

    def __init__(
        self, floor: float, alpha: float = 0.05, n_opt: float = 200.0, burn_in: int = BURN_IN
    ) -> None:
        log_threshold(alpha)
        self.floor = floor
        self.alpha = alpha
        self._sequence = AsymptoticConfidenceSequence(n_opt, burn_in)

    def update(self, value: float) -> bool:
        """Add the value of one window and return whether the test alarms.

        Raises
        ------
        ValueError
            A value that is not finite.
        """
        self._sequence.update(value)
        return self.interval.high < self.floor

    @property
    def interval(self) -> Interval:
        """Interval of the mean; unbounded before the burn-in is over."""
        return self._sequence.interval(self.alpha)

    def reset(self) -> None:
        """Start a new life."""
        self._sequence = AsymptoticConfidenceSequence(self._sequence.n_opt, self._sequence.burn_in)

    def state(self) -> list[float]:
        """Everything `restore` needs beside the settings."""
        return self._sequence.state()

    def resume(self, state: Sequence[float]) -> Self:
        """A test with the same settings that goes on from a `state`."""
        n_opt, burn_in = self._sequence.n_opt, self._sequence.burn_in
        test = type(self)(self.floor, self.alpha, n_opt, burn_in)
        test._sequence = AsymptoticConfidenceSequence.restore(state, n_opt, burn_in)
        return test
