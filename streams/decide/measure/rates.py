"""Every rate and mean of windows with interval, level and verdict, those of all windows at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import NamedTuple, TypeAlias

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.intervals import Ends, mean_interval, wilson
from detectors.outcomes import classes_of
from detectors.outcomes.feedback import sources_of
from detectors.planning import needed_binary_each
from detectors.quantities import (
    CLASS_METRICS,
    FEATURE_METRICS,
    INPUT_METRICS,
    LABEL_METRICS,
    TOLD_METRICS,
    Places,
    places_of,
)
from detectors.summary import Ints, Layout
from schemas.windows import Metric, Verdict
from streams.decide.levels import Level, feature_levels
from streams.decide.measure.histograms import SUBJECTS
from streams.decide.measure.interval import LEVEL, judged, number
from streams.decide.subject import Subject

Name: TypeAlias = tuple[str, str]
"""A metric, and the feature, class or source that it is of; "" where it is of none."""


class Levels(NamedTuple):
    """Levels of a metric, None where there is none, and how many events count as one."""

    above: Level | None
    below: Level | None
    dispersion: float

    def at(self, subject: Subject, start_ms: int) -> tuple[float | None, float | None]:
        """Budget and floor in a window."""
        above, below = (
            None if level is None else level.at(start_ms, subject.window_ms)
            for level in (self.above, self.below)
        )
        return above, below


class Rates(NamedTuple):
    """Rates and means of a window: of labels, of the labels themselves, of inputs, of features."""

    labels: list[Metric]
    told: list[Metric]
    inputs: list[Metric]
    features: list[Metric]


class _Plan(NamedTuple):
    """Where rates and means stand in panes of a layout, and what they may not cross.

    A number of events is a sum of entries ``of`` times ``signs``, both (R, T); a sum of values is
    one of entries ``bad`` divided by ``scales``, (R, U). ``squares`` are the entries of their sums
    of squares, NaN when divided by ``square_scales`` where there are none, all (R,). Values were
    scaled from [``low``, ``high``], and none is above ``highest``. Metrics of no event are shown
    only if ``empty``.
    """

    names: tuple[Name, ...]
    empty: bool
    levels: tuple[Levels, ...]
    of: Ints
    signs: Ints
    bad: Ints
    scales: FloatArray
    squares: Ints
    square_scales: FloatArray
    low: FloatArray
    high: FloatArray
    highest: FloatArray
    dispersion: FloatArray


class _Asked(NamedTuple):
    """Metrics asked for of a pane of a window that starts at a time."""

    subject: Subject
    start_ms: int
    plan: _Plan
    vector: Ints


class _Sums(NamedTuple):
    """Numbers, sums and sums of squares, NaN of yes and no, and the range of a value: (R,)."""

    n: Ints
    s: FloatArray
    q: FloatArray
    low: FloatArray
    high: FloatArray
    dispersion: FloatArray


def rates_each(windows: Sequence[tuple[Subject, Ints, Ints, int]]) -> list[Rates]:
    """Rates and means of windows.

    Parameters
    ----------
    windows
        Each with its inputs, its labels and its start.
    """
    asked = [
        _Asked(subject, start_ms, plan, vector)
        for subject, inputs, labels, start_ms in windows
        for plan, vector in zip(_plans(subject), (labels, labels, inputs, inputs), strict=True)
    ]
    found = _metrics(asked)
    return [Rates(*found[first : first + 4]) for first in range(0, len(found), 4)]


def levels_of(subject: Subject, metric: str, feature: str = "") -> Levels:
    """The levels of a metric of a stream, and how many events count as one."""
    own = _levels_of(subject).get((metric, feature), ())
    sides = {level.worse: level for level in own}
    rows = float(subject.policy.dependence.rows_per_unit)
    dispersion = max([rows, *(level.dispersion for level in own)])
    return Levels(sides.get("above"), sides.get("below"), dispersion)


@lru_cache(maxsize=SUBJECTS)
def _levels_of(subject: Subject) -> Mapping[Name, Sequence[Level]]:
    """Levels of a stream and of its features by metric, and by feature where they are of one."""
    found: dict[Name, list[Level]] = {}
    own = (level for feature in subject.features for level in feature_levels(feature))
    for level in (*subject.levels, *own):
        found.setdefault((level.metric, level.feature), []).append(level)
    return found


@lru_cache(maxsize=SUBJECTS)
def _plans(subject: Subject) -> tuple[_Plan, _Plan, _Plan, _Plan]:
    """Plans of `Rates`."""
    classes = classes_of(subject.policy, subject.reference)
    named = [(name, "") for name in LABEL_METRICS]
    named += [(name, of) for of in classes for name in CLASS_METRICS]
    told = [(name, of) for of in ("", *sources_of(subject.policy)) for name in TOLD_METRICS]
    features = [(name, one.name) for one in subject.features for name in FEATURE_METRICS]
    return (
        _plan(subject, subject.labels, named, empty=True),
        _plan(subject, subject.labels, told),
        _plan(subject, subject.inputs, [(name, "") for name in INPUT_METRICS]),
        _plan(subject, subject.inputs, features),
    )


def _plan(subject: Subject, layout: Layout, names: Iterable[Name], *, empty: bool = False) -> _Plan:
    """What of some metrics the panes of a layout have."""
    known = [(name, places) for name in names if (places := places_of(layout, *name)) is not None]
    own = [places for _, places in known]
    levels = tuple(levels_of(subject, *name) for name, _ in known)
    squares = [places.squares or (0, np.nan) for places in own]
    return _Plan(
        names=tuple(name for name, _ in known),
        empty=empty,
        levels=levels,
        of=_table([[at for _, at in places.of] for places in own]).astype(np.int64),
        signs=_table([[-1 if less else 1 for less, _ in places.of] for places in own]).astype(
            np.int64
        ),
        bad=_table([[at for at, _ in places.bad] for places in own]).astype(np.int64),
        scales=_table([[scale for _, scale in places.bad] for places in own], np.inf),
        squares=np.array([at for at, _ in squares], np.int64),
        square_scales=as_floats([scale for _, scale in squares]),
        low=as_floats([places.low for places in own]),
        high=as_floats([places.high for places in own]),
        highest=as_floats([_highest(places) for places in own]),
        dispersion=as_floats([level.dispersion for level in levels]),
    )


def _table(rows: Sequence[Sequence[float]], filling: float = 0.0) -> FloatArray:
    """Rows of different lengths, filled up."""
    width = max(map(len, rows), default=1)
    filled = [[*row, *[filling] * (width - len(row))] for row in rows]
    return as_floats(filled).reshape(len(rows), width)


def _highest(places: Places) -> float:
    """The largest value that there may be."""
    if places.squares is None:
        return 1.0
    return places.hi if (places.low, places.high) == (0.0, 1.0) else places.high


def _sums(plan: _Plan, vector: Ints) -> _Sums:
    """Sums of a pane, equal to those of `Places.sums`, bit for bit."""
    n = (vector[plan.of] * plan.signs).sum(axis=1)
    s = (vector[plan.bad] / plan.scales).sum(axis=1)
    q = vector[plan.squares] / plan.square_scales
    moved = (plan.low != 0.0) | (plan.high != 1.0)
    if moved.any():
        low, span = plan.low, plan.high - plan.low
        q = np.where(moved, n * (low * low) + span * (2.0 * low * s + span * q), q)
        s = np.where(moved, n * low + span * s, s)
    return _Sums(n, s, q, plan.low, plan.highest, plan.dispersion)


def _metrics(asked: Sequence[_Asked]) -> list[list[Metric]]:
    """The metrics of each plan."""
    if not asked:
        return []
    columns = zip(*(_sums(one.plan, one.vector) for one in asked), strict=True)
    sums = _Sums(*(np.concatenate(column) for column in columns))
    lows, highs = ([number(end) for end in ends.tolist()] for ends in _intervals(sums))
    levels = [own.at(one.subject, one.start_ms) for one in asked for own in one.plan.levels]
    verdicts = [
        judged(low, high, *level) for low, high, level in zip(lows, highs, levels, strict=True)
    ]
    needed = _needed(sums, verdicts)
    numbers = zip(sums.n.tolist(), sums.s.tolist(), strict=True)
    rows = zip(numbers, lows, highs, levels, verdicts, count(), strict=False)
    return [
        [
            Metric(
                name=name,
                feature=feature,
                n=n,
                value=s / n if n > 0 else None,
                low=low,
                high=high,
                budget=budget,
                floor=floor,
                verdict=verdict,
                needed=needed.get(place),
            )
            for (name, feature), ((n, s), low, high, (budget, floor), (verdict, _), place) in zip(
                one.plan.names, rows, strict=False
            )
            if n > 0 or one.plan.empty
        ]
        for one in asked
    ]


def _intervals(sums: _Sums) -> Ends:
    """95 % intervals of rates (Wilson) and of means (large sample); NaN where nothing is known."""
    n, s, q = (as_floats(column / sums.dispersion) for column in (sums.n, sums.s, sums.q))
    rates, means = wilson(s, n, LEVEL), mean_interval(n, s, q, LEVEL)
    of_rate = np.isnan(q)
    return Ends(*(np.where(of_rate, *both) for both in zip(rates, means, strict=True)))


def _needed(sums: _Sums, verdicts: Sequence[tuple[Verdict | None, list[float]]]) -> dict[int, int]:
    """How many more events each undecided verdict is expected to take, by place, where any number
    would do; as `interval.needed`."""
    open_ = [
        (place, level)
        for place, (verdict, levels) in enumerate(verdicts)
        if verdict is Verdict.CANNOT_TELL and sums.n[place] > 0
        for level in levels
    ]
    if not open_:
        return {}
    places, level = (np.array(column) for column in zip(*open_, strict=True))
    n, low, span = sums.n[places], sums.low[places], (sums.high - sums.low)[places]
    share, limit = (sums.s[places] / n - low) / span, (level - low) / span
    fits = np.flatnonzero((share >= 0.0) & (share <= 1.0))
    events = sums.dispersion[places[fits]] * needed_binary_each(share[fits], limit[fits], LEVEL)
    found: dict[int, int] = {}
    for place, most in zip(places[fits].tolist(), events.tolist(), strict=True):
        if math.isfinite(most):
            more = max(math.ceil(most) - int(sums.n[place]), 1)
            found[place] = max(more, found.get(place, 0))
    return found
