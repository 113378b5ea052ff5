"""Error stream: the error rate of a frozen model goes up at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.quality import monitor, streams
from benchmarks.quality.case import PeerRun, Run, Stream, Target, Told, alarms_of
from benchmarks.quality.scoring import Truth
from schemas.policy import Task

BEFORE = 0.10
AFTER = (0.12, 0.15, 0.20)
SHIFT = 8_000
ROWS = 16_000
WINDOW_ROWS = 200
SIGNALS = frozenset({"error", "brier", "calibration", "actual_positive_rate", "estimate_gap"})
"""All that an error of this model is: it says no, so an error is a positive it did not expect."""

TRUTH = Truth(on=SHIFT, horizon=ROWS - SHIFT, signals=SIGNALS)
ADWIN = {0.15: 905.0, 0.20: 277.0}
"""Median delay of the best of the peers that raises no false alarm, as first measured."""

TOLERANCE_NOTE = (
    "The budget that reference errors give lies about .018 above them, so .12 is hardly above it "
    "and is not looked for: a choice of the policy, not of the test."
)


def name_of(rate: float) -> str:
    """Name of the stream that goes to an error rate."""
    return f"p={rate:.2f}"


class ErrorStream:
    """A model that says no with a score of .10 and is wrong at that rate, until row 8,000."""

    name = "errors"
    title = "Error stream: p = .10, shifted at row 8,000"
    streams = tuple(
        Stream(name_of(rate), f".10 to {rate:.2f}", TRUTH, 0, ROWS, WINDOW_ROWS) for rate in AFTER
    )
    seeds = 20

    def run(self, seed: int) -> list[Run]:
        """The same uniform numbers for every rate; 8,000 reference errors."""
        uniform = np.random.default_rng(seed).random(SHIFT + ROWS)
        rules = monitor.policy(Task.BINARY, window_rows=WINDOW_ROWS)
        known = monitor.profile(rules, _rows(uniform[:SHIFT] < BEFORE))
        runs = []
        for rate in AFTER:
            level = np.where(np.arange(ROWS) < SHIFT, BEFORE, rate)
            rows = _rows(uniform[SHIFT:] < level)
            sheet = monitor.sheet_of(monitor.plan_of(rules, known), rows)
            control = monitor.control_of(rules, known)
            told = monitor.watch(control, [monitor.in_order(sheet)])
            runs.append(Run(name_of(rate), seed, tuple(told.alarms())))
        return runs

    def tell(self, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Told:
        """Delays beside ADWIN's; a rise of two points is below the tolerance of the budget."""
        scores = {
            stream.name: stream.score(alarms_of(runs, stream.name)) for stream in self.streams
        }
        targets = [
            Target(
                f"median delay, .10 to {rate:.2f}", scores[name_of(rate)].median_delay, ADWIN[rate]
            )
            for rate in ADWIN
        ]
        false = sum(score.false_episodes for score in scores.values())
        return Told(
            [*targets, Target("false episodes, all runs", float(false), 0.0)],
            notes=[
                TOLERANCE_NOTE,
            ],
        )


def _rows(wrong: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> streams.Rows:
    return streams.Rows({}, np.full(len(wrong), BEFORE), wrong.astype(np.int64))
