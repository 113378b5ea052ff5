"""Sample ratio mismatch: is the traffic split the way the rollout planned it?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self, TypedDict

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.distributions import log_gamma
from detectors.sequential.e_process import log_threshold
from schemas.errors import ConfigurationError

CONCENTRATION = 300.0


class SampleRatioState(TypedDict):
    """What a test remembers between windows."""

    counts: list[float]
    planned: list[float]
    earlier_log_e: float
    highest: float


def log_e(
    counts: ArrayLike, planned: ArrayLike, *, concentration: float = CONCENTRATION
) -> FloatArray:
    """Log e-value against the planned split, from Dirichlet-multinomial odds.

    Parameters
    ----------
    counts
        Units assigned to each arm so far, shape (..., arms). Count users, not their requests:
        sticky users make requests dependent, and the test alarms for nothing.
    planned
        Planned shares, each above 0, sum 1, shape (..., arms).
    concentration
        Weight of the plan in the alternative; large looks for small mismatches.

    Returns
    -------
    Shape (...).

    Raises
    ------
    ConfigurationError
        Shares that are not above 0 or do not sum to 1.

    Examples
    --------
    >>> round(float(log_e([130, 870], [0.1, 0.9], concentration=100.0)), 6)
    2.909936

    References
    ----------
    .. [1] Lindon, Malek, Anytime-valid inference for multinomial count data, NeurIPS 2022.
    """
    shares, seen = as_floats(planned), as_floats(counts)
    if not np.all(shares > 0.0) or not np.all(np.abs(shares.sum(axis=-1) - 1.0) < 1e-9):
        raise ConfigurationError(
            f"planned shares are {shares.tolist()}; each must be above 0 and they must sum to 1"
        )
    if not concentration > 0.0:
        raise ConfigurationError(f"concentration is {concentration:g}; it must be above 0")
    prior = concentration * shares
    odds = log_gamma(prior + seen) - log_gamma(prior) - seen * np.log(shares)
    total = log_gamma(concentration) - log_gamma(concentration + seen.sum(axis=-1))
    return as_floats(total + odds.sum(axis=-1))


class SampleRatio:
    """SRM test over the stages of a rollout.

    The chance that `mismatch` ever becomes true while assignment follows the plan is at most
    `alpha`. On a mismatch, promotion is frozen; a rollback is never blocked. When the planned
    split changes, a new stage begins and the e-values of the stages multiply.

    Parameters
    ----------
    alpha
        Chance of ever finding a mismatch where there is none.
    concentration
        As in `log_e`.

    Examples
    --------
    >>> ratio = SampleRatio()
    >>> ratio.update([100, 900], planned=[0.1, 0.9])
    False
    >>> ratio.update([1_000, 4_000], planned=[0.1, 0.9])
    True
    """

    def __init__(self, alpha: float = 0.001, concentration: float = CONCENTRATION) -> None:
        self._needed = log_threshold(alpha)
        self.alpha = alpha
        self.concentration = concentration
        self._counts: list[float] = []
        self._planned: list[float] = []
        self._earlier = 0.0
        self._highest = 0.0

    def update(self, counts: Sequence[float], *, planned: Sequence[float]) -> bool:
        """Add the newly assigned units of each arm and return `mismatch`.

        Raises
        ------
        ConfigurationError
            Planned shares that are not above 0 or do not sum to 1.
        ValueError
            Counts and shares of different length.
        """
        if len(counts) != len(planned):
            raise ValueError(f"{len(counts)} counts for {len(planned)} planned shares")
        if list(planned) != self._planned:
            self._earlier = self.log_e
            self._planned = [float(share) for share in planned]
            self._counts = [0.0] * len(planned)
        self._counts = [old + new for old, new in zip(self._counts, counts, strict=True)]
        self._highest = max(self._highest, self.log_e)
        return self.mismatch

    @property
    def log_e(self) -> float:
        """Natural log of the present e-value, over all stages."""
        if not self._counts:
            return self._earlier
        stage = log_e(self._counts, self._planned, concentration=self.concentration)
        return self._earlier + float(stage)

    @property
    def mismatch(self) -> bool:
        """Whether the e-value has ever reached ``1 / alpha``."""
        return self._highest >= self._needed

    @property
    def p_value(self) -> float:
        """Anytime-valid p-value."""
        return math.exp(-self._highest)

    def state(self) -> SampleRatioState:
        """Everything `restore` needs beside the settings."""
        return {
            "counts": list(self._counts),
            "planned": list(self._planned),
            "earlier_log_e": self._earlier,
            "highest": self._highest,
        }

    @classmethod
    def restore(
        cls, state: SampleRatioState, alpha: float = 0.001, concentration: float = CONCENTRATION
    ) -> Self:
        """Continue from a `state` with the same settings."""
        ratio = cls(alpha, concentration)
        ratio._counts, ratio._planned = list(state["counts"]), list(state["planned"])
        ratio._earlier, ratio._highest = state["earlier_log_e"], state["highest"]
        return ratio
