"""E-LOND: false discovery rate over a sequence of tests that are each made once."""

from __future__ import annotations

import math

from schemas.errors import ConfigurationError


def level(test: int, rejections: int, alpha: float = 0.05) -> float:
    """Level of the next test of a sequence; it rejects if its e-value reaches one over that.

    Controls the false discovery rate over all tests so far, whatever their dependence. **Not for
    windows:** after a few hundred of them the levels are so small that hardly anything is found
    (power .016 over 300 tests in simulation). Made for rare decisions such as launches;
    monitoring here shares a budget of false alarms instead.

    Parameters
    ----------
    test
        Number of the test, from 1.
    rejections
        Rejections among the tests before.
    alpha
        False discovery rate.

    Raises
    ------
    ConfigurationError
        No such test, more rejections than tests, or `alpha` outside (0, 1).

    Examples
    --------
    >>> round(level(3, 1), 6)
    0.006755

    References
    ----------
    .. [1] Xu, Ramdas, Online multiple testing with e-values, AISTATS 2024.
    """
    if test < 1 or not 0 <= rejections < test or not 0.0 < alpha < 1.0:
        raise ConfigurationError(
            f"test {test} after {rejections} rejections at alpha {alpha:g}: tests count from 1, "
            "each rejects once at most, and alpha lies between 0 and 1"
        )
    return alpha * 6.0 / (math.pi * test) ** 2 * (rejections + 1)
