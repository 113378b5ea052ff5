"""G5: labels come 10,000 rows late; what can be said until then?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from benchmarks.quality import monitor, streams
from benchmarks.quality.case import (
    Cell,
    Line,
    PeerRun,
    Picture,
    Run,
    Stream,
    Table,
    Target,
    Told,
    alarms_of,
    figures,
)
from benchmarks.quality.scoring import Truth
from detectors.arrays import FloatArray
from detectors.estimation.cbpe import estimate
from detectors.estimation.score_map import ScoreMap
from detectors.summary import Ints, dense
from schemas.policy import Task
from schemas.summaries import Part
from streams.control import Control

ROWS = 50_000
SHIFT = 25_000
LATE_ROWS = 10_000
WINDOW_ROWS = 500
CHUNK_ROWS = 5_000
NANNYML = {"auc": 0.0021, "accuracy": 0.0031}
"""Mean absolute errors of NannyML's CBPE, chunks of 5,000, as first measured."""

SIGNALS = frozenset({*streams.CAR_LOAN, "score", "estimated_error_rate"})
"""Before row 35,000 labels can say nothing of the shift, so an alarm on them is no detection."""

ESTIMATE_NOTE = (
    "Estimates rest on the score histogram of the panes and the labels of the reference by score "
    "bin; they assume P(label | score) unchanged."
)
CALIBRATION_NOTE = (
    "The model deviates from its own scores by more than .02 in some bins, before the shift too, "
    "and an alarm says so; here it counts as false."
)
RECORDING_NOTE = "One data set: runs differ only in the row at which windows begin."


