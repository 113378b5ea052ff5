"""A bet with the memory of a budgeted e-SR: one sequential test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Self

from detectors.bets.contract import Bet, Sums
from detectors.sequential.e_sr import BudgetedESR


class BettingTest(Generic[Sums]):
    """Alarm when the null hypothesis of a bet does not hold, however often one looks.

    Expected false alarms are at most the sum of the shares, see `detectors.sequential.e_sr`. The
    caller calls `reset` after an alarm. Many tests of one kind are faster in
    `detectors.sequential.bank`, with the same numbers.

    Parameters
    ----------
    bet
        The bet, with one number for each setting.

    Examples
    --------
    >>> from detectors.bets import BinaryBet, BinarySums
    >>> test = BettingTest(BinaryBet(m=0.06))
    >>> [test.update(BinarySums(n=200, s=bad), share=0.001) for bad in (9, 8, 24, 31)]
    [False, False, False, True]

    References
    ----------
    .. [1] Shin, Ramdas, Rinaldo, E-detectors: a nonparametric framework for sequential change
       detection, New England Journal of Statistics in Data Science, 2023.
    """

    def __init__(self, bet: Bet[Sums]) -> None:
        self.bet = bet
        self._detector = BudgetedESR(bet.bets)

    def update(self, sums: Sums, *, share: float) -> bool:
        """Bet on one window and return whether it alarms; an empty one changes nothing.

        Parameters
        ----------
        sums
            Sums of the window, one number for each.
        share
            The window's share of the false-alarm budget, in [0, 1].

        Raises
        ------
        ConfigurationError
            A share outside [0, 1], or settings that cannot work.
        ValueError
            Sums of another shape, or NaN or infinity among them.
        """
        sums.require_shape(())
        if not sums.filled:
            return False
        return self._detector.update(self.bet.increments(sums), share=share)

    @property
    def log_m(self) -> float:
        """Natural log of the wealth; an alarm is at 0 or above."""
        return self._detector.log_m

    def reset(self) -> None:
        """Start anew, as after an alarm."""
        self._detector.reset()

    def state(self) -> list[float]:
        """The log-wealth of each bet; an empty list for a fresh start."""
        return self._detector.state()

    def resume(self, state: Sequence[float]) -> Self:
        """A test with the same bet that goes on from a `state`.

        Raises
        ------
        ValueError
            A state of another length than the bet.
        """
        if len(state) not in (0, self.bet.bets):
            raise ValueError(f"the state holds {len(state)} numbers; this bet has {self.bet.bets}")
        test = type(self)(self.bet)
        test._detector = BudgetedESR.restore(state, self.bet.bets)
        return test
