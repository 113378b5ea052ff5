"""Scores of alarms against a known truth; the same rules for every tool.

Time is the row of the stream. Alarms within 1,000 rows of the first of them are one episode. The
first episode within the truth is the detection. Every other episode up to its end is false, unless
all it names is part of the same change; episodes after the end are told apart.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from detectors.distributions import chi2_isf
from detectors.intervals import wilson

GAP = 1_000
"""Rows after the first alarm of an episode in which further alarms belong to it."""

DAY_ROWS = 48_000
"""A monitor-day: 24 windows of 2,000 rows."""

LEVEL = 0.05
ANYTHING = "*"
"""Signal of an alarm that names nothing."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something was said at a row, about a column, ``score``, ``error`` or ``calibration``."""

    at: int
    signal: str


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened.

    Parameters
    ----------
    on, off
        First and last row of the change; ``on`` None where nothing changes, ``off`` None where
        the change stays.
    horizon
        Rows after ``on`` in which a change that stays counts as found; a missed one counts as a
        delay of so many rows.
    signals
        Names that are right, all of them part of the change.
    allowed
        Names that are no detection, and not false once the change has begun.
    """

    on: int | None = None
    off: int | None = None
    horizon: int = 0
    signals: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()

    @property
    def end(self) -> int | None:
        """Last row at which an episode may begin and count as the detection."""
        if self.on is None:
            return None
        return self.on + self.horizon if self.off is None else self.off


@dataclass(frozen=True, slots=True)
class Episode:
    """Alarms close together: the row of the first, and all they name."""

    at: int
    signals: frozenset[str]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, where it has one; None where there is nothing to tell."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run against the truth. ``delay`` is None where the change was missed."""

    false: int
    delay: int | None
    named: frozenset[str]
    wrong: frozenset[str]
    later: int


@dataclass(frozen=True, slots=True)
class Score:
    """All runs of one tool on one stream."""

    runs: int
    monitor_days: float
    false_episodes: int
    false_per_day: Estimate
    any_false: Estimate
    missed: Estimate | None
    median_delay: float | None
    p90_delay: float | None
    restricted_mean: float | None
    named: Estimate | None
    named_all: Estimate | None


def episodes(alarms: Iterable[Alarm], *, gap: int = GAP) -> list[Episode]:
    """Alarms in order, put together.

    Examples
    --------
    >>> found = episodes([Alarm(100, "a"), Alarm(1_100, "b"), Alarm(1_101, "a")])
    >>> [(episode.at, sorted(episode.signals)) for episode in found]
    [(100, ['a', 'b']), (1101, ['a'])]
    """
    found: list[tuple[int, set[str]]] = []
    for alarm in sorted(alarms, key=lambda alarm: (alarm.at, alarm.signal)):
        if found and alarm.at <= found[-1][0] + gap:
            found[-1][1].add(alarm.signal)
        else:
            found.append((alarm.at, {alarm.signal}))
    return [Episode(at, frozenset(names)) for at, names in found]


def outcome(alarms: Collection[Alarm], truth: Truth, *, gap: int = GAP) -> Outcome:
    """One run against the truth.

    Examples
    --------
    >>> truth = Truth(on=5_000, horizon=2_000, signals=frozenset({"x"}))
    >>> outcome([Alarm(900, "y"), Alarm(5_600, "x"), Alarm(9_000, "x")], truth)
    Outcome(false=1, delay=600, named=frozenset({'x'}), wrong=frozenset({'y'}), later=1)
    """
    if truth.on is None or truth.end is None:
        found = episodes(alarms, gap=gap)
        return Outcome(len(found), None, frozenset(), _names(found), 0)
    # The change cuts an episode in two: what began before it is no detection of it.
    before = episodes((a for a in alarms if a.at < truth.on), gap=gap)
    within = episodes((a for a in alarms if truth.on <= a.at <= truth.end), gap=gap)
    after = episodes((a for a in alarms if a.at > truth.end), gap=gap)
    known = truth.signals | truth.allowed
    first = next((episode for episode in within if not episode.signals <= truth.allowed), None)
    others = [e for e in within if e is not first and not e.signals <= known]
    return Outcome(
        false=len(before) + len(others),
        delay=None if first is None else first.at - truth.on,
        named=_names(within) & truth.signals,
        wrong=_names(before) | (_names(within) - known),
        later=len(after),
    )


