"""The numbers to hold, as data: where each figure is stored, and what it is compared with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmarks.figures import Spread, at

MILLION = 1_000_000


class Verdict(StrEnum):
    """What the stored figures say of a target."""

    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"
    SMALL = "small run"


@dataclass(frozen=True, slots=True)
class Target:
    """One number to hold.

    Parameters
    ----------
    name
        What is measured.
    part
        Which part of ``python -m benchmarks`` measures it; its file is ``<part>.json``.
    figure
        Where the figure of each run stands, as `figures.at` reads it.
    entry
        Name of the entry of the file that is a result of its own, with its machine; empty if the
        whole file is one.
    base
        Where the figure stands that it is divided by, run by run; empty for none.
    at_least, at_most
        The bound, one of the two, on the median of all runs.
    worst
        Whether the bound is on the worst of them instead.
    unit
        Written behind the figures.
    needs
        A figure and the least it must be: else the run was too small to speak of the target.
    """

    name: str
    part: str
    figure: str
    entry: str = ""
    base: str = ""
    at_least: float | None = None
    at_most: float | None = None
    worst: bool = False
    unit: str = ""
    needs: tuple[str, float] | None = None

    @property
    def bound(self) -> str:
        """For people.

        Examples
        --------
        >>> Target("backtest", "backtest", "seconds", at_most=15, unit=" s").bound
        '≤ 15 s'
        """
        sign, level = ("≤", self.at_most) if self.at_least is None else ("≥", self.at_least)
        return f"{sign} {level:g}{self.unit}"

    def met_by(self, spread: Spread) -> bool:
        """Whether figures are within the bound."""
        if self.at_least is not None:
            return (spread.minimum if self.worst else spread.median) >= self.at_least
        if self.at_most is not None:
            return (spread.maximum if self.worst else spread.median) <= self.at_most
        raise ValueError(f"target {self.name!r} has no bound")


_KAFKA = "logs/kafka/events_per_cpu_second/*/"
_MEMORY = "logs/memory/events_per_cpu_second/*/"

TARGETS = (
    Target(
        "predictions / read and decode, on Kafka",
        "ingest",
        _KAFKA + "INGEST of predictions",
        base=_KAFKA + "read and decode",
        at_least=0.6,
    ),
    Target(
        "predictions / read and decode, log in memory",
        "ingest",
        _MEMORY + "INGEST of predictions",
        base=_MEMORY + "read and decode",
        at_least=0.6,
    ),
    Target(
        "predictions / windowed mean of Quix Streams",
        "peers",
        "runs/*/kittiwake json",
        entry="quix windowed mean",
        base="runs/*/quix windowed mean",
        at_least=10,
        unit=" times",
    ),
    Target(
        "predictions / trivial agent of Faust",
        "peers",
        "runs/*/kittiwake json",
        entry="faust trivial agent",
        base="runs/*/faust trivial agent",
        at_least=20,
        unit=" times",
    ),
    Target(
        "Arrow batches / JSON",
        "ingest",
        _KAFKA + "INGEST of Arrow batches",
        base=_KAFKA + "INGEST of predictions",
        at_least=5,
        unit=" times",
    ),
    Target(
        "feedback / predictions, 10 million pending",
        "pending",
        "runs/*/feedback per CPU-second",
        base="runs/*/predictions per CPU-second",
        at_least=0.5,
        needs=("pending", 10 * MILLION),
    ),
    Target(
        "memory of INGEST, 10 million pending",
        "pending",
        "peak_mb",
        at_most=600,
        worst=True,
        unit=" MB",
        needs=("pending", 10 * MILLION),
    ),
    Target(
        "memory flat over an hour (1 = yes)",
        "soak",
        "flat",
        at_least=1,
        needs=("minutes", 60),
    ),
    Target(
        "10,000 sequential tests in a bank, slowest of the bets",
        "detectors",
        "kinds/*/bank/median",
        at_most=50,
        worst=True,
        unit=" ms",
        needs=("tests", 10_000),
    ),
    Target(
        "10,000 sequential tests in a window of DECIDE, reading panes and state included",
        "decide",
        "windows/many tests/judge/*",
        at_most=50,
        unit=" ms",
    ),
    Target("pane close to alert, p99", "latency", "runs/*/p99_s", at_most=2, unit=" s"),
    Target(
        "kill -9 to caught up, same disk",
        "recovery",
        "runs/*/same disk/caught_up_s",
        at_most=15,
        worst=True,
        unit=" s",
    ),
    Target(
        "sums exact after kill -9 (1 = yes)",
        "recovery",
        "exact",
        at_least=1,
        worst=True,
    ),
    Target(
        "new host, for each million join records",
        "recovery",
        "runs/*/new host/seconds_per_million",
        at_most=1,
        unit=" s",
        needs=("pending", MILLION),
    ),
    Target(
        "backtest of 1 million events",
        "backtest",
        "runs/*/seconds",
        at_most=15,
        unit=" s",
        needs=("events", MILLION),
    ),
    Target(
        "another policy on the same panes",
        "backtest",
        "runs/*/another_policy_s",
        at_most=1,
        unit=" s",
        needs=("events", MILLION),
    ),
)
"""The table "Numbers to hold", one by one."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A target beside what was measured; ``why`` says what is missing where nothing was."""

    target: Target
    verdict: Verdict
    spread: Spread | None = None
    runs: int = 0
    date: str = ""
    why: str = ""


