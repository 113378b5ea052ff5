"""alibi-detect: TabularDrift (KS and chi-square with Bonferroni) on each window."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import common_streams as streams
import numpy as np
import pandas as pd
import record
from alibi_detect.cd import TabularDrift

NULL_SEEDS = 100
SEEDS = 20
LEVEL = 0.05
"""Default of ``p_val``; each column is tested at this over the number of columns."""


@dataclass(frozen=True)
class Window:
    """P-values by column in the window that ends with row ``at``."""

    at: int
    p_values: dict[str, float]

    def drifted(self, level: float) -> list[tuple[int, str]]:
        """Columns below the corrected level."""
        limit = level / len(self.p_values)
        return [(self.at, name) for name, p in self.p_values.items() if p < limit]

    @property
    def level_reached(self) -> float:
        """The level at which this window would just alarm."""
        return min(self.p_values.values()) * len(self.p_values)


def tested(table: streams.Table, rows: int) -> list[Window]:
    """Every window against the reference."""
    names = [name for name in table.reference.columns if name != "label"]
    coded = set(streams.EMPLOYMENT_FEATURES) - set(streams.EMPLOYMENT_NUMERIC) | {"error"}
    categories = {place: None for place, name in enumerate(names) if name in coded}
    detector = TabularDrift(
        _array(table.reference[names]),
        p_val=LEVEL,
        categories_per_feature=categories or None,
    )
    return [
        Window(at, dict(zip(names, _p_values(detector, window[names]), strict=True)))
        for at, window in table.windows(rows)
    ]


def _p_values(detector: TabularDrift, window: pd.DataFrame) -> list[float]:
    answer = detector.predict(_array(window), drift_type="batch", return_p_val=True)
    return [float(p) for p in answer["data"]["p_val"]]


def _array(rows: pd.DataFrame) -> np.ndarray:
    return np.asarray(rows, dtype=np.float64)


def alarms(windows: Iterable[Window], level: float) -> list[record.Alarm]:
    """Columns that drifted in each window, as the detector decides with ``p_val=level``."""
    return record.alarms(found for window in windows for found in window.drifted(level))


def exchangeable(data: Path) -> None:
    """G1: 100 seeds by default, 20 of them matched."""
    started, runs, matched, levels = time.perf_counter(), [], [], []
    for seed in range(NULL_SEEDS):
        table = streams.employment(data, seed)
        windows = tested(table, streams.ROWS_PER_WINDOW)
        runs.append(record.Run(seed=seed, alarms=alarms(windows, LEVEL)))
        if seed < SEEDS:
            days = streams.reference_days(table.reference, seed)
            seen = [w.level_reached for day in days for w in tested(day, streams.ROWS_PER_WINDOW)]
            levels.append(sorted(seen)[1])
            matched.append(record.Run(seed=seed, alarms=alarms(windows, levels[-1])))
    _write("G1", "", runs, {"p_val": LEVEL}, started)
    settings = {"p_val": levels, "set_on": "ten days of each reference"}
    _write("G1", "", matched, settings, started, point="matched")


def ordered(case: str, variant: str, tables: Sequence[streams.Table], rows: int) -> None:
    """G2 and G4: rows in time; the matched level is the best that the reference allows."""
    started, runs, matched, levels = time.perf_counter(), [], [], []
    for seed, table in enumerate(tables):
        windows = tested(table, rows)
        runs.append(record.Run(seed=seed, alarms=alarms(windows, LEVEL)))
        blocks = list(streams.reference_windows(table.reference, rows))
        levels.append(min(tested(part, rows)[0].level_reached for part in blocks))
        matched.append(record.Run(seed=seed, alarms=alarms(windows, levels[-1])))
    _write(case, variant, runs, {"p_val": LEVEL}, started, rows=rows)
    settings: dict[str, object] = {"p_val": levels, **record.few_windows(len(blocks))}
    if 0.0 in levels:
        settings["p_val_0"] = "a reference window has p = 0 already: never alarms at that level"
    _write(case, variant, matched, settings, started, rows=rows, point="matched")


def _write(
    case: str,
    variant: str,
    runs: Sequence[record.Run],
    settings: Mapping[str, object],
    started: float,
    *,
    rows: int = streams.ROWS_PER_WINDOW,
    point: record.Point = "default",
) -> None:
    record.write(
        peer="alibi-detect",
        package="alibi-detect",
        case=case,
        variant=variant,
        point=point,
        settings={"detector": "TabularDrift", "correction": "bonferroni", **settings},
        runs=runs,
        rows_per_window=rows,
        started=started,
    )


def main() -> None:
    """Run the cases asked for."""
    logging.disable(logging.WARNING)
    options = record.arguments()
    if options.only in ("", "G2"):
        ordered("G2", "SKAB", [streams.skab(options.data)], 500)
        ordered("G2", "AR(.9)", [streams.autoregressive(seed) for seed in range(SEEDS)], 500)
    if options.only in ("", "G4"):
        ordered("G4", "", [streams.elec2(options.data)], streams.ROWS_PER_WINDOW)
    if options.only in ("", "G1"):
        exchangeable(options.data)


if __name__ == "__main__":
    main()
