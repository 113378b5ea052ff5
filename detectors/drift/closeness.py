"""Is a distribution close to its reference again? The other side of a drift alarm."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detectors.arrays import FloatArray, as_floats
from detectors.drift.histograms import inverse_size
from detectors.drift.tv import interval, tv


@dataclass(frozen=True, slots=True)
class Closeness:
    """What a look at the pooled windows says.

    ``near`` is proof of closeness, ``far`` of distance; ``log_e`` is minus the natural logarithm
    of the chance to see so small a distance if the true one were ``eps``.
    """

    near: bool
    far: bool
    log_e: float


def closeness(
    counts: FloatArray, reference: FloatArray, *, eps: float, look: int, alpha: float = 0.05
) -> Closeness:
    """Compare pooled counts with the reference, as often as one likes.

    A test of a drift alarm's own witness cannot answer this: mass that has moved on to other bins
    leaves the witness without being back. Here all bins count. While the distribution of the
    pooled rows is ``eps`` or more away, the chance that any look ever says ``near`` is at most
    ``alpha``: look j has ``6 alpha / (pi j)**2`` of it.

    Parameters
    ----------
    counts, reference
        Counts of the pooled windows and of the reference, both of shape (B,).
    eps
        Distance in total variation that matters.
    look
        Number of this look, from 1; it goes on counting when the pool starts anew.
    alpha
        Chance of a wrong ``near`` over all looks.

    Examples
    --------
    >>> import numpy as np
    >>> reference = np.array([5_000.0, 5_000.0])
    >>> closeness(np.array([980.0, 1_020.0]), reference, eps=0.1, look=1).near
    True
    >>> closeness(np.array([100.0, 1_900.0]), reference, eps=0.1, look=1).far
    True

    References
    ----------
    .. [1] McDiarmid, On the method of bounded differences, 1989.
    """
    c, r = as_floats(counts), as_floats(reference)
    low, high = interval(c, r, alpha * 6 / (math.pi * look) ** 2)
    value, scale = float(tv(c, r)), float(inverse_size(c, r))
    gap = max(eps - value, 0.0)
    return Closeness(
        near=float(high) < eps,
        far=float(low) > eps,
        log_e=max(2 * gap**2 / scale - math.log(2), 0.0),
    )
