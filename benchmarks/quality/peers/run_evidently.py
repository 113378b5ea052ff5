"""Evidently: DataDriftPreset on each window, alarms by column, as its reports flag them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import common_streams as streams
import pandas as pd
import record
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import (
    jensenshannon_stat_test,
    wasserstein_stat_test,
)
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset

SEEDS = 20
FEWER_SEEDS = 5
SMALL_SEEDS = 2
"""Seeds of windows of 500: four times the reports, at a second each."""

DISTANCE_THRESHOLD = 0.1
"""The default of both distances that Evidently picks for more than 1,000 reference rows."""


@dataclass(frozen=True)
class Value:
    """What a report says of a column in the window that ends with row ``at``."""

    at: int
    column: str
    value: float
    threshold: float
    is_p_value: bool

    def drifted(self, threshold: float | None = None) -> bool:
        """Evidently's own comparison."""
        limit = self.threshold if threshold is None else threshold
        return self.value < limit if self.is_p_value else self.value >= limit


def columns_of(rows: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Numeric and categorical columns; the label is not monitored."""
    names = [name for name in rows.columns if name != "label"]
    coded = set(streams.EMPLOYMENT_FEATURES) - set(streams.EMPLOYMENT_NUMERIC) | {"error"}
    return [n for n in names if n not in coded], [n for n in names if n in coded]


def reported(table: streams.Table, rows: int) -> Iterator[Value]:
    """One report for each window against the reference."""
    numeric, coded = columns_of(table.reference)
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=coded)
    names = numeric + coded
    reference = Dataset.from_pandas(table.reference[names], data_definition=definition)
    for at, window in table.windows(rows):
        current = Dataset.from_pandas(
            window[names].reset_index(drop=True), data_definition=definition
        )
        report = Report([DataDriftPreset()]).run(current, reference)
        for metric in report.dict()["metrics"]:
            if metric["config"]["type"].endswith(":ValueDrift"):
                config = metric["config"]
                yield Value(
                    at,
                    config["column"],
                    float(metric["value"]),
                    float(config["threshold"]),
                    config["method"].endswith("p_value"),
                )


def worst_distance(table: streams.Table, window: pd.DataFrame) -> float:
    """The largest distance over all columns, by the functions that the preset calls."""
    numeric, coded = columns_of(table.reference)
    kinds = [(name, wasserstein_stat_test, ColumnType.Numerical) for name in numeric]
    kinds += [(name, jensenshannon_stat_test, ColumnType.Categorical) for name in coded]
    scores = (
        test(table.reference[name], window[name], kind, DISTANCE_THRESHOLD).drift_score
        for name, test, kind in kinds
    )
    return float(max(scores))


def alarms(values: list[Value], threshold: float | None = None) -> list[record.Alarm]:
    """Columns flagged, by default or by a threshold on the distance."""
    return record.alarms((v.at, v.column) for v in values if v.drifted(threshold))


def main_case(data: Path) -> None:
    """G1 with windows of 2,000 against all reference rows, by default and matched."""
    started, runs, matched, thresholds = time.perf_counter(), [], [], []
    for seed in range(SEEDS):
        table = streams.employment(data, seed)
        values = list(reported(table, streams.ROWS_PER_WINDOW))
        runs.append(record.Run(seed=seed, alarms=alarms(values)))
        days = streams.reference_days(table.reference, seed)
        worst = [worst_distance(day, window) for day in days for _, window in day.windows()]
        thresholds.append(record.second_worst(worst) * (1 + 1e-9))
        matched.append(record.Run(seed=seed, alarms=alarms(values, thresholds[-1])))
    common = {"preset": "DataDriftPreset", "reference_rows": streams.EMPLOYMENT_REFERENCE}
    _write("G1", runs, settings=common, started=started)
    settings = {**common, "thresholds": thresholds, "set_on": "ten days of each reference"}
    _write("G1", matched, settings=settings, started=started, point="matched")


def small_windows(data: Path, reference_rows: int) -> None:
    """G1 with windows of 500; at most 1,000 reference rows make Evidently test by p-value."""
    started, runs = time.perf_counter(), []
    for seed in range(SMALL_SEEDS):
        table = streams.employment(data, seed)
        cut = streams.Table(table.reference.iloc[:reference_rows], table.live)
        runs.append(record.Run(seed=seed, alarms=alarms(list(reported(cut, 500)))))
    settings = {"preset": "DataDriftPreset", "reference_rows": reference_rows}
    variant = f"n=500 reference={reference_rows}"
    _write("G1", runs, variant=variant, settings=settings, started=started, rows=500)


def ordered(case: str, variant: str, tables: list[streams.Table], rows: int) -> None:
    """G2 and G4: rows in time; the matched threshold is the best that the reference allows."""
    started, runs, matched, thresholds = time.perf_counter(), [], [], []
    for seed, table in enumerate(tables):
        values = list(reported(table, rows))
        runs.append(record.Run(seed=seed, alarms=alarms(values)))
        blocks = list(streams.reference_windows(table.reference, rows))
        thresholds.append(max(worst_distance(part, part.live) for part in blocks) * (1 + 1e-9))
        matched.append(record.Run(seed=seed, alarms=alarms(values, thresholds[-1])))
    common = {"preset": "DataDriftPreset", "reference_rows": len(tables[0].reference)}
    _write(case, runs, variant=variant, settings=common, started=started, rows=rows)
    settings = {**common, "thresholds": thresholds, **record.few_windows(len(blocks))}
    _write(
        case,
        matched,
        variant=variant,
        settings=settings,
        started=started,
        rows=rows,
        point="matched",
    )


def _write(
    case: str,
    runs: list[record.Run],
    *,
    settings: dict[str, object],
    started: float,
    variant: str = "",
    rows: int = streams.ROWS_PER_WINDOW,
    point: record.Point = "default",
) -> None:
    record.write(
        peer="evidently",
        package="evidently",
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
    if options.only in ("", "G2"):
        ordered("G2", "SKAB", [streams.skab(options.data)], 500)
        ordered("G2", "AR(.9)", [streams.autoregressive(seed) for seed in range(FEWER_SEEDS)], 500)
    if options.only in ("", "G4"):
        ordered("G4", "", [streams.elec2(options.data)], streams.ROWS_PER_WINDOW)
    if options.only in ("", "G1"):
        main_case(options.data)
        small_windows(options.data, 500)
        small_windows(options.data, streams.EMPLOYMENT_REFERENCE)


if __name__ == "__main__":
    main()