def score(runs: Sequence[Collection[Alarm]], truth: Truth, *, rows: int, gap: int = GAP) -> Score:
    """All runs of a tool against the truth.

    Parameters
    ----------
    runs
        Alarms of each run, at least one run.
    rows
        Scored rows of a run. Where something changes, false episodes count over the rows up to
        the end of the truth, and rows that precede it make the monitor-days.
    """
    outcomes = [outcome(alarms, truth, gap=gap) for alarms in runs]
    days = len(runs) * rows / DAY_ROWS
    false = sum(found.false for found in outcomes)
    any_false = share(sum(found.false > 0 for found in outcomes), len(outcomes))
    if truth.on is None or truth.end is None:
        rate = rate_per(false, days)
        return Score(len(runs), days, false, rate, any_false, *[None] * 6)
    delays = [found.delay for found in outcomes if found.delay is not None]
    cap = truth.end - truth.on
    missed = len(outcomes) - len(delays)
    return Score(
        runs=len(runs),
        monitor_days=days,
        false_episodes=false,
        false_per_day=rate_per(false, days),
        any_false=any_false,
        missed=share(missed, len(outcomes)),
        median_delay=median(delays) if delays else None,
        p90_delay=quantile(delays, 0.9) if delays else None,
        restricted_mean=(sum(delays) + missed * cap) / len(outcomes),
        named=share(sum(bool(found.named) for found in outcomes), len(outcomes)),
        named_all=share(sum(found.named == truth.signals for found in outcomes), len(outcomes)),
    )


def share(k: int, n: int) -> Estimate:
    """A share with its Wilson interval.

    Examples
    --------
    >>> found = share(0, 200)
    >>> found.value, found.low, round(found.high, 4)
    (0.0, 0.0, 0.0188)
    """
    if n <= 0:
        return Estimate(None)
    low, high = wilson(k, n, LEVEL)
    return Estimate(k / n, float(low), float(high))


def rate_per(count: int, exposure: float) -> Estimate:
    """Events for each unit of exposure, with Garwood's exact interval for a Poisson count.

    Examples
    --------
    >>> found = rate_per(3, 10.0)
    >>> found.value, round(found.low, 4), round(found.high, 4)
    (0.3, 0.0619, 0.8767)

    References
    ----------
    .. [1] Garwood, Fiducial limits for the Poisson distribution, Biometrika 28, 1936.
    """
    if exposure <= 0:
        return Estimate(None)
    low = 0.0 if count == 0 else chi2_isf(1.0 - LEVEL / 2.0, 2.0 * count) / 2.0
    high = chi2_isf(LEVEL / 2.0, 2.0 * count + 2.0) / 2.0
    return Estimate(count / exposure, low / exposure, high / exposure)


def quantile(values: Sequence[float], q: float) -> float:
    """Smallest value that at least a share ``q`` of the values does not exceed.

    Examples
    --------
    >>> quantile([30, 10, 20], 0.9), quantile([10, 20, 30, 40], 0.5)
    (30, 20)
    """
    ordered = sorted(values)
    return ordered[max(math.ceil(q * len(ordered)), 1) - 1]


def never() -> list[Alarm]:
    """The dummy that says nothing."""
    return []


def always(first: int, rows: int, window_rows: int) -> list[Alarm]:
    """The dummy that alarms at the end of every window and names nothing.

    Examples
    --------
    >>> [alarm.at for alarm in always(100, 30, 10)]
    [109, 119, 129]
    """
    ends = range(first + window_rows - 1, first + rows, window_rows)
    return [Alarm(at, ANYTHING) for at in ends]


def _names(found: Iterable[Episode]) -> frozenset[str]:
    return frozenset().union(*(episode.signals for episode in found))
