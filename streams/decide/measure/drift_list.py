"""Which features drifted in one window: a list with few false names, for people to look at."""

from __future__ import annotations

import math

from detectors.distributions import chi2_sf
from detectors.drift import chi_square, tv
from detectors.drift.bh import bh
from detectors.summary import Ints
from streams.decide.measure.drift import Compared, alike, drifting, eps_of, histogram_of, size_of
from streams.decide.subject import Subject

FALSE_NAMES = 0.01
"""Highest expected share of false names in a list; an empty list has none."""

SURELY = 0.99
"""Below this part of a threshold no rounding counts."""

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
    names = drifting(subject) if subject.whole else ()
    groups = alike(subject, vector, names)
    far = {
        feature
        for group in groups
        for feature, distance in zip(
            group.features, tv.corrected(*group.both).tolist(), strict=True
        )
        if distance >= eps_of(subject, feature)
    }
    if not far:
        return []
    chances = {
        feature: _p_value(Compared(*pair))
        for group in groups
        for feature, *pair in zip(group.features, *group.both, strict=True)
    }
    seen = [feature for feature in names if feature in chances]
    rejected = bh([chances[feature] for feature in seen], FALSE_NAMES)
    return [
        name for name, found in zip(seen, rejected.tolist(), strict=True) if found and name in far
    ]


def looked_at(subject: Subject, vector: Ints) -> int:
    """Rows of the largest histogram of a window that has a reference; 0 where there is none."""
    found = (histogram_of(subject, vector, name) for name in drifting(subject))
    return max((size_of(counts) for counts in found if counts is not None), default=0)


def _p_value(both: Compared) -> float:
    """Chance of so large a chi-square without drift; NaN where too few rows tell.

    Where it is surely above `FALSE_NAMES`, no list has the feature, and 1 is given instead.
    """
    window, known = chi_square.pool(*both)
    if window.size < 2 or float(window.sum()) < ROWS_PER_BIN * window.size:
        return math.nan
    found, freedom = (
        chi_square.statistic(window, known),
        chi_square.degrees_of_freedom(window, known),
    )
    if freedom >= 1.0 and found < SURELY * chi_square.threshold(int(freedom) + 1, FALSE_NAMES):
        return 1.0
    return float(chi2_sf(found, freedom))
