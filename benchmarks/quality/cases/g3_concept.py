"""G3: the meaning of the inputs changes gradually; the model is frozen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks.quality import monitor, streams
from benchmarks.quality.case import PeerRun, Run, Stream, Table, Target, Told, alarms_of, named
from benchmarks.quality.naive_bayes import NaiveBayes, across_folds
from benchmarks.quality.scoring import Truth
from schemas.policy import Task
from streams.control import Control

REFERENCE = 4_000
ROWS = 24_150
WINDOW_ROWS = 200
ERROR = frozenset({"error"})
LATEST = 12_750
ALL = "all signals"

RECORDING_NOTE = "One recording: runs differ only in the row at which windows begin."
BUDGET_NOTE = (
    "Reference scores and errors are those of models fitted to the other reference rows (5 "
    "folds): on the rows that a model was fitted to it errs too rarely."
)


class GradualConceptDrift:
    """INSECTS, gradual and balanced, with Gaussian naive Bayes of the first 4,000 rows."""

    name = "G3"
    title = "Gradual concept drift: INSECTS, frozen Gaussian naive Bayes"
    streams = (
        Stream(
            "",
            "INSECTS, error rate",
            Truth(on=11_750, off=14_028, horizon=2_000, signals=ERROR),
            REFERENCE,
            ROWS - REFERENCE,
            WINDOW_ROWS,
        ),
    )
    seeds = 20

    def run(self, seed: int) -> list[Run]:
        """One recording; seeds differ in the row at which windows begin."""
        skip = seed * WINDOW_ROWS // self.seeds
        control, sheet = _watch()
        told = monitor.watch(control, [monitor.in_order(sheet, skip=skip)])
        every = told.alarms(first=REFERENCE + skip)
        alarms = tuple(alarm for alarm in every if alarm.signal in ERROR)
        return [
            Run("", seed, alarms),
            Run(ALL, seed, tuple(every)),
        ]

    def tell(self, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Told:
        """Targets are on the error rate, which is all that the other tools are given."""
        stream = self.streams[0]
        alone = named(alarms_of(runs, ""), ERROR)
        score = stream.score(alone)
        every = stream.score(alarms_of(runs, ALL))
        missed = None if score.missed is None else score.missed.value
        latest = None if score.median_delay is None else 11_750 + score.median_delay
        return Told(
            [
                Target("median row of detection", latest, LATEST),
                Target("share of runs that miss it", missed, 0.0),
                Target("false episodes per run", score.false_episodes / score.runs, 1.0),
            ],
            tables=[
                Table(
                    "All signals together, features and calibration too",
                    ("false episodes per run", "median delay", "missed"),
                    [(every.false_episodes / every.runs, every.median_delay, every.missed)],
                )
            ],
            notes=[
                RECORDING_NOTE,
                BUDGET_NOTE,
            ],
        )


@cache
def _watch() -> tuple[Control, monitor.Sheet]:
    inputs, species = streams.insects()
    classes = np.searchsorted(np.unique(species), species)
    model = NaiveBayes.fit(inputs[:REFERENCE], classes[:REFERENCE])
    held_out = across_folds(inputs[:REFERENCE], classes[:REFERENCE])
    probabilities = np.concatenate([held_out, model.probabilities(inputs[REFERENCE:])])
    rows = streams.Rows(
        {f"x{column}": inputs[:, column].tolist() for column in range(inputs.shape[1])},
        truth=classes,
        classes=probabilities,
    )
    rules = monitor.policy(Task.MULTICLASS, window_rows=WINDOW_ROWS)
    known = monitor.profile(rules, rows[:REFERENCE])
    sheet = monitor.sheet_of(monitor.plan_of(rules, known), rows[REFERENCE:])
    return monitor.control_of(rules, known), sheet
