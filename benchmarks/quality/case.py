"""What a case is: streams with a known truth, a run of the monitor, targets, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from benchmarks.quality.scoring import Alarm, Estimate, Score, Truth, score

Cell: TypeAlias = str | float | Estimate | None
"""What a table shows in one place."""

KITTIWAKE = "Kittiwake"


@dataclass(frozen=True)
class Stream:
    """One stream of a case.

    Parameters
    ----------
    name, title
        For files, and for people.
    truth
        In row numbers.
    first, rows
        Number of the first scored row, and how many there are.
    window_rows
        Rows of a window.
    """

    name: str
    title: str
    truth: Truth
    first: int
    rows: int
    window_rows: int

    @property
    def exposed(self) -> int:
        """Rows of a run in which an alarm can be false."""
        end = self.truth.end
        return self.rows if end is None else min(self.rows, end - self.first + 1)

    def score(self, runs: Sequence[Sequence[Alarm]]) -> Score:
        """Score runs of any tool."""
        return score(runs, self.truth, rows=self.exposed)


@dataclass(frozen=True)
class Run:
    """What the monitor said in one run of one stream; ``figures`` are what else was measured."""

    stream: str
    seed: int
    alarms: tuple[Alarm, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PeerRun:
    """Stored alarms of another tool on one stream."""

    peer: str
    version: str
    stream: str
    operating_point: str
    runs: Sequence[tuple[Alarm, ...]]
    window_rows: int
    note: str = ""
    estimates: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """A limit beside what was measured; ``measured`` None where it could not be."""

    text: str
    measured: float | None
    limit: float
    sense: Literal["at most", "at least"] = "at most"

    @property
    def met(self) -> bool | None:
        """Whether the limit holds; None where nothing was measured.

        Examples
        --------
        >>> Target("false", 0.2, 0.1).met, Target("power", 0.9, 0.8, "at least").met
        (False, True)
        """
        if self.measured is None:
            return None
        if self.sense == "at most":
            return self.measured <= self.limit
        return self.measured >= self.limit


@dataclass(frozen=True)
class Line:
    """A line or a row of points of a picture; ``low`` and ``high`` bound each y where known."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Picture:
    """A chart: ``lines`` over x, with vertical ``marks``."""

    title: str
    x: str
    y: str
    lines: Sequence[Line]
    marks: Sequence[float] = ()


@dataclass(frozen=True)
class Table:
    """Further figures of a case, in words and numbers."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Told:
    """What a case says of its runs, beyond the scores of its streams."""

    targets: Sequence[Target]
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    notes: Sequence[str] = ()


class Case(Protocol):
    """One case of the benchmark; `cases` lists them."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def streams(self) -> Sequence[Stream]: ...
    @property
    def seeds(self) -> int: ...

    def run(self, seed: int) -> list[Run]:
        """One seed on every stream, through the real pipeline."""

    def tell(self, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Told:
        """Targets, tables and pictures of all runs."""


def alarms_of(runs: Sequence[Run], stream: str) -> list[tuple[Alarm, ...]]:
    """Alarms of each run of a stream."""
    return [run.alarms for run in runs if run.stream == stream]


def named(runs: Sequence[Sequence[Alarm]], signals: frozenset[str]) -> list[tuple[Alarm, ...]]:
    """Runs with only the alarms that name some signals."""
    return [tuple(alarm for alarm in run if alarm.signal in signals) for run in runs]


def figures(runs: Sequence[Run], stream: str, name: str) -> list[float]:
    """One figure of each run of a stream that has it."""
    return [run.figures[name] for run in runs if run.stream == stream and name in run.figures]
