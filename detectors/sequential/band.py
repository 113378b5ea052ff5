"""Band test: has one of several rates left the band around its reference?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import NamedTuple, Self

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, FloatArray, IntArray, as_floats
from detectors.bets import binary
from detectors.bets.contract import require_finite
from detectors.bets.grid import K, log_mean_exp
from detectors.intervals import clopper_pearson_upper
from detectors.sequential.e_sr import log_share_of, step
from schemas.errors import ConfigurationError

_REFERENCE_ERROR = 0.01


class Band(NamedTuple):
    """Lowest and highest tolerated rate of each of R streams, shape (R,).

    A lowest rate of 0 or less, or a highest of 1 or more, tolerates everything on that side.
    """

    low: FloatArray
    high: FloatArray


class Rates(NamedTuple):
    """Events `n` and "yes" events `s` of a window in each of R streams, shape (R,)."""

    n: FloatArray
    s: FloatArray


def require_tolerance(tolerance: float) -> None:
    """Refuse a tolerance outside [0, 1).

    Raises
    ------
    ConfigurationError
        Names the value.

    Examples
    --------
    >>> require_tolerance(0.05)
    """
    if not 0.0 <= tolerance < 1.0:
        raise ConfigurationError(f"tolerance is {tolerance:g}; it must lie in [0, 1)")


def around(k: ArrayLike, n: ArrayLike, *, tolerance: float) -> Band:
    """Band around reference rates: their sampling error at 99 % for all at once, and a tolerance.

    Parameters
    ----------
    k, n
        "Yes" events and events of the reference, shape (R,).
    tolerance
        Change of a rate that does not matter, in [0, 1).

    Raises
    ------
    ConfigurationError
        `tolerance` outside [0, 1), or a stream without reference events.

    Examples
    --------
    >>> low, high = around([500], [10_000], tolerance=0.01)
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.0346, 0.0659)
    """
    require_tolerance(tolerance)
    yes, events = (as_floats(x).ravel() for x in np.broadcast_arrays(as_floats(k), as_floats(n)))
    if not np.all(events > 0.0):
        raise ConfigurationError(
            f"stream {int(np.argmin(events))} has no reference events; leave it out of the test"
        )
    alpha = _REFERENCE_ERROR / (2 * yes.size)
    pairs = [(int(a), int(b)) for a, b in zip(yes, events, strict=True)]
    low = [1.0 - clopper_pearson_upper(b - a, b, alpha) - tolerance for a, b in pairs]
    high = [clopper_pearson_upper(a, b, alpha) + tolerance for a, b in pairs]
    return Band(as_floats(low), as_floats(high))


class BandTest:
    """Alarm when a rate lies outside its band, whichever rate and whichever side.

    A budgeted e-SR (`detectors.sequential.e_sr`) over a mixture of B1 bets, one for each rate and
    side that can be left: one share of the budget covers all of them, so the price of R rates is
    the logarithm of R, whatever the dependence between them. The caller calls `reset` after an
    alarm. A window, or a rate in a window, without events changes nothing.

    Parameters
    ----------
    band
        Tolerated rates, shape (R,).
    weights
        Share of the budget of each rate, shape (R,), above 0; equal if left out.

    Examples
    --------
    >>> test = BandTest(Band(low=as_floats([0.2, 0.0]), high=as_floats([0.4, 0.1])))
    >>> window = Rates(n=as_floats([200, 200]), s=as_floats([60, 45]))
    >>> [test.update(window, share=0.001) for _ in range(2)]
    [True, True]
    >>> test.leading
    (1, 'above')
    """

    def __init__(self, band: Band, weights: ArrayLike | None = None) -> None:
        low, high = as_floats(band.low), as_floats(band.high)
        if low.ndim != 1 or low.shape != high.shape or low.size == 0:
            raise ConfigurationError(
                f"the band has shapes {low.shape} and {high.shape}; give one low and one high "
                "for each rate"
            )
        self.band = Band(low, high)
        self._below, self._above = np.flatnonzero(low > 0.0), np.flatnonzero(high < 1.0)
        self._require_room()
        self._streams: IntArray = np.concatenate([self._above, self._below]).astype(np.int64)
        self._log_weights = _log_weights(low.size, self._streams, weights)
        self._wealth: FloatArray = np.full((self._streams.size, K), -np.inf)

    def _require_room(self) -> None:
        wrong = ~(self.band.low < self.band.high)
        if wrong.any():
            place = int(np.argmax(wrong))
            raise ConfigurationError(
                f"the band of rate {place} runs from {self.band.low[place]:g} to "
                f"{self.band.high[place]:g}; low must lie below high"
            )
        if self._below.size + self._above.size == 0:
            raise ConfigurationError("every band holds all rates from 0 to 1; narrow one of them")

    def update(self, window: Rates, *, share: float) -> bool:
        """Bet on one window and return whether it alarms.

        Parameters
        ----------
        window
            Events and "yes" events of each rate.
        share
            The window's share of the false-alarm budget, in [0, 1].

        Raises
        ------
        ConfigurationError
            A share outside [0, 1].
        ValueError
            Another number of rates than the band has, NaN or infinity, or more "yes" events than
            events.
        """
        n, s = self._checked(window)
        log_share = log_share_of(share)
        live: BoolArray = n[self._streams] > 0.0
        if not live.any():
            return False
        after = step(self._wealth, self.increments(Rates(n, s)), log_share=log_share)
        self._wealth = as_floats(np.where(live[:, None], after, self._wealth))
        return self.log_m >= 0.0

    def increments(self, window: Rates) -> FloatArray:
        """Log-wealth of each bet in a window: first the sides above, then those below; (L, K)."""
        n, s = (as_floats(x) for x in window)
        up = binary.increments(
            n=n[self._above], s=s[self._above], m=self.band.high[self._above], side="above"
        )
        down = binary.increments(
            n=n[self._below], s=s[self._below], m=self.band.low[self._below], side="below"
        )
        return as_floats(np.concatenate([up, down]))

    def _checked(self, window: Rates) -> Rates:
        n, s = as_floats(window.n), as_floats(window.s)
        if n.shape != self.band.low.shape or s.shape != n.shape:
            raise ValueError(
                f"the window has shapes {n.shape} and {s.shape}; this test holds "
                f"{self.band.low.size} rates"
            )
        require_finite("n", n)
        require_finite("s", s)
        wrong = ~((s >= 0.0) & (s <= n))
        if wrong.any():
            place = int(np.argmax(wrong))
            raise ValueError(f"rate {place} has {s[place]:g} of {n[place]:g} events")
        return Rates(n, s)

    @property
    def _weighted(self) -> FloatArray:
        """Log of the weighted wealth of each rate and side, shape (L,)."""
        return as_floats(log_mean_exp(self._wealth) + self._log_weights)

    @property
    def log_m(self) -> float:
        """Natural log of the wealth; an alarm is at 0 or above."""
        return float(np.logaddexp.reduce(self._weighted))

    @property
    def leading(self) -> tuple[int, str] | None:
        """The rate and the side that hold most wealth; None for a fresh start."""
        wealth = self._weighted
        if np.all(np.isneginf(wealth)):
            return None
        place = int(np.argmax(wealth))
        return int(self._streams[place]), "above" if place < self._above.size else "below"

    def reset(self) -> None:
        """Start anew, as after an alarm."""
        self._wealth = np.full_like(self._wealth, -np.inf)

    def state(self) -> list[float | None]:
        """Log-wealth of each bet, None for none; an empty list for a fresh start."""
        known = [None if math.isinf(x) else x for x in self._wealth.ravel().tolist()]
        return known if any(x is not None for x in known) else []

    @classmethod
    def restore(
        cls, band: Band, state: Sequence[float | None], weights: ArrayLike | None = None
    ) -> Self:
        """Continue from a `state` with the same band and weights.

        Raises
        ------
        ValueError
            A state of another number of bets.
        """
        return cls(band, weights).resume(state)

    def resume(self, state: Sequence[float | None]) -> Self:
        """A test with this band and these weights that goes on from a `state`.

        Raises
        ------
        ValueError
            A state of another number of bets.
        """
        test = copy(self)
        test.reset()
        if len(state) not in (0, test._wealth.size):
            raise ValueError(
                f"a state of {len(state)} numbers does not fit {test._wealth.size} bets; "
                "restore it with the band it was made with"
            )
        if len(state):
            flat = [-math.inf if x is None else x for x in state]
            test._wealth = as_floats(flat).reshape(test._wealth.shape)
        return test


def _log_weights(rates: int, streams: IntArray, weights: ArrayLike | None) -> FloatArray:
    """Log share of each bet; both sides of a rate split the rate's share."""
    share = np.ones(rates) if weights is None else as_floats(weights)
    if share.shape != (rates,) or not np.all((share > 0.0) & np.isfinite(share)):
        raise ConfigurationError(f"weights {share.tolist()} do not fit {rates} rates, each above 0")
    parts = share[streams] / np.bincount(streams, minlength=rates)[streams]
    return as_floats(np.log(parts / parts.sum()))
