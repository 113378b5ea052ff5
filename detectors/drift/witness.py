"""TV-witness: has a distribution moved further from its reference than tolerated?"""

from __future__ import annotations

import math
from copy import copy
from typing import Self, TypedDict

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, FloatArray, as_floats
from detectors.bets import binary
from detectors.bets.contract import require_finite
from detectors.sequential.e_sr import BudgetedESR
from schemas.errors import ConfigurationError

_REFERENCE_ERROR = 0.01


class WitnessState(TypedDict):
    """What a test remembers between windows; plain numbers, no ``-inf``."""

    ewma: list[float]
    wealth: list[float]
    bound: float | None
    witness: list[int]


def reference_slack(reference: ArrayLike) -> float:
    """Total variation by which a finite reference may miss its own distribution.

    Mean in the normal approximation plus McDiarmid's deviation at 99 %.

    Parameters
    ----------
    reference
        Reference counts, shape (B,).

    Examples
    --------
    >>> round(reference_slack([1_250, 1_250, 1_250, 1_250]), 6)
    0.031258
    """
    counts = as_floats(reference)
    m = float(counts.sum())
    q = counts / m
    mean = 0.4 * float(np.sum(np.sqrt(q * (1.0 - q) / m)))
    return mean + math.sqrt(math.log(1.0 / _REFERENCE_ERROR) / (2.0 * m))


class WitnessTest:
    """Alarm when a histogram drifts further than `eps` in total variation.

    The bins that grew in earlier windows are the witness. If the total variation distance is at
    most `eps`, no set of bins can hold more than its reference share plus `eps`, so a bet that
    the witness does is fair whatever the witness is. Drift between zero and `eps`, plus the
    sampling error of the reference, is tolerated by design. The alarms are budgeted as in
    `detectors.sequential.e_sr`, given a reference within its slack (99 %, once per reference).

    While an alarm is open, the caller does not `update` but bets the other way on the frozen
    witness with `recovery_increment`, and then calls `reset`, which also forgets the histogram
    of the drifted time. The first window after a start or a reset only teaches the witness.

    Parameters
    ----------
    reference
        Reference counts, shape (B,), B at least 2.
    eps
        Tolerated total variation distance, in [0, 1).
    decay
        Weight of the histogram so far when a window is added, in [0, 1).

    Examples
    --------
    >>> test = WitnessTest([5_000, 5_000, 5_000, 5_000], eps=0.02)
    >>> [test.update([160, 110, 150, 80], share=0.001) for _ in range(4)]
    [False, False, True, True]
    >>> round(test.bound, 3)
    0.536

    References
    ----------
    .. [1] Shekhar, Ramdas, Nonparametric two-sample testing by betting, IEEE Transactions on
       Information Theory 70, 2024.
    """

    def __init__(self, reference: ArrayLike, eps: float, decay: float = 0.8) -> None:
        counts = as_floats(reference)
        if counts.ndim != 1 or counts.size < 2 or not counts.sum() > 0.0:
            raise ConfigurationError(
                f"the reference has shape {counts.shape} and {float(counts.sum()):g} events; "
                "a witness needs at least 2 bins and 1 event"
            )
        for name, value in (("eps", eps), ("decay", decay)):
            if not 0.0 <= value < 1.0:
                raise ConfigurationError(f"{name} is {value:g}; it must lie in [0, 1)")
        self.eps = eps
        self.decay = decay
        self._q: FloatArray = as_floats(counts / counts.sum())
        self._allowance = eps + reference_slack(counts)
        self._ewma: FloatArray = np.zeros_like(self._q)
        self._detector = BudgetedESR()
        self._witness: BoolArray = np.zeros(self._q.shape, dtype=np.bool_)
        self._bound = math.nan

    def update(self, counts: ArrayLike, *, share: float) -> bool:
        """Bet on one window, then learn from it, and return whether it alarms.

        Parameters
        ----------
        counts
            Window counts, shape (B,). An empty window changes nothing.
        share
            The window's share of the false-alarm budget. It is spent only where a bet is made,
            see `bound`.

        Raises
        ------
        ValueError
            Counts of another shape than the reference, or NaN or infinity among them.
        """
        window = self._checked(counts)
        n = float(window.sum())
        if n <= 0.0:
            return False
        self._choose_witness()
        alarm = False
        if not math.isnan(self._bound):
            s = float(window[self._witness].sum())
            le = binary.increments(n=n, s=s, m=self._bound)
            alarm = self._detector.update(le, share=share)
        self._ewma = self.decay * self._ewma + window
        return alarm

    def _choose_witness(self) -> None:
        """Fix witness and bound from earlier windows; bound NaN where there is nothing to bet."""
        total = float(self._ewma.sum())
        self._witness = np.asarray(self._ewma > total * self._q, dtype=np.bool_)
        bound = float(self._q[self._witness].sum()) + self._allowance
        self._bound = bound if self._witness.any() and bound < 1.0 else math.nan

    def recovery_increment(self, counts: ArrayLike) -> FloatArray:
        """Increments of the bet that the drift is over, on the witness of the last update.

        Parameters
        ----------
        counts
            Window counts, shape (B,).

        Returns
        -------
        Shape (K,), for `detectors.sequential.recovery.RecoveryProcess`.

        Raises
        ------
        ValueError
            No bet has been made yet, or counts of another shape than the reference.
        """
        window = self._checked(counts)
        if math.isnan(self._bound):
            raise ValueError("no witness to recover from: the last update made no bet")
        s = float(window[self._witness].sum())
        return binary.increments(n=float(window.sum()), s=s, m=self._bound, side="below")

    @property
    def bound(self) -> float:
        """Most that the witness may hold, as bet on in the last update; NaN where none was made."""
        return self._bound

    @property
    def witness(self) -> BoolArray:
        """The bins bet on in the last update, shape (B,)."""
        return self._witness.copy()

    @property
    def log_m(self) -> float:
        """Natural log of the wealth; an alarm is at 0 or above."""
        return self._detector.log_m

    def reset(self) -> None:
        """Start anew, as after an alarm that is over."""
        self._ewma = np.zeros_like(self._q)
        self._detector.reset()
        self._witness = np.zeros_like(self._witness)
        self._bound = math.nan

    def state(self) -> WitnessState:
        """Everything `restore` needs beside the reference and the settings."""
        return {
            "ewma": self._ewma.tolist(),
            "wealth": self._detector.state(),
            "bound": None if math.isnan(self._bound) else self._bound,
            "witness": np.flatnonzero(self._witness).tolist(),
        }

    @classmethod
    def restore(
        cls, reference: ArrayLike, eps: float, state: WitnessState, decay: float = 0.8
    ) -> Self:
        """Continue from a `state` with the same reference and settings."""
        return cls(reference, eps, decay).resume(state)

    def resume(self, state: WitnessState) -> Self:
        """A test with this reference and these settings that goes on from a `state`."""
        test = copy(self)
        test._ewma = self._checked(state["ewma"])
        test._detector = BudgetedESR.restore(state["wealth"])
        test._bound = math.nan if state["bound"] is None else state["bound"]
        test._witness = np.zeros(self._q.shape, dtype=np.bool_)
        test._witness[state["witness"]] = True
        return test

    def _checked(self, counts: ArrayLike) -> FloatArray:
        window = as_floats(counts)
        if window.shape != self._q.shape:
            raise ValueError(f"counts have shape {window.shape}; the reference {self._q.shape}")
        require_finite("counts", window)
        return window