class LateLabels:
    """Car loans, whose mix of applicants changes at analysis row 25,000."""

    name = "G5"
    title = "Late labels: car loans, labels 10,000 rows late"
    streams = (
        Stream(
            "",
            "car loan, analysis",
            Truth(on=SHIFT, horizon=LATE_ROWS, signals=SIGNALS),
            0,
            ROWS,
            WINDOW_ROWS,
        ),
    )
    seeds = 20

    def run(self, seed: int) -> list[Run]:
        """One data set; seeds differ in the row at which windows begin."""
        skip = seed * WINDOW_ROWS // self.seeds
        control, sheet = _watch()
        told = monitor.watch(control, [monitor.in_order(sheet, skip=skip)])
        estimates = _estimates(sheet) if seed == 0 else {}
        return [Run("", seed, tuple(told.alarms(first=skip)), estimates)]

    def tell(self, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Told:
        """Errors of the estimates, and an alarm before the labels come."""
        realised = {name: _realised(name) for name in NANNYML}
        estimated = {
            name: [figures(runs, "", f"{name} {i}")[0] for i in range(ROWS // CHUNK_ROWS)]
            for name in NANNYML
        }
        targets = [
            Target(
                f"mean absolute error of estimated {name}, chunks of 5,000",
                float(np.abs(np.subtract(estimated[name], realised[name])).mean()),
                limit,
            )
            for name, limit in NANNYML.items()
        ]
        score = self.streams[0].score(alarms_of(runs, ""))
        delay = score.median_delay
        return Told(
            [*targets, Target("rows from shift to alarm (labels take 10,000)", delay, LATE_ROWS)],
            tables=[_table(estimated, realised)],
            pictures=[_picture(name, estimated[name], realised[name], peers) for name in NANNYML],
            notes=[
                ESTIMATE_NOTE,
                CALIBRATION_NOTE,
                RECORDING_NOTE,
            ],
        )


@cache
def _watch() -> tuple[Control, monitor.Sheet]:
    reference, analysis = streams.car_loan("reference"), streams.car_loan("analysis")
    rules = monitor.policy(Task.BINARY, window_rows=WINDOW_ROWS, label_rows=LATE_ROWS)
    known = monitor.profile(rules, reference)
    plan = monitor.plan_of(rules, known)
    sheet = monitor.sheet_of(plan, analysis, delay_rows=LATE_ROWS)
    return monitor.control_of(rules, known), sheet


def _estimates(sheet: monitor.Sheet) -> dict[str, float]:
    """AUC and accuracy of each chunk, from sums of panes and the map of the reference."""
    profile = sheet.plan.reference
    if profile is None or profile.labelled is None:
        raise ValueError("the reference has no labels by score; build it of labelled rows")
    learned = ScoreMap.learn(profile.labelled.n, profile.labelled.positives)
    counts, decisions = _chunks(sheet)
    found = estimate(counts, decisions, learned)
    return {
        f"{name} {i}": float(value)
        for name, values in (("auc", found.auc.value), ("accuracy", found.accuracy.value))
        for i, value in enumerate(values)
    }


def _chunks(sheet: monitor.Sheet) -> tuple[FloatArray, FloatArray]:
    """Rows, and positive decisions, of each chunk and score bin, from input panes."""
    layout, edges = sheet.plan.inputs, sheet.plan.edges
    sums = np.zeros((ROWS // CHUNK_ROWS, layout.size), np.int64)
    for delta in monitor.panes_of([monitor.in_order(sheet)]):
        if delta.part is Part.INPUT:
            chunk = delta.start_ms // monitor.ROW_MS // CHUNK_ROWS
            sums[chunk] += dense(delta.index, delta.values, layout.size)
    counts = sums[:, layout.slices["score"]].astype(np.float64)
    return counts, np.stack(
        [
            _decisions(row, layout.count(pane, "n_positive"), edges)
            for row, pane in zip(counts, sums, strict=True)
        ]
    )


def _decisions(counts: FloatArray, positive: int, edges: FloatArray) -> FloatArray:
    """Positive decisions of each bin: all above one half, and the rest in the bin it cuts."""
    cut = int(np.searchsorted(edges, 0.5, "right"))
    above = np.where(np.arange(len(counts)) > cut, counts, 0.0)
    above[cut] = positive - above.sum()
    return above


def _realised(name: str) -> list[float]:
    rows = streams.car_loan("analysis")
    chunks = np.split(np.arange(ROWS), ROWS // CHUNK_ROWS)
    measure = _auc if name == "auc" else _accuracy
    return [measure(rows.take(chunk)) for chunk in chunks]


def _accuracy(rows: streams.Rows) -> float:
    return float((_decided(rows) == _truth(rows)).mean())


def _auc(rows: streams.Rows) -> float:
    """Area under the curve of the scores themselves, ties counted half."""
    _, places, counts = np.unique(_score(rows), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    truth = _truth(rows)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _score(rows: streams.Rows) -> FloatArray:
    if rows.score is None:
        raise ValueError("car loans lack scores; load them anew")
    return rows.score


def _decided(rows: streams.Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(_score(rows) >= 0.5)


def _truth(rows: streams.Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    truth: Ints | None = rows.truth
    if truth is None:
        raise ValueError("car loans lack truths; load them anew")
    return np.asarray(truth == 1)


def _table(estimated: dict[str, list[float]], realised: dict[str, list[float]]) -> Table:
    rows: list[list[Cell]] = [
        [
            f"{(i + 1) * CHUNK_ROWS:,}",
            *(v[name][i] for name in NANNYML for v in (estimated, realised)),
        ]
        for i in range(ROWS // CHUNK_ROWS)
    ]
    header = ("rows up to", "AUC, estimated", "realised", "accuracy, estimated", "realised")
    return Table("Estimates before the labels", header, rows)


def _picture(
    name: str, estimated: Sequence[float], realised: Sequence[float], peers: Sequence[PeerRun]
) -> Picture:
    x = [(i + 1) * CHUNK_ROWS for i in range(ROWS // CHUNK_ROWS)]
    others = [Line(peer.peer, x, peer.estimates[name]) for peer in peers if name in peer.estimates]
    lines = [Line("estimated", x, estimated), Line("realised", x, realised), *others]
    return Picture(f"{name}, before the labels came", "analysis row", name, lines, (SHIFT,))
