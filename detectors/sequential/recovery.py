"""The way back from an alarm: evidence that it is over, or a run of clean windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from detectors.arrays import ArrayLike
from detectors.bets.grid import K
from detectors.sequential.e_process import EProcess, log_threshold
from schemas.errors import ConfigurationError


class RecoveryProcess:
    """E-process on the reverse bet: says "recovered" wrongly with probability at most `alpha`.

    Feed it the increments of the opposite side of the bet that alarmed, whose null hypothesis
    is *still over the limit*, from the first window after the alarm.

    Parameters
    ----------
    alpha
        Chance of ever resolving an alarm that is not over.
    bets
        Length of the increments.

    Examples
    --------
    >>> from detectors.bets.binary import increments
    >>> recovery = RecoveryProcess()
    >>> [recovery.update(increments(n=200, s=4, m=0.06, side="below")) for _ in range(3)]
    [False, True, True]
    """

    def __init__(self, alpha: float = 0.05, bets: int = K) -> None:
        log_threshold(alpha)
        self.alpha = alpha
        self._process = EProcess(bets)

    def update(self, le: ArrayLike) -> bool:
        """Add one window of the reverse bet and return whether the alarm is over."""
        self._process.update(le)
        return self.recovered

    @property
    def recovered(self) -> bool:
        """Whether the evidence has reached ``1 / alpha``; stays true."""
        return self._process.crossed(self.alpha)

    @property
    def log_e(self) -> float:
        """Natural log of the present e-value for recovery."""
        return self._process.log_e

    def state(self) -> list[float]:
        """Everything `restore` needs."""
        return self._process.state()

    @classmethod
    def restore(cls, state: Sequence[float], alpha: float = 0.05) -> Self:
        """Continue from a `state` with the same `alpha`."""
        recovery = cls(alpha=alpha, bets=len(state) - 1)
        recovery._process = EProcess.restore(state)
        return recovery


class CleanWindows:
    """Hysteresis for descriptive rules: recovered after `k` clean windows in a row.

    Carries no guarantee; for tests with one, use `RecoveryProcess`.

    Parameters
    ----------
    k
        Clean windows in a row that end the alert.

    Examples
    --------
    A window that cannot tell is neither clean nor dirty and leaves the run as it is:

    >>> windows = CleanWindows(k=2)
    >>> [windows.update(clean) for clean in (True, False, True, None, True)]
    [False, False, False, False, True]
    """

    def __init__(self, k: int = 6) -> None:
        if k < 1:
            raise ConfigurationError(f"k is {k}; at least 1 clean window is needed to recover")
        self.k = k
        self._run = 0

    def update(self, clean: bool | None) -> bool:
        """Add one window, None where it cannot tell, and return whether the alert is over."""
        if clean is not None:
            self._run = self._run + 1 if clean else 0
        return self._run >= self.k

    def state(self) -> list[float]:
        """Everything `restore` needs: the length of the present run."""
        return [float(self._run)]

    @classmethod
    def restore(cls, state: Sequence[float], k: int = 6) -> Self:
        """Continue from a `state` with the same `k`."""
        windows = cls(k=k)
        windows._run = int(state[0])
        return windows
