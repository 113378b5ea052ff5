"""G2: nothing changes, but each row resembles the one before."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.quality import monitor
from benchmarks.quality import streams as data
from benchmarks.quality.case import PeerRun, Run, Stream, Target, Told, alarms_of
from benchmarks.quality.scoring import DAY_ROWS, Truth
from schemas.policy import Task

REFERENCE = 2_000
SKAB_ROWS = 7_405
WINDOW_ROWS = 500
PHASES = 20

RECORDING_NOTE = (
    "SKAB is one recording: its runs differ only in the row at which windows begin, so their "
    "interval says nothing about other recordings."
)
SKAB_NOTE = (
    "Nothing is wrong in SKAB, but its sensors do move: of 14 windows of 500 rows, Temperature, "
    "Thermocouple and Accelerometer2RMS lie outside of the range of most of the 2,000 reference "
    "rows (total variation .95) in 9 or more. Windows of the reference itself are .2 to .7 away "
    "from it."
)


class DependentNull:
    """Sensors without a fault, and Gaussian AR(.9) copies."""

    name = "G2"
    title = "Nothing changes, rows depend on those before: SKAB without faults, AR(.9)"
    streams = (
        Stream("AR(.9)", "Gaussian AR(.9), 8 columns", Truth(), 0, DAY_ROWS, WINDOW_ROWS),
        Stream("SKAB", "SKAB, anomaly-free, 8 sensors", Truth(), 0, SKAB_ROWS, WINDOW_ROWS),
    )
    seeds = 200

    def run(self, seed: int) -> list[Run]:
        """One AR stream for each seed; SKAB once for each of 20 places where windows begin."""
        rows = data.autoregressive(seed, REFERENCE + DAY_ROWS)
        runs = [self._run("AR(.9)", rows, seed, skip=0)]
        if seed < PHASES:
            skip = seed * WINDOW_ROWS // PHASES
            runs.append(self._run("SKAB", data.skab(), seed, skip=skip))
        return runs

    def _run(self, name: str, rows: data.Rows, seed: int, *, skip: int) -> Run:
        rules = monitor.policy(Task.REGRESSION, window_rows=WINDOW_ROWS)
        known = monitor.profile(rules, rows[:REFERENCE])
        sheet = monitor.sheet_of(monitor.plan_of(rules, known), rows[REFERENCE:])
        control = monitor.control_of(rules, known)
        told = monitor.watch(control, [monitor.in_order(sheet, skip=skip)])
        return Run(name, seed, tuple(told.alarms(first=skip)))

    def tell(self, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Told:
        """The target is on runs with any false episode."""
        return Told(
            [
                Target(
                    f"runs with a false episode, {stream.title}",
                    stream.score(alarms_of(runs, stream.name)).any_false.value,
                    0.1,
                )
                for stream in self.streams
            ],
            notes=[
                RECORDING_NOTE,
                SKAB_NOTE,
            ],
        )
