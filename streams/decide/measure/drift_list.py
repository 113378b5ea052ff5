"""Which features drifted in one window: a list with few false names, for people to look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import BoolArray
from detectors.distributions import chi2_sf
from detectors.drift import chi_square, tv
from detectors.drift.bh import bh
from detectors.summary import Ints
from streams.decide.measure.histograms import Alike, Compared, alike, drifting
from streams.decide.subject import Subject

FALSE_NAMES = 0.01
"""Highest expected share of false names in a list; an empty list has none."""

SURELY = 0.99
"""Below this part of a threshold no rounding counts."""

ROWS_PER_BIN = 5
"""Rows of the window for each bin, below which nothing is said of a feature."""


class Listed(NamedTuple):
    """What drifted in a window, in order of name, and the rows of its largest histogram that has a
    reference; 0 where there is none."""

    rows: int
    names: list[str]


class _Chance(NamedTuple):
    """A feature, whether it is as far away as matters, and the chance of that without drift."""

    feature: str
    far: bool
    p: float


def drifted(subject: Subject, vector: Ints) -> list[str]:
    """The names of `listed_each` for one window."""
    return listed_each([(subject, vector)])[0].names


def listed_each(windows: Sequence[tuple[Subject, Ints]]) -> list[Listed]:
    """Features, score and answers of windows that differ from the reference.

    A name is listed if its chi-square passes Benjamini-Hochberg over all of the window, its
    distance in total variation is as large as what matters, and there are rows enough. The list
    describes one window: a list of many windows has false names in some of them.

    References
    ----------
    .. [1] Benjamini, Hochberg, Controlling the false discovery rate, JRSS-B 57, 1995.
    """
    groups = alike(windows)
    far = [tv.corrected(*group.both) >= group.eps for group in groups]
    rows, names = np.zeros(len(windows)), [list[str]() for _ in windows]
    for group in groups:
        sizes = np.rint(group.both.window.sum(axis=-1) * group.dispersion)
        np.maximum.at(rows, group.windows, sizes)
    for place, chances in _chances(groups, far).items():
        rejected = bh([one.p for one in chances], FALSE_NAMES).tolist()
        known = {x.feature for x, yes in zip(chances, rejected, strict=True) if x.far and yes}
        names[place] = [name for name in drifting(windows[place][0]) if name in known]
    return [Listed(*own) for own in zip(map(int, rows.tolist()), names, strict=True)]


def _chances(groups: Sequence[Alike], far: Sequence[BoolArray]) -> dict[int, list[_Chance]]:
    """All features of the windows in which any is far away."""
    found: defaultdict[int, list[_Chance]] = defaultdict(list)
    moved = [group.windows[own] for group, own in zip(groups, far, strict=True) if own.any()]
    if not moved:
        return found
    every = np.concatenate(moved)
    for group, own in zip(groups, far, strict=True):
        asked = np.flatnonzero(np.isin(group.windows, every))
        both = Compared(group.both.window[asked], group.both.reference[asked])
        for place, p in zip(asked.tolist(), _p_values(both), strict=True):
            chance = _Chance(group.features[place], bool(own[place]), p)
            found[int(group.windows[place])].append(chance)
    return found


def _p_values(both: Compared) -> list[float]:
    """Chance of so large a chi-square without drift; NaN where too few rows tell.

    Where it is surely above `FALSE_NAMES`, no list has the feature, and 1 is given instead.
    """
    pooled = chi_square.pool(*both)
    found = chi_square.statistic(pooled.window, pooled.reference)
    freedom = chi_square.degrees_of_freedom(pooled.window, pooled.reference)
    told = (pooled.bins >= 2) & (pooled.window.sum(axis=-1) >= ROWS_PER_BIN * pooled.bins)
    chances = np.where(told, 1.0, np.nan)
    for degrees in np.unique(freedom[told]).tolist():
        own = np.flatnonzero(told & (freedom == degrees))
        if degrees >= 1.0:
            least = SURELY * chi_square.threshold(int(degrees) + 1, FALSE_NAMES)
            own = own[~(found[own] < least)]
        # One by one: a row of several would be worked out as exactly as the worst of them needs.
        for row in own.tolist():
            chances[row] = float(chi2_sf(found[row], degrees))
    known: list[float] = chances.tolist()
    return known
