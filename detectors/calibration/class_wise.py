"""Class-wise calibration: is the probability of every class right, not of the top one only?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np

from detectors.arrays import FloatArray, IntArray, as_floats
from detectors.calibration.anytime import CalibrationSums, CalibrationTest
from detectors.sequential.e_sr import log_share_of
from schemas.errors import ConfigurationError

MOST_CLASSES = 10
"""With more, each class has too few labels and too small a weight; test the top label instead."""


def class_sums(p: FloatArray, y: IntArray, *, bins: int = 10) -> tuple[CalibrationSums, ...]:
    """Sums of each class against the rest, from rows; sums of two windows add.

    Parameters
    ----------
    p
        Predicted probabilities, shape (n, C).
    y
        Index of the true class, shape (n,).
    bins
        Equal bins of the probability.

    Raises
    ------
    ValueError
        Shapes that do not fit, a probability outside [0, 1], or a class outside [0, C).

    Examples
    --------
    >>> sums = class_sums(as_floats([[0.7, 0.3], [0.2, 0.8]]), np.array([0, 0]), bins=2)
    >>> [round(float(s.d.sum()), 6) for s in sums]
    [1.1, -1.1]
    """
    if p.ndim != 2 or y.shape != (p.shape[0],):
        raise ValueError(f"probabilities of shape {p.shape} do not fit classes of shape {y.shape}")
    if not np.all((p >= 0.0) & (p <= 1.0)):
        raise ValueError("a probability lies outside [0, 1] or is NaN; leave such rows out")
    if not np.all((y >= 0) & (y < p.shape[1])):
        raise ValueError(f"a class lies outside 0 to {p.shape[1] - 1}; leave such rows out")
    return tuple(_one_class(p[:, c], as_floats(y == c), bins) for c in range(p.shape[1]))


def _one_class(p: FloatArray, hit: FloatArray, bins: int) -> CalibrationSums:
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    residual = hit - p
    tilted = residual * (2.0 * p - 1.0)

    def total(weights: FloatArray) -> FloatArray:
        return as_floats(np.bincount(place, weights=weights, minlength=bins))

    return CalibrationSums(
        n=total(np.ones_like(p)),
        d=total(residual),
        v=total(residual**2),
        d_slope=float(tilted.sum()),
        v_slope=float((tilted**2).sum()),
    )


class ClassWiseTest:
    """Alarm when the probability of some class deviates from its frequency.

    One `CalibrationTest` for each class, mixed with equal weights: one share of the budget covers
    all classes. Null hypothesis: given the past, every class's frequency differs from its
    forecast by at most `tau`. The caller calls `reset` after an alarm. A window without labels
    changes nothing.

    Parameters
    ----------
    classes
        Number of classes C, 2 to 10.
    bins
        Number of bins of each class.
    tau
        Tolerated deviation, in [0, 1).

    Raises
    ------
    ConfigurationError
        A number of classes outside 2 to 10, no bins, or `tau` outside [0, 1).

    Examples
    --------
    Class 2 comes half as often as forecast:

    >>> p = np.tile([0.5, 0.3, 0.2], (200, 1))
    >>> y = np.repeat([0, 1, 2], [120, 60, 20])
    >>> test = ClassWiseTest(3)
    >>> [test.update(class_sums(p, y), share=0.001) for _ in range(3)]
    [False, False, True]

    References
    ----------
    .. [1] Kull et al., Beyond temperature scaling: obtaining well-calibrated multiclass
       probabilities with Dirichlet calibration, NeurIPS 2019.
    """

    def __init__(self, classes: int, bins: int = 10, tau: float = 0.02) -> None:
        if not 2 <= classes <= MOST_CLASSES:
            raise ConfigurationError(
                f"classes is {classes}; class-wise calibration is for 2 to {MOST_CLASSES}, test "
                "the top label otherwise"
            )
        self._tests = [CalibrationTest(bins, tau) for _ in range(classes)]

    def update(self, sums: Sequence[CalibrationSums], *, share: float) -> bool:
        """Bet on one window and return whether it alarms.

        Parameters
        ----------
        sums
            Sums of each class, from `class_sums`.
        share
            The window's share of the false-alarm budget, in [0, 1].

        Raises
        ------
        ConfigurationError
            A share outside [0, 1].
        ValueError
            Another number of classes or bins, or NaN or infinity among the sums.
        """
        if len(sums) != len(self._tests):
            raise ValueError(f"sums of {len(sums)} classes; this test holds {len(self._tests)}")
        log_share_of(share)
        for test, part in zip(self._tests, sums, strict=True):
            part.require_bins(test.bins)
        if not any(part.count > 0.0 for part in sums):
            return False
        for test, part in zip(self._tests, sums, strict=True):
            test.update(part, share=share)
        return self.log_m >= 0.0

    @property
    def log_m(self) -> float:
        """Natural log of the wealth; an alarm is at 0 or above."""
        wealth = [test.log_m for test in self._tests]
        return float(np.logaddexp.reduce(wealth)) - math.log(len(wealth))

    @property
    def leading(self) -> tuple[int, str] | None:
        """The class that holds most wealth, and in words how; None for a fresh start."""
        place = int(np.argmax([test.log_m for test in self._tests]))
        words = self._tests[place].leading
        return (place, words) if words else None

    def reset(self) -> None:
        """Start anew, as after an alarm."""
        for test in self._tests:
            test.reset()

    def state(self) -> list[list[float | None]]:
        """The state of each class's test."""
        return [test.state() for test in self._tests]

    @classmethod
    def restore(
        cls, state: Sequence[Sequence[float | None]], bins: int = 10, tau: float = 0.02
    ) -> Self:
        """Continue from a `state` with the same settings."""
        return cls(len(state), bins, tau).resume(state)

    def resume(self, state: Sequence[Sequence[float | None]]) -> Self:
        """A test with these settings that goes on from a `state`.

        Raises
        ------
        ValueError
            A state of another number of classes.
        """
        if len(state) != len(self._tests):
            raise ValueError(f"a state of {len(state)} classes; this test has {len(self._tests)}")
        whole = copy(self)
        whole._tests = [test.resume(part) for test, part in zip(self._tests, state, strict=True)]
        return whole
