"""G4: three inputs leave the regime that the reference knew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from benchmarks.quality import monitor, streams
from benchmarks.quality.case import PeerRun, Run, Stream, Target, Told, alarms_of
from benchmarks.quality.scoring import Truth
from schemas.policy import Task
from streams.control import Control

REFERENCE = 8_000
ROWS = 45_312
WEEK_ROWS = 336
CHANGED = frozenset({"vicprice", "vicdemand", "transfer"})


class InputRegime:
    """Electricity inputs; before row 17,424 three of them are constant."""

    name = "G4"
    title = "A regime of the inputs: Elec2, three columns come alive"
    streams = (
        Stream(
            "",
            "Elec2, six inputs",
            Truth(on=17_424, horizon=2_000, signals=CHANGED),
            REFERENCE,
            ROWS - REFERENCE,
            WEEK_ROWS,
        ),
    )
    seeds = 20

    def run(self, seed: int) -> list[Run]:
        """One recording in windows of a week; seeds differ in the row at which weeks begin."""
        skip = seed * WEEK_ROWS // self.seeds
        control, sheet = _watch()
        told = monitor.watch(control, [monitor.in_order(sheet, skip=skip)])
        return [Run("", seed, tuple(told.alarms(first=REFERENCE + skip)))]

    def tell(self, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Told:
        """All three columns have to be named, with at most two false episodes before."""
        score = self.streams[0].score(alarms_of(runs, ""))
        complete = None if score.named_all is None else score.named_all.value
        return Told(
            [
                Target("runs that name all three columns", complete, 1.0, "at least"),
                Target("false episodes per run", score.false_episodes / score.runs, 2.0),
            ],
            notes=["One recording: runs differ only in the row at which windows begin."],
        )


@cache
def _watch() -> tuple[Control, monitor.Sheet]:
    rows = streams.elec2()
    rules = monitor.policy(Task.REGRESSION, window_rows=WEEK_ROWS)
    known = monitor.profile(rules, rows[:REFERENCE])
    sheet = monitor.sheet_of(monitor.plan_of(rules, known), rows[REFERENCE:])
    return monitor.control_of(rules, known), sheet