def judge(target: Target, results: Path, *, whole: bool = True) -> Judged:
    """What the stored result says of a target; the median decides.

    Nothing that was not measured, or too small, is ever met. Of runs that are not ``whole`` the
    figures are shown, and none of them is met or missed.
    """
    path = results / f"{target.part}.json"
    if not path.is_file():
        return Judged(target, Verdict.NOT_MEASURED, why=f"no {path.name}")
    try:
        stored = json.loads(path.read_text())
        if target.entry:
            stored = stored[target.entry]
        figures = at(stored, target.figure)
        if target.base:
            bases = at(stored, target.base)
            figures = [own / base for own, base in zip(figures, bases, strict=True)]
        short = _short(target, stored)
        date = str(stored["machine"]["date"])
    except (ValueError, LookupError) as error:
        return Judged(target, Verdict.NOT_MEASURED, why=f"{path.name}: {error}")
    if short or not figures:
        return Judged(target, Verdict.NOT_MEASURED, why=short or f"{path.name} has no runs")
    spread = Spread.of(figures)
    verdict = Verdict.MET if target.met_by(spread) else Verdict.MISSED
    return Judged(target, verdict if whole else Verdict.SMALL, spread, len(figures), date)


def _short(target: Target, stored: object) -> str:
    """Why a run was too small to speak of the target; empty if it was not."""
    if target.needs is None:
        return ""
    name, least = target.needs
    (had,) = at(stored, name)
    return f"{name} was {had:,.0f}, and {least:,.0f} are needed" if had < least else ""


def table(judged: Iterable[Judged]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| number to hold | target | minimum / median / maximum | runs | measured | verdict |"
    yield "|---|---|---|---|---|---|"
    for one in judged:
        spread = one.spread
        figures = (
            one.why
            if spread is None
            else f"{spread.minimum:.3g} / {spread.median:.3g} / {spread.maximum:.3g}"
        )
        verdict = f"**{one.verdict}**" if one.verdict is Verdict.MISSED else one.verdict
        yield (
            f"| {one.target.name} | {one.target.bound} | {figures} | {one.runs or ''} | {one.date} "
            f"| {verdict} |"
        )


def counted(judged: Sequence[Judged]) -> str:
    """How many targets are met, missed and not measured."""
    counts = Counter(one.verdict for one in judged)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
