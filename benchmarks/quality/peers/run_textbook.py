"""What is done without any tool: a z-test looked at again and again, and the plug-in ECE."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

import common_streams as streams
import numpy as np
import record

CANARY_SEEDS = 1_000
ROWS_PER_LOOK = 320
"""201 looks at 64,493 rows."""
LEVELS: dict[record.Point, float] = {"default": 0.05, "matched": 0.05 / 201}
FLOORS = {0.325: 11_500, 0.30: 6_300, 0.275: 3_400}
"""Rows per arm at which a test with a size fixed beforehand has a power of .80."""

SEEDS = 20
FACTORS = (1.25, 1.5)
BINS = 15
ECE_RULE = 0.05
SIZES = (200, 500, 1_000, 5_000)


def looks(canary: streams.Bools, wrong: streams.Bools, usual: streams.Bools) -> streams.Floats:
    """The pooled z of the canary's error rate less the baseline's, at every look."""
    ends = np.arange(ROWS_PER_LOOK, len(canary) + 1, ROWS_PER_LOOK) - 1
    n_c, n_b = np.cumsum(canary)[ends], np.cumsum(~canary)[ends]
    k_c, k_b = np.cumsum(canary & wrong)[ends], np.cumsum(~canary & usual)[ends]
    rate = (k_c + k_b) / (n_c + n_b)
    return np.asarray((k_c / n_c - k_b / n_b) / np.sqrt(rate * (1 - rate) * (1 / n_c + 1 / n_b)))


def canaries(data: Path) -> None:
    """G6: roll back at the first look whose one-sided z is beyond its critical value."""
    started = time.perf_counter()
    rows = streams.households(data)
    score, label = rows["score"].to_numpy(), rows["label"].to_numpy() == 1
    usual = (score >= streams.CANARY_BASELINE) != label
    arms = [streams.arms(rows["household"].to_numpy(), seed) for seed in range(CANARY_SEEDS)]
    for threshold in streams.CANARY_THRESHOLDS:
        wrong = (score >= threshold) != label
        harm = round(100 * float(wrong.mean() - usual.mean()), 3)
        courses = [looks(canary, wrong, usual) for canary in arms]
        for point, level in LEVELS.items():
            ends = [first_beyond(course, level) for course in courses]
            settings = {"harm_points": harm, "level": level, **rolled_back(arms, ends, threshold)}
            _write_canary(threshold, point, ends, settings, started)


def first_beyond(course: streams.Floats, level: float) -> int | None:
    """Last row of the first look whose z is beyond the one-sided critical value."""
    beyond = np.flatnonzero(course > NormalDist().inv_cdf(1 - level))
    return (int(beyond[0]) + 1) * ROWS_PER_LOOK - 1 if len(beyond) else None


def rolled_back(
    arms: Sequence[streams.Bools], ends: Sequence[int | None], threshold: float
) -> dict[str, object]:
    """Share of canaries rolled back, and within twice the rows per arm of a fixed size."""
    sizes = [int(arm[: end + 1].sum()) for arm, end in zip(arms, ends, strict=True) if end]
    shares: dict[str, object] = {"rolled_back": len(sizes) / len(ends)}
    if threshold in FLOORS:
        within = sum(size <= 2 * FLOORS[threshold] for size in sizes)
        shares["rolled_back_within_twice_the_floor"] = within / len(ends)
    return shares


def _write_canary(
    threshold: float,
    point: record.Point,
    ends: Sequence[int | None],
    settings: dict[str, object],
    started: float,
) -> None:
    record.write(
        peer="z-test peeked",
        package="numpy",
        case="G6",
        variant=f"canary {threshold:g}",
        point=point,
        settings={
            "test": "pooled two-proportion z, one-sided, looked at every 320 rows",
            "set_on": "no rows; matched is .05 over the number of looks (Bonferroni)",
            "split": "households by hash",
            **settings,
        },
        runs=[
            record.Run(seed=seed, alarms=[] if end is None else record.alarms([(end, "error")]))
            for seed, end in enumerate(ends)
        ],
        rows_per_window=ROWS_PER_LOOK,
        started=started,
    )


def plug_in(score: streams.Floats, label: streams.Floats) -> float:
    """The usual ECE: 15 bins of equal width, the chance of the positive class."""
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, label - score, minlength=BINS)
    return float(np.abs(gaps).sum() / len(score))


def windows(table: streams.Table) -> list[tuple[int, float]]:
    """Row and ECE of each window."""
    return [
        (at, plug_in(window["score"].to_numpy(), window["label"].to_numpy(float)))
        for at, window in table.windows()
    ]


def calibration(data: Path, factor: float) -> None:
    """G7: alarm where the ECE of a window is above a limit."""
    started, limits, values = time.perf_counter(), [], []
    for seed in range(SEEDS):
        table = streams.calibration(data, seed, factor)
        values.append(windows(table))
        days = streams.reference_days(table.reference, seed)
        limits.append(record.second_worst([ece for day in days for _, ece in windows(day)]))
    rule = "no tool has a default; .05 is a common rule of thumb"
    matched = "ten days of each reference"
    _write_ece(factor, values, [ECE_RULE] * SEEDS, "default", rule, started)
    _write_ece(factor, values, limits, "matched", matched, started)


def _write_ece(
    factor: float,
    values: Sequence[Sequence[tuple[int, float]]],
    limits: Sequence[float],
    point: record.Point,
    set_on: str,
    started: float,
) -> None:
    runs = [
        record.Run(
            seed=seed,
            alarms=record.alarms((at, "calibration") for at, ece in found if ece > limit),
        )
        for seed, (found, limit) in enumerate(zip(values, limits, strict=True))
    ]
    record.write(
        peer="plug-in ECE",
        package="numpy",
        case="G7",
        variant=f"x{factor:g}",
        point=point,
        settings={"bins": BINS, "limit": list(limits), "set_on": set_on},
        runs=runs,
        rows_per_window=streams.ROWS_PER_WINDOW,
        started=started,
        estimates={"ece": [round(ece, 6) for found in values for _, ece in found]},
    )


def calibrated(data: Path) -> None:
    """G7: the plug-in ECE of a model that is right by construction: labels drawn from scores."""
    started = time.perf_counter()
    found: dict[str, list[float]] = {f"n={size}": [] for size in SIZES}
    for seed in range(SEEDS):
        score = streams.employment(data, seed).live["score"].to_numpy()
        label = (np.random.default_rng((seed, 1)).random(len(score)) < score).astype(float)
        for size in SIZES:
            starts = range(0, len(score) - size + 1, size)
            eces = [plug_in(score[s : s + size], label[s : s + size]) for s in starts]
            found[f"n={size}"].append(round(float(np.mean(eces)), 6))
    record.write(
        peer="plug-in ECE",
        package="numpy",
        case="G7",
        variant="calibrated",
        settings={"bins": BINS, "estimates": "mean over the windows of each seed; the truth is 0"},
        runs=[record.Run(seed=seed, alarms=[]) for seed in range(SEEDS)],
        rows_per_window=1_000,
        started=started,
        estimates={"ece": found["n=1000"], **{f"ece {key}": value for key, value in found.items()}},
    )


def main() -> None:
    """Run the cases asked for."""
    options = record.arguments()
    if options.only in ("", "G6"):
        canaries(options.data)
    if options.only in ("", "G7"):
        calibrated(options.data)
        for factor in FACTORS:
            calibration(options.data, factor)


if __name__ == "__main__":
    main()
