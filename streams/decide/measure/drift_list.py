"""Which features drifted in one window: a list with few false names, for people to look at."""

from __future__ import annotations

import math

from detectors.drift import chi_square, tv
from detectors.drift.bh import bh
from detectors.summary import Ints
from streams.decide.measure.drift import Compared, compared, drifting, eps_of, histogram_of, size_of
from streams.decide.subject import Subject

FALSE_NAMES = 0.01
"""Highest expected share of false names in a list; an empty list has none."""

ROWS_PER_BIN = 5
"""Rows of the window for each bin, below which nothing is said of a feature."""


def drifted(subject: Subject, vector: Ints) -> list[str]:
    """Features, score and answers of a window that differ from the reference, in order of name.

    A name is listed if its chi-square passes Benjamini-Hochberg over all of the window, its
    distance in total variation is as large as what matters, and there are rows enough. The list
    describes one window: a list of many windows has false names in some of them.

    References
    ----------
    .. [1] Benjamini, Hochberg, Controlling the false discovery rate, JRSS-B 57, 1995.
    """
    names = drifting(subject) if subject.whole else []
    seen = {name: both for name in names if (both := compared(subject, vector, name)) is not None}
    far = {
        name for name, both in seen.items() if float(tv.corrected(*both)) >= eps_of(subject, name)
    }
    if not far:
        return []
    rejected = bh([_p_value(both) for both in seen.values()], FALSE_NAMES)
    return [
        name for name, found in zip(seen, rejected.tolist(), strict=True) if found and name in far
    ]


def looked_at(subject: Subject, vector: Ints) -> int:
    """Rows of the largest histogram of a window that has a reference; 0 where there is none."""
    found = (histogram_of(subject, vector, name) for name in drifting(subject))
    return max((size_of(counts) for counts in found if counts is not None), default=0)


def _p_value(both: Compared) -> float:
    """Chance of so large a chi-square without drift; NaN where too few rows tell."""
    window, known = chi_square.pool(*both)
    if window.size < 2 or float(window.sum()) < ROWS_PER_BIN * window.size:
        return math.nan
    return float(chi_square.p_value(window, known))
