"""MAPIE: risk monitoring of accuracy row by row; its calibration tests on each window."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import common_streams as streams
import numpy as np
import record
from mapie.exchangeability_testing import RiskMonitoring
from mapie.metrics import calibration

SEEDS = 20
RISK_SEEDS = 5
"""Fewer for risk monitoring: half a millisecond a row."""

SHIFTED_RATES = (0.12, 0.15, 0.20)
FACTORS = (1.25, 1.5)
LEVEL = 0.05
TOLERANCE: dict[record.Point, float] = {"default": 0.05, "matched": 0.0}
POINTS: tuple[record.Point, ...] = ("default", "matched")

PValue = Callable[[np.ndarray, np.ndarray], float]
TESTS: dict[str, PValue] = {
    "Spiegelhalter": calibration.spiegelhalter_p_value,
    "Kolmogorov-Smirnov": calibration.kolmogorov_smirnov_p_value,
}


def first_alarms(errors: streams.Errors) -> dict[record.Point, list[record.Alarm]]:
    """The first row whose lower bound of the risk exceeds the threshold, at both tolerances.

    Rows are given in one update: the bound of each row is the same as if they came one by one,
    and it never falls again, so that there is no second alarm.
    """
    thresholds = {
        point: _monitor(errors.reference, tolerance).threshold
        for point, tolerance in TOLERANCE.items()
    }
    monitor = _monitor(errors.reference, TOLERANCE["default"])
    monitor.update(np.zeros_like(errors.live), errors.live)
    bound = monitor.online_risk_lower_bound_sequence_history
    return {
        point: record.alarms(
            (errors.first + int(row), "error") for row in np.flatnonzero(bound > threshold)[:1]
        )
        for point, threshold in thresholds.items()
    }


def _monitor(reference: streams.Flags, tolerance: float) -> RiskMonitoring:
    """An error is a wrong prediction: all labels are 0, and an error predicts 1."""
    monitor = RiskMonitoring(risk="accuracy", tolerance=tolerance, warn=False)
    return monitor.compute_threshold(np.zeros_like(reference), reference)


def risk(case: str, variant: str, runs: Iterable[tuple[int, streams.Errors]]) -> None:
    """Risk monitoring of one case, by default and without tolerance."""
    started = time.perf_counter()
    found = [(seed, first_alarms(errors)) for seed, errors in runs]
    for point in POINTS:
        settings: dict[str, object] = {
            "risk": "accuracy",
            "test_level": LEVEL,
            "tolerance": TOLERANCE[point],
            "alarms": "the first row only: the bound never falls again",
        }
        if point == "matched":
            settings["set_on"] = (
                "no rows: without tolerance the chance of one false alarm ever is at most .05 by "
                "its guarantee, and that is the least tolerance it takes"
            )
        _write(
            "mapie risk",
            case,
            variant,
            point,
            [record.Run(seed=seed, alarms=alarms[point]) for seed, alarms in found],
            settings,
            rows=1,
            started=started,
        )


def p_values(table: streams.Table, test: PValue) -> list[tuple[int, float]]:
    """Row and p-value of each window."""
    return [
        (at, float(test(window["label"].to_numpy(), window["score"].to_numpy())))
        for at, window in table.windows()
    ]


def calibrated(data: Path, name: str, factor: float) -> None:
    """G7: a calibration test on each window."""
    started, levels = time.perf_counter(), []
    runs: dict[record.Point, list[record.Run]] = {point: [] for point in POINTS}
    for seed in range(SEEDS):
        table = streams.calibration(data, seed, factor)
        values = p_values(table, TESTS[name])
        days = streams.reference_days(table.reference, seed)
        seen = sorted(p for day in days for _, p in p_values(day, TESTS[name]))
        levels.append(seen[1])
        for point, level in zip(POINTS, (LEVEL, levels[-1]), strict=True):
            alarms = record.alarms((at, "calibration") for at, p in values if p < level)
            runs[point].append(record.Run(seed=seed, alarms=alarms))
    for point in POINTS:
        settings: dict[str, object] = {"test": name, "level": LEVEL}
        if point == "matched":
            settings |= {"level": levels, "set_on": "ten days of each reference"}
        _write(f"mapie {name}", "G7", f"x{factor}", point, runs[point], settings, started=started)


def _write(
    peer: str,
    case: str,
    variant: str,
    point: record.Point,
    runs: Sequence[record.Run],
    settings: dict[str, object],
    *,
    rows: int = streams.ROWS_PER_WINDOW,
    started: float,
) -> None:
    record.write(
        peer=peer,
        package="mapie",
        case=case,
        variant=variant,
        point=point,
        settings=settings,
        runs=runs,
        rows_per_window=rows,
        started=started,
    )


def main() -> None:
    """Run the cases asked for."""
    options = record.arguments()
    if options.only in ("", "G3"):
        risk("G3", "", [(0, streams.insects(options.data))])
    if options.only in ("", "G7"):
        for name in TESTS:
            for factor in FACTORS:
                calibrated(options.data, name, factor)
    if options.only in ("", "errors"):
        for rate in SHIFTED_RATES:
            runs = ((seed, streams.shifted_errors(seed, rate)) for seed in range(RISK_SEEDS))
            risk("errors", f"p={rate:.2f}", runs)
    if options.only in ("", "G1"):
        tables = ((seed, streams.employment(options.data, seed)) for seed in range(RISK_SEEDS))
        risk("G1", "", ((seed, table.errors()) for seed, table in tables))


if __name__ == "__main__":
    main()
