"""Is a group treated worse than the reference group? Tests that may be looked at for ever.

Group and reference group are compared window by window, so a level that moves for both raises
no alarm. Small groups need no floor: they make a test slow, never false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from detectors.arrays import as_floats
from detectors.bets import ArmCounts, TwoSampleBet
from detectors.bets.contract import require_finite
from detectors.sequential.betting import BettingTest
from schemas.errors import ConfigurationError

_MEMORY = 0.98
_FIRST_GUESS = 0.5


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Events and events that count, of the group and of the reference group, in one window."""

    n: float
    k: float
    n_reference: float
    k_reference: float


def four_fifths(r: float = 0.8) -> TwoSampleBet:
    """Bet against *the group is selected at least at `r` times the rate of the reference*.

    Count rows and favourable decisions. An alarm says that the 80 % rule is broken.

    Parameters
    ----------
    r
        Least acceptable ratio, in (0, 1].

    Raises
    ------
    ConfigurationError
        A ratio outside (0, 1].

    Examples
    --------
    >>> four_fifths().side
    'benefit'

    References
    ----------
    .. [1] Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 D.
    """
    if not 0.0 < r <= 1.0:
        raise ConfigurationError(f"r is {r:g}; a least acceptable ratio must lie in (0, 1]")
    return TwoSampleBet(r=r, d=0.0, side="benefit")


def rate_deficit(d: float = 0.05) -> TwoSampleBet:
    """Bet against *the rate of the group is at most `d` below that of the reference*.

    For rates that people want: count positives and true positives for equal opportunity.

    Parameters
    ----------
    d
        Tolerated gap, in [0, 1).

    Examples
    --------
    >>> rate_deficit(0.05).d
    -0.05
    """
    _require_gap(d)
    return TwoSampleBet(d=-d, side="benefit")


def rate_excess(d: float = 0.05) -> TwoSampleBet:
    """Bet against *the rate of the group is at most `d` above that of the reference*.

    For rates that people suffer: count negatives and false positives. For equalised odds run
    both, and both directions of each, with an equal part of the budget.

    Parameters
    ----------
    d
        Tolerated gap, in [0, 1).

    Examples
    --------
    >>> rate_excess(0.05).side
    'harm'
    """
    _require_gap(d)
    return TwoSampleBet(d=d, side="harm")


def _require_gap(d: float) -> None:
    if not 0.0 <= d < 1.0:
        raise ConfigurationError(f"d is {d:g}; a tolerated gap must lie in [0, 1)")


class GroupTest:
    """A bet on two groups with budgeted e-SR, and the memory of the reference group's rate.

    The bet needs a guess of that rate from earlier windows; any guess is valid, a good one is
    quick. Expected false alarms are at most the sum of the shares.

    Parameters
    ----------
    bet
        `four_fifths`, `rate_deficit` or `rate_excess`.

    Examples
    --------
    >>> test = GroupTest(four_fifths())
    >>> window = GroupCounts(n=100, k=15, n_reference=500, k_reference=150)
    >>> [test.update(window, share=0.001) for _ in range(8)].index(True)
    4

    References
    ----------
    .. [1] Turner, Ly, Grünwald, Generic e-variables for exact sequential k-sample tests that
       allow for optional stopping, arXiv 2106.02693.
    """

    def __init__(self, bet: TwoSampleBet) -> None:
        self.bet = bet
        self._test = BettingTest(bet)
        self._n, self._k = 0.0, 0.0

    def arms(self, counts: GroupCounts) -> ArmCounts:
        """A window as a bet sees it: beside the reference's rate in earlier windows."""
        return ArmCounts(
            n_c=counts.n,
            k_c=counts.k,
            n_b=counts.n_reference,
            k_b=counts.k_reference,
            b0=self.guess,
        )

    def update(self, counts: GroupCounts, /, *, share: float) -> bool:
        """Bet on one window, then learn from it; a window without one of them changes nothing.

        Parameters
        ----------
        counts
            Of one window.
        share
            The window's share of the false-alarm budget, in [0, 1].

        Raises
        ------
        ConfigurationError
            A share outside [0, 1].
        ValueError
            More events that count than events, or a number that is not finite.
        """
        _require_counts(counts)
        if counts.n <= 0.0 or counts.n_reference <= 0.0:
            return False
        alarm = self._test.update(self.arms(counts), share=share)
        self._n = _MEMORY * self._n + counts.n_reference
        self._k = _MEMORY * self._k + counts.k_reference
        return alarm

    @property
    def guess(self) -> float:
        """Rate of the reference group, as earlier windows show it."""
        return (self._k + _FIRST_GUESS) / (self._n + 1.0)

    @property
    def log_m(self) -> float:
        """Natural log of the wealth; an alarm is at 0 or above."""
        return self._test.log_m

    def reset(self) -> None:
        """Start anew, as after an alarm; the memory of the reference group goes, too."""
        self._n, self._k = 0.0, 0.0
        self._test.reset()

    def state(self) -> list[float]:
        """Memory of the reference group, then the log-wealth of each bet if there is any."""
        return [self._n, self._k, *self._test.state()]

    def resume(self, state: Sequence[float]) -> Self:
        """A test with the same bet that goes on from a `state`."""
        test = type(self)(self.bet)
        test._n, test._k = float(state[0]), float(state[1])
        test._test = self._test.resume(state[2:])
        return test


def _require_counts(counts: GroupCounts) -> None:
    for name, k, n in (
        ("k", counts.k, counts.n),
        ("k_reference", counts.k_reference, counts.n_reference),
    ):
        require_finite(name, as_floats([k, n]))
        if not 0.0 <= k <= n:
            raise ValueError(f"{name} is {k:g} of {n:g} events; need 0 <= k <= n")
