"""Constant output: is the model stuck on one answer?"""

from __future__ import annotations

from copy import copy
from typing import Self, TypedDict

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets import binary
from detectors.bets.contract import require_finite
from detectors.bets.grid import require_open
from detectors.drift.histograms import shares
from detectors.sequential.e_sr import BudgetedESR, log_share_of
from schemas.errors import ConfigurationError


class ConstantState(TypedDict):
    """What a test remembers between windows."""

    suspect: int | None
    wealth: list[float]


def top_share(counts: ArrayLike) -> FloatArray:
    """Share of the most common bin, shape (...) from (..., B); NaN where empty.

    Examples
    --------
    >>> float(top_share([2, 6, 2]))
    0.6
    """
    return as_floats(np.max(shares(counts), axis=-1))


def limit(reference: ArrayLike, *, way: float = 0.5) -> float:
    """Most that one bin may hold: `way` of the distance from the reference's top share to 1.

    Parameters
    ----------
    reference
        Reference counts, shape (B,).
    way
        In (0, 1); at one half, a model is stuck when it says one thing in half of the cases in
        which it used to say another.

    Raises
    ------
    ConfigurationError
        `way` outside (0, 1), or a reference that is empty or holds one bin only.

    Examples
    --------
    >>> limit([100, 100, 200])
    0.75
    """
    require_open("way", as_floats(way), low=0.0, high=1.0)
    top = float(top_share(reference))
    if not top < 1.0:
        raise ConfigurationError(
            f"the reference's most common output has a share of {top:g}; an output that was "
            "constant or absent in the reference cannot be tested for being stuck"
        )
    return top + way * (1.0 - top)


class ConstantOutputTest:
    """Alarm when one output, whichever, holds more than `limit` of a window's answers.

    The bin bet on is the most common one of the window before, so it is fixed before the window
    it is bet on: a bet on a window's own most common bin would alarm by choice. Alarms are
    budgeted as in `detectors.sequential.e_sr`. The first window after a start or a reset only
    names the suspect; the caller calls `reset` after an alarm.

    Parameters
    ----------
    reference
        Reference counts of the output's bins, shape (B,).
    way
        See `limit`.

    Examples
    --------
    >>> test = ConstantOutputTest([100, 100, 200])
    >>> windows = [[90, 110, 200], [0, 400, 0], [0, 400, 0]]
    >>> [test.update(counts, share=0.001) for counts in windows]
    [False, False, True]
    >>> test.suspect
    1
    """

    def __init__(self, reference: ArrayLike, way: float = 0.5) -> None:
        self._bins = as_floats(reference).size
        self.limit = limit(reference, way=way)
        self._suspect: int | None = None
        self._detector = BudgetedESR()

    def update(self, counts: ArrayLike, *, share: float) -> bool:
        """Bet on one window, then name the next suspect, and return whether it alarms.

        Parameters
        ----------
        counts
            Window counts, shape (B,). An empty window changes nothing.
        share
            The window's share of the false-alarm budget, in [0, 1].

        Raises
        ------
        ConfigurationError
            A share outside [0, 1].
        ValueError
            Counts of another shape than the reference, or NaN or infinity among them.
        """
        window = as_floats(counts)
        if window.shape != (self._bins,):
            raise ValueError(
                f"counts have shape {window.shape}; the reference has {self._bins} bins"
            )
        require_finite("counts", window)
        log_share_of(share)
        n = float(window.sum())
        if n <= 0.0:
            return False
        alarm = False
        if self._suspect is not None:
            le = binary.increments(n=n, s=float(window[self._suspect]), m=self.limit)
            alarm = self._detector.update(le, share=share)
        self._suspect = int(np.argmax(window))
        return alarm

    @property
    def suspect(self) -> int | None:
        """The most common bin of the last window, which the next bet is on."""
        return self._suspect

    @property
    def log_m(self) -> float:
        """Natural log of the wealth; an alarm is at 0 or above."""
        return self._detector.log_m

    def reset(self) -> None:
        """Start anew, as after an alarm."""
        self._suspect = None
        self._detector.reset()

    def state(self) -> ConstantState:
        """Everything `restore` needs beside the reference."""
        return {"suspect": self._suspect, "wealth": self._detector.state()}

    @classmethod
    def restore(cls, reference: ArrayLike, state: ConstantState, way: float = 0.5) -> Self:
        """Continue from a `state` with the same reference and `way`."""
        return cls(reference, way).resume(state)

    def resume(self, state: ConstantState) -> Self:
        """A test with this limit that goes on from a `state`."""
        test = copy(self)
        test._suspect, test._detector = state["suspect"], BudgetedESR.restore(state["wealth"])
        return test
