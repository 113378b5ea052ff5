"""Truncated beta mixture: the closed form of B1, kept beside the grid for comparison."""

from __future__ import annotations

import math

from detectors.distributions import beta_cdf
from schemas.errors import ConfigurationError

_SMALLEST = 1e-300


def log_e(*, n: int, s: int, m: float) -> float:
    """Log e-value of `s` "yes" among `n` against *rate <= m*, mixed over all rates above it.

    The prior on the rate is Beta(1, 1/m - 1), truncated to rates above `m`. It finds large rises
    up to a quarter sooner than the grid of bets of `detectors.bets.binary`, which gains nothing
    on small ones. It is one number of all windows together, so it cannot run inside an e-SR
    detector, and it underflows when `s / n` is far below `m`: monitoring here uses the grid.

    Raises
    ------
    ConfigurationError
        `m` outside (0, 1), or counts that contradict each other.

    Examples
    --------
    >>> round(log_e(n=1_000, s=80, m=0.05), 6)
    6.654558

    References
    ----------
    .. [1] Howard, Ramdas, McAuliffe, Sekhon, Time-uniform, nonparametric, nonasymptotic
       confidence sequences, Annals of Statistics 49, 2021 (one-sided beta-binomial mixture).
    """
    if not 0.0 < m < 1.0:
        raise ConfigurationError(f"m is {m:g}; it must lie strictly between 0 and 1")
    if not 0 <= s <= n:
        raise ConfigurationError(f"{s} of {n} events; s must lie between 0 and n")
    a, b = 1.0, 1.0 / m - 1.0
    posterior = _log_beta(a + s, b + n - s) + _log_tail(m, a + s, b + n - s)
    prior = _log_beta(a, b) + _log_tail(m, a, b)
    return posterior - prior - s * math.log(m) - (n - s) * math.log1p(-m)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_tail(m: float, a: float, b: float) -> float:
    """Log of the chance that a Beta(a, b) is above `m`."""
    return math.log(max(beta_cdf(1.0 - m, b, a), _SMALLEST))
