"""G7: scores become overconfident; no decision changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.quality import streams
from benchmarks.quality.case import PeerRun, Run, Stream, Table, Target, Told, alarms_of, figures
from benchmarks.quality.cases.g1_null import plan_of, watched
from benchmarks.quality.scoring import DAY_ROWS, Estimate, Truth, share
from detectors.arrays import FloatArray
from detectors.intervals import mean_interval
from detectors.summary import Ints

SHIFT = 24_000
FACTORS = (1.25, 1.5)
WINDOW_ROWS = 1_000
PLUG_IN_BINS = 15
TRUTH = Truth(
    on=SHIFT,
    horizon=DAY_ROWS - SHIFT,
    signals=frozenset({"calibration"}),
    allowed=frozenset({"score", "brier", "estimate_gap", "estimated_error_rate"}),
)

SCORE_NOTE = (
    "With the logits move the score, the Brier score and what is estimated from scores. Alarms on "
    "them are right as well; they are not counted as detection."
)
TOLERANCE_NOTE = (
    "Logits times 1.25 move the frequency of most bins by .02 to .07 and the slope by .019, with "
    "a tolerance of .02: little of it is beyond what the policy tolerates."
)


def name_of(factor: float) -> str:
    """Name of the stream whose logits are multiplied."""
    return f"x{factor:g}"


class CalibrationOnly:
    """Employment as in G1, logits times 1.25 and 1.5 from row 24,000 on."""

    name = "G7"
    title = "Calibration only: employment, logits sharpened from row 24,000 on"
    streams = tuple(
        Stream(name_of(factor), f"logits times {factor:g}", TRUTH, 0, DAY_ROWS, WINDOW_ROWS)
        for factor in FACTORS
    )
    seeds = 20

    def run(self, seed: int) -> list[Run]:
        """Both factors, and a model that is calibrated by construction, for the bias of ECE."""
        reference, live = streams.pooled(seed, DAY_ROWS)
        if live.score is None:
            raise ValueError("employment rows lack scores; load them with scores")
        plan, runs = plan_of(reference, window_rows=WINDOW_ROWS), []
        for factor in FACTORS:
            late = np.arange(DAY_ROWS) >= SHIFT
            score = np.where(late, streams.sharpened(live.score, factor), live.score)
            rows = streams.Rows(live.features, score, live.truth)
            told = watched(plan, rows)
            runs.append(Run(name_of(factor), seed, tuple(told.alarms())))
        return [*runs, _calibrated(seed, reference, live.score)]

    def tell(self, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Told:
        """Bias of ECE, alarms on calibration, none on the error rate."""
        bias = figures(runs, "calibrated", "ece")
        plain = figures(runs, "calibrated", "plug-in")
        targets = [Target("bias of ECE at n = 1,000", _mean(bias), 0.005)]
        for stream in self.streams:
            found = alarms_of(runs, stream.name)
            score = stream.score(found)
            caught = None if score.missed is None else 1 - (score.missed.value or 0.0)
            accuracy = sum(any(a.signal == "error" for a in run) for run in found)
            targets.append(
                Target(f"share of runs that alarm, {stream.title}", caught, 1.0, "at least")
            )
            targets.append(
                Target(f"alarms on the error rate, {stream.title}", float(accuracy), 0.0)
            )
        n = len(bias)
        quiet = alarms_of(runs, "calibrated")
        return Told(
            targets,
            tables=[
                Table(
                    "A model that is calibrated by construction, windows of 1,000",
                    ("figure", "mean of all runs"),
                    [
                        ["ECE as the product shows it (10 bins, chance taken off)", _around(bias)],
                        [f"plug-in ECE, {PLUG_IN_BINS} bins", _around(plain)],
                        [
                            "runs with a calibration alarm",
                            share(sum(any(a.signal == "calibration" for a in r) for r in quiet), n),
                        ],
                    ],
                )
            ],
            notes=[
                SCORE_NOTE,
                TOLERANCE_NOTE,
            ],
        )


def _calibrated(seed: int, reference: streams.Rows, score: FloatArray) -> Run:
    """Truths drawn with the scores as their chances."""
    truth = (np.random.default_rng((seed, 1)).random(len(score)) < score).astype(np.int64)
    known = streams.Rows({}, reference.score, reference.truth)
    told = watched(plan_of(known, window_rows=WINDOW_ROWS), streams.Rows({}, score, truth))
    shown = [
        metric.value
        for window in told.windows()
        for metric in window.metrics
        if metric.name == "ece" and metric.value is not None
    ]
    plain = [
        _plug_in(score[start : start + WINDOW_ROWS], truth[start : start + WINDOW_ROWS])
        for start in range(0, len(score), WINDOW_ROWS)
    ]
    found = {"ece": float(np.mean(shown)), "plug-in": float(np.mean(plain))}
    return Run("calibrated", seed, tuple(told.alarms()), found)


def _plug_in(score: FloatArray, truth: Ints) -> float:
    """The usual ECE of equal widths."""
    bins = np.minimum((score * PLUG_IN_BINS).astype(np.int64), PLUG_IN_BINS - 1)
    gaps = np.bincount(bins, truth - score, minlength=PLUG_IN_BINS)
    return float(np.abs(gaps).sum() / len(score))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _around(values: Sequence[float]) -> Estimate:
    seen = np.array(values)
    low, high = mean_interval(len(seen), seen.sum(), (seen**2).sum())
    return Estimate(float(seen.mean()), float(low), float(high))
