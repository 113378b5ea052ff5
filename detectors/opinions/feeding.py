"""How a window is read out to a detector that wants one number after the other."""

from __future__ import annotations

import math
from collections.abc import Callable

from detectors.counter import words
from detectors.opinions.contract import RateWindow

LIMIT = 1_000
"""Most bits of one window; more would cost time and say little."""

Feed = Callable[[RateWindow], list[float]]


def bits(window: RateWindow) -> list[float]:
    """The window's events as bits, 1 for a bad one, in a random order fixed by the window's id.

    Windows of more than 1,000 events are read in part: the first 1,000 of the random order. The
    draw is exact in integers, so it is the same on every machine.

    Examples
    --------
    >>> bits(RateWindow(id="w1", n=6, k=2, expected=0.1))
    [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    >>> len(bits(RateWindow(id="w1", n=5_000, k=2, expected=0.1)))
    1000
    """
    rows, bad, out = window.n, window.k, []
    for word in words(f"bits:{window.id}", min(window.n, LIMIT)).tolist():
        hit = word * rows >> 64 < bad
        out.append(float(hit))
        rows, bad = rows - 1, bad - hit
    return out


def good_bits(window: RateWindow) -> list[float]:
    """`bits` with 1 for a good event, for detectors that look for a fall.

    Examples
    --------
    >>> good_bits(RateWindow(id="w1", n=6, k=2, expected=0.1))
    [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    """
    return [1.0 - bit for bit in bits(window)]


def z_score(window: RateWindow) -> list[float]:
    """The window's rate as one number: standard deviations from the expected rate.

    Examples
    --------
    >>> [round(z, 6) for z in z_score(RateWindow(id="w1", n=100, k=15, expected=0.1))]
    [1.666667]
    >>> z_score(RateWindow(id="w2", n=0, k=0, expected=0.1))
    []
    """
    if window.n == 0:
        return []
    m = window.expected
    return [(window.k / window.n - m) / math.sqrt(m * (1.0 - m) / window.n)]
