"""Bet B3: is the canary worse (or better) than the baseline that runs beside it?

Both arms are compared window by window, so a level that moves with the hour, and a traffic
split that moves with the rollout, cancel exactly: neither season nor Simpson's paradox can
raise an alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.bets.grid import FRACTIONS, psi, require_side, weights_around
from schemas.errors import ConfigurationError

Direction = Literal["harm", "benefit"]

_EDGE = 1e-4

WEIGHTS: FloatArray = weights_around(4.3, octaves=1.25)
"""Mixture for rollouts, planned for a canary that is worse by a tenth of the baseline's level.

With equal arms a rise by a share r of the level is found fastest by a bet of r / 2 of the largest,
``log2(2 / .1) = 4.3`` halvings for a tenth. The bell is wide enough for rises from 3 % to 50 %, and
the rest is spread over all bets.
"""


@dataclass(frozen=True, slots=True)
class _Stakes:
    """Bet sizes of both arms; shape (..., K), centres (..., 1)."""

    canary: FloatArray
    baseline: FloatArray
    canary_centre: FloatArray
    baseline_centre: FloatArray
    both: FloatArray


def _stakes(
    n_c: FloatArray, n_b: FloatArray, b0: ArrayLike, d: ArrayLike, r: float, side: Direction
) -> _Stakes:
    """Sizes fixed by the counts, the earlier baseline and the margin, never by outcomes."""
    require_side(side, allowed=("harm", "benefit"))
    if not r > 0.0:
        raise ConfigurationError(f"r is {r:g}; a ratio of rates must be above 0")
    margin = as_floats(d)
    low = np.maximum(_EDGE, (_EDGE - margin) / r)
    high = np.minimum(1.0 - _EDGE, (1.0 - _EDGE - margin) / r)
    if np.any(low > high):
        raise ConfigurationError(
            f"the margin d = {np.ravel(margin)[0]:g} leaves no room between 0 and 1; "
            "use a smaller margin"
        )
    base = np.clip(as_floats(b0), low, high)
    centre = r * base + margin
    both = (n_c > 0) & (n_b > 0)
    w_c = np.where(both, n_c / np.where(both, n_c + n_b, 1.0), 0.5)
    w_b = 1.0 - w_c
    if side == "harm":
        largest = np.minimum(w_c / centre, w_b / (r * (1.0 - base)))
    else:
        largest = np.minimum(w_c / (1.0 - centre), w_b / (r * base))
    sizes = largest[..., None] * FRACTIONS
    return _Stakes(
        canary=as_floats(sizes / w_c[..., None]),
        baseline=as_floats(r * sizes / w_b[..., None]),
        canary_centre=as_floats(centre[..., None]),
        baseline_centre=as_floats(base[..., None]),
        both=as_floats(both[..., None]),
    )


def increments_binary(
    *,
    n_c: ArrayLike,
    k_c: ArrayLike,
    n_b: ArrayLike,
    k_b: ArrayLike,
    b0: ArrayLike,
    d: ArrayLike,
    r: float = 1.0,
    side: Direction = "harm",
) -> FloatArray:
    """Log-wealth that each of K bets wins in a window, for a yes/no metric where yes is bad.

    ``side="harm"`` has the null hypothesis *rate_c <= r * rate_b + d*, ``side="benefit"`` has
    *rate_c >= r * rate_b + d*. Valid for any `b0`, any level in any window and any split. A
    window in which an arm is empty gives zeros.

    Parameters
    ----------
    n_c, k_c, n_b, k_b
        Events and bad events of canary and baseline in the window, shape (...).
    b0
        Guess of the baseline rate **from earlier windows**, shape (...). Choosing it with
        the window's own outcomes in hand voids the guarantee.
    d, r
        Margin and ratio of the null hypothesis.
    side
        The direction in which to bet.

    Returns
    -------
    Shape (..., K).

    Raises
    ------
    ConfigurationError
        A margin or a ratio that leaves no room, or an unknown side.

    Examples
    --------
    >>> from detectors.bets.grid import log_mean_exp
    >>> le = increments_binary(n_c=1_000, k_c=30, n_b=9_000, k_b=180, b0=0.02, d=0.0)
    >>> round(float(log_mean_exp(le)), 6)
    0.648303

    References
    ----------
    .. [1] Turner, Ly, Grünwald, Generic e-variables for exact sequential k-sample tests that
       allow for optional stopping, arXiv 2106.02693.
    """
    count_c, count_b = as_floats(n_c), as_floats(n_b)
    stakes = _stakes(count_c, count_b, b0, d, r, side)
    sign = 1.0 if side == "harm" else -1.0
    a, b = sign * stakes.canary, sign * stakes.baseline
    c0, base = stakes.canary_centre, stakes.baseline_centre
    bad_c, bad_b = as_floats(k_c), as_floats(k_b)
    canary = bad_c[..., None] * np.log1p(a * (1.0 - c0))
    canary += (count_c - bad_c)[..., None] * np.log1p(-a * c0)
    baseline = bad_b[..., None] * np.log1p(-b * (1.0 - base))
    baseline += (count_b - bad_b)[..., None] * np.log1p(b * base)
    return as_floats((canary + baseline) * stakes.both)


def increments_bounded(
    *,
    n_c: ArrayLike,
    s_c: ArrayLike,
    q_c: ArrayLike,
    n_b: ArrayLike,
    s_b: ArrayLike,
    q_b: ArrayLike,
    b0: ArrayLike,
    d: ArrayLike,
    r: float = 1.0,
    side: Direction = "harm",
) -> FloatArray:
    """Log-wealth that each of K bets wins in a window, for a loss in [0, 1].

    The hypotheses and the meaning of `b0`, `d`, `r` and `side` are those of
    `increments_binary`; scale another range to [0, 1] first.

    Parameters
    ----------
    n_c, s_c, q_c, n_b, s_b, q_b
        Number, sum and sum of squares of canary and baseline in the window, shape (...).
    b0, d, r, side
        As in `increments_binary`.

    Returns
    -------
    Shape (..., K).

    Raises
    ------
    ConfigurationError
        As in `increments_binary`.

    Examples
    --------
    >>> from detectors.bets.grid import log_mean_exp
    >>> le = increments_bounded(
    ...     n_c=100, s_c=36, q_c=15, n_b=300, s_b=90, q_b=33, b0=0.3, d=0.02
    ... )
    >>> round(float(le[..., 2]), 6)
    1.325027
    """
    count_c, count_b = as_floats(n_c), as_floats(n_b)
    stakes = _stakes(count_c, count_b, b0, d, r, side)
    gain_c, spread_c = _centred(count_c, s_c, q_c, stakes.canary_centre)
    gain_b, spread_b = _centred(count_b, s_b, q_b, stakes.baseline_centre)
    sign = 1.0 if side == "harm" else -1.0
    # Room to the bound that the bet loses at: 0 for the canary in "harm", 1 for the baseline.
    room_c = stakes.canary_centre if side == "harm" else 1.0 - stakes.canary_centre
    room_b = 1.0 - stakes.baseline_centre if side == "harm" else stakes.baseline_centre
    a, b = stakes.canary, stakes.baseline
    canary = sign * a * gain_c - psi(a * room_c) * spread_c / room_c**2
    baseline = -sign * b * gain_b - psi(b * room_b) * spread_b / room_b**2
    return as_floats((canary + baseline) * stakes.both)


def _centred(
    n: FloatArray, s: ArrayLike, q: ArrayLike, centre: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sum and sum of squares about `centre`, shape (..., 1)."""
    count, total, squares = n[..., None], as_floats(s)[..., None], as_floats(q)[..., None]
    gain = total - count * centre
    spread = squares - 2.0 * centre * total + count * centre**2
    return as_floats(gain), as_floats(spread)
