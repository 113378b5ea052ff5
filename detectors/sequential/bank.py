"""Many sequential tests of one kind, stepped together."""

from __future__ import annotations

from typing import Generic, Self

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, FloatArray, as_floats
from detectors.bets.contract import Bet, Sums
from detectors.bets.grid import log_mean_exp
from detectors.sequential.e_sr import log_share_of, step
from schemas.errors import ConfigurationError

_NUMBER = np.dtype("<f8")

FEW = 200
"""Fewer shares than this are sooner taken one by one than sorted first."""


class BettingBank(Generic[Sums]):
    """N tests with the same bet, each with settings, sums, share and alarms of its own.

    Every number is the one that N objects of `detectors.sequential.betting` give, bit for bit; a
    bank saves the time of calling them. Tests whose window is empty are left as they were.

    Parameters
    ----------
    bet
        The bet; a setting is one number for all tests or an array of shape (N,).
    size
        Number of tests N.

    Examples
    --------
    >>> from detectors.bets import BinaryBet, BinarySums
    >>> bank = BettingBank(BinaryBet(m=[0.06, 0.06, 0.20]), size=3)
    >>> bank.update(BinarySums(n=[200, 0, 200], s=[60, 0, 60]), share=0.001).tolist()
    [True, False, False]
    >>> bank.reset([True, False, False])
    >>> bank.log_m[:2].tolist()
    [-inf, -inf]
    >>> len(bank.state())
    288
    """

    def __init__(self, bet: Bet[Sums], size: int) -> None:
        if size < 1:
            raise ConfigurationError(f"size is {size}; a bank needs at least 1 test")
        self.bet = bet
        self.size = size
        self._wealth: FloatArray = np.full((size, bet.bets), -np.inf)

    def update(self, sums: Sums, *, share: ArrayLike) -> BoolArray:
        """Bet on one window of every test and return which of them alarm.

        Parameters
        ----------
        sums
            Sums of the windows, each of shape (N,).
        share
            Shares of the false-alarm budget in [0, 1], shape (N,) or one for all.

        Returns
        -------
        Shape (N,).

        Raises
        ------
        ConfigurationError
            A share outside [0, 1], or settings that cannot work.
        ValueError
            Sums of another shape, or NaN or infinity among them; no test has been changed.
        """
        sums.require_shape((self.size,))
        after = step(self._wealth, self.bet.increments(sums), log_share=log_shares(share))
        if after.shape != self._wealth.shape:
            raise ValueError(
                f"settings and shares make tests of shape {after.shape[:-1]}; "
                f"this bank holds {(self.size,)}"
            )
        filled = sums.filled
        self._wealth = after if filled.all() else np.where(filled[:, None], after, self._wealth)
        return np.asarray(filled & (self.log_m >= 0.0), dtype=np.bool_)

    @property
    def log_m(self) -> FloatArray:
        """Natural log of the wealth of each test, shape (N,); an alarm is at 0 or above."""
        return log_mean_exp(self._wealth)

    def reset(self, where: ArrayLike) -> None:
        """Start the tests anew where true, shape (N,)."""
        self._wealth = np.where(np.asarray(where, dtype=np.bool_)[:, None], -np.inf, self._wealth)

    @property
    def memory(self) -> int:
        """Bytes of one test: 96 for 12 bets."""
        return self.bet.bets * _NUMBER.itemsize

    def state(self) -> bytes:
        """The log-wealth of all tests, one after the other, `memory` bytes each."""
        return self._wealth.astype(_NUMBER).tobytes()

    def resume(self, state: bytes) -> Self:
        """A bank with the same bet that goes on from a `state`.

        Raises
        ------
        ValueError
            A state of another length than this bank's.
        """
        if len(state) != self.size * self.memory:
            raise ValueError(
                f"the state has {len(state)} bytes; {self.size} tests of {self.memory} bytes "
                f"make {self.size * self.memory}"
            )
        bank = type(self)(self.bet, self.size)
        wealth = np.frombuffer(state, dtype=_NUMBER).reshape(bank._wealth.shape)
        bank._wealth = wealth.astype(np.float64)
        return bank


def log_shares(share: ArrayLike) -> FloatArray:
    """Logs of shares of the budget, with a last axis for the bets.

    Many tests mostly have a few shares, so of many each is taken once.

    Raises
    ------
    ConfigurationError
        A share outside [0, 1].

    Examples
    --------
    >>> log_shares([1.0, 0.0, 1.0]).tolist()
    [[0.0], [-inf], [0.0]]
    """
    values = as_floats(share)
    if values.size < FEW:
        return as_floats([log_share_of(x) for x in values.ravel().tolist()]).reshape(
            *values.shape, 1
        )
    distinct, place = np.unique(values, return_inverse=True)
    logs = as_floats([log_share_of(float(value)) for value in distinct])
    return as_floats(logs[place.reshape(values.shape)][..., None])
